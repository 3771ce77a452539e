"""Reads what our accounts and contracts hold, and tells when one of them is running out."""

from bmn.bindings.token_calls import build_balance_of, decode_amount
from bmn.core.errors import BadInput, ChainError
from bmn.core.units import NATIVE, TokenAmount
from bmn.evm.failures import CallReverted
from bmn.evm.types import BlockTag
from bmn.jobs.deps import JobDeps, Purse
from bmn.observe import jobs as observe
from bmn.pg.runs import Metrics


async def run(deps: JobDeps) -> Metrics:
    """Read every purse at the head; those of a silent chain are left out.

    Raises:
        ChainError: no chain answered.
    """
    low, unread = 0, 0
    for purse in deps.purses:
        chain = deps.specs[purse.chain].name
        try:
            balance = await _fetch_balance(purse, deps)
        except ChainError as error:
            observe.balance_unread(chain, purse.role, purse.asset, error.code)
            unread += 1
            continue
        is_low = balance < purse.floor
        low += is_low
        observe.balance_read(
            chain, purse.role, purse.asset, balance / 10**purse.decimals, purse.floor / 10**purse.decimals, low=is_low
        )
    if deps.purses and unread == len(deps.purses):
        raise ChainError("BALANCES_UNREAD", "no chain told a balance")
    return {"purses": len(deps.purses), "low": low, "unread": unread}


async def _fetch_balance(purse: Purse, deps: JobDeps) -> TokenAmount:
    reader = deps.chains[purse.chain]
    if purse.token == NATIVE:
        return TokenAmount(await reader.balance(purse.holder, BlockTag.HEAD))
    try:
        return decode_amount(await reader.call(purse.token, build_balance_of(purse.holder), BlockTag.HEAD))
    except (CallReverted, BadInput) as error:
        raise ChainError("TOKEN_SILENT", f"{purse.asset} does not tell its balances") from error
