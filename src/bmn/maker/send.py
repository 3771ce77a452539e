"""The maker's own transactions: stored before they are sent, repeated at one nonce until they are mined."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from bmn.core.errors import Refused, TimedOut
from bmn.core.units import Address, ChainId, Gas, Nonce, OrderHash, TxHash, UnixTime, Wei
from bmn.evm.client import ChainClient
from bmn.evm.signer import Signer
from bmn.evm.tx import SignedTx, UnsignedTx, sign_tx
from bmn.evm.types import BlockTag, Fees, Receipt, SendStatus, TxStatus
from bmn.maker.vault import SentTx, Vault
from bmn.seams import Clock

_LOOK_EVERY: Final = 0.25
_ATTEMPTS: Final = 8
_PLAIN_GAS: Final = Gas(21_000)


@dataclass(frozen=True, slots=True, kw_only=True)
class SendDeps:
    """One chain, the maker's key and his vault."""

    chain: ChainClient
    chain_id: ChainId
    signer: Signer
    vault: Vault
    clock: Clock
    patience: float = 30.0
    """Host seconds for one price before it is raised."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """One transaction to get mined."""

    order_hash: OrderHash
    """Whose file keeps it."""
    purpose: str
    to: Address
    data: bytes = field(repr=False)
    gas: Gas
    not_after: UnixTime | None = None
    """Chain time after which it must not be mined any more: it is replaced by nothing at its nonce."""


async def send_tx(wanted: Wanted, deps: SendDeps) -> Receipt:
    """Return the receipt of `wanted`, whose state the caller has checked: is it needed at all?

    An attempt of an earlier run that may still land is taken up at its nonce.

    Raises:
        TimedOut: TX_NOT_MINED: it may still be; run the same again.
        Refused: TX_REVERTED, TX_TOO_LATE, NO_FUNDS, NONCE_TAKEN.
        ChainError: the chain could not be read.
    """
    earlier, nonce = await _resume(wanted, deps)
    attempts = [sent.hash for sent in earlier]
    fees = await deps.chain.fee_suggestion()
    for sent in earlier:
        paid = Fees(max_fee_per_gas=sent.max_fee, max_priority_fee_per_gas=sent.tip)
        fees = _dearer(fees, _raised(paid))
    for _ in range(_ATTEMPTS):
        if await _is_late(wanted, deps):
            return await _withdraw_attempts(wanted, attempts, nonce, fees, deps)
        signed = await _sign(wanted, nonce, fees, deps)
        # Before the send: a crash in between must not leave a transaction we forgot.
        _store(wanted, signed, fees, deps)
        attempts.append(signed.hash)
        outcome = await deps.chain.send_raw(signed.raw)
        if outcome.status is SendStatus.INSUFFICIENT_FUNDS:
            raise Refused(
                "NO_FUNDS", f"{deps.signer.address!s} has too little native coin", hint="send it some and try again"
            )
        waits = deps.patience if outcome.is_in_flight else _LOOK_EVERY
        receipt = await _await_receipt(attempts, nonce, waits, wanted.not_after, deps)
        if receipt is not None:
            return _checked(receipt, wanted)
        fees = _dearer(_raised(fees), await deps.chain.fee_suggestion())
    raise TimedOut(
        "TX_NOT_MINED",
        f"the {wanted.purpose} transaction was not mined at any price tried",
        hint="it may still be; run the same command again to go on at the same nonce",
    )


async def _resume(wanted: Wanted, deps: SendDeps) -> tuple[list[SentTx], Nonce]:
    """Return the earlier attempts that may still land, and the nonce to use."""
    unused = await deps.chain.nonce(deps.signer.address, BlockTag.HEAD)
    orders = deps.vault.list()
    open_txs = [
        (order.order_hash, sent)
        for order in orders
        for sent in order.transactions
        if sent.chain == deps.chain_id and sent.nonce >= unused
    ]
    mine = [sent for order, sent in open_txs if (order, sent.purpose) == (wanted.order_hash, wanted.purpose)]
    if mine:
        nonce = mine[-1].nonce
        return [sent for sent in mine if sent.nonce == nonce], nonce
    taken = set()
    for _, sent in open_txs:
        # What no node knows was never sent: its nonce must be filled, or everything after it waits for ever.
        if await deps.chain.transaction(sent.hash) is not None:
            taken.add(sent.nonce)
    nonce = unused
    while nonce in taken:
        nonce = Nonce(nonce + 1)
    return [], nonce


async def _sign(wanted: Wanted, nonce: Nonce, fees: Fees, deps: SendDeps) -> SignedTx:
    return await sign_tx(deps.signer, _unsigned(wanted.to, wanted.data, wanted.gas, nonce, fees, deps))


def _unsigned(to: Address, data: bytes, gas: Gas, nonce: Nonce, fees: Fees, deps: SendDeps) -> UnsignedTx:
    return UnsignedTx(
        chain_id=deps.chain_id,
        nonce=nonce,
        max_priority_fee_per_gas=fees.max_priority_fee_per_gas,
        max_fee_per_gas=fees.max_fee_per_gas,
        gas=gas,
        to=to,
        value=Wei(0),
        data=data,
    )


def _store(wanted: Wanted, signed: SignedTx, fees: Fees, deps: SendDeps, *, purpose: str | None = None) -> None:
    sent = SentTx(
        purpose=purpose or wanted.purpose,
        chain=deps.chain_id,
        nonce=signed.nonce,
        hash=signed.hash,
        max_fee=fees.max_fee_per_gas,
        tip=fees.max_priority_fee_per_gas,
    )
    deps.vault.add_transaction(wanted.order_hash, sent, signed.raw)


async def _await_receipt(
    attempts: Sequence[TxHash], nonce: Nonce, seconds: float, not_after: UnixTime | None, deps: SendDeps
) -> Receipt | None:
    """Return the receipt of whichever attempt was mined; None when none is in time."""
    until = deps.clock.monotonic() + seconds
    while True:
        receipt = await _receipt(attempts, deps)
        if receipt is not None:
            return receipt
        if await deps.chain.nonce(deps.signer.address, BlockTag.HEAD) > nonce:
            # Mined between the two questions, or something else took the nonce.
            receipt = await _receipt(attempts, deps)
            if receipt is not None:
                return receipt
            raise Refused(
                "NONCE_TAKEN",
                "another transaction of this account was mined at our nonce",
                hint="look at the chain, then run the same command again",
            )
        if deps.clock.monotonic() >= until or (not_after is not None and await _now(deps) > not_after):
            return None
        await deps.clock.sleep(_LOOK_EVERY)


async def _receipt(attempts: Sequence[TxHash], deps: SendDeps) -> Receipt | None:
    return next((one for one in await deps.chain.receipts(attempts) if one is not None), None)


async def _withdraw_attempts(
    wanted: Wanted, attempts: list[TxHash], nonce: Nonce, fees: Fees, deps: SendDeps
) -> Receipt:
    """Fill the nonce with a transfer of nothing to ourselves: a reveal mined late reverts and shows the secret."""
    late = Refused("TX_TOO_LATE", f"there is no time left for the {wanted.purpose} transaction")
    if not attempts:
        raise late
    for _ in range(_ATTEMPTS):
        fees = _raised(fees)
        signed = await sign_tx(deps.signer, _unsigned(deps.signer.address, b"", _PLAIN_GAS, nonce, fees, deps))
        _store(wanted, signed, fees, deps, purpose="nothing")
        await deps.chain.send_raw(signed.raw)
        receipt = await _await_receipt([*attempts, signed.hash], nonce, deps.patience, None, deps)
        if receipt is not None and receipt.tx_hash in attempts:
            return _checked(receipt, wanted)
        if receipt is not None:
            raise late
    raise TimedOut("TX_NOT_MINED", f"the late {wanted.purpose} transaction could not be replaced", hint="try again")


async def _is_late(wanted: Wanted, deps: SendDeps) -> bool:
    return wanted.not_after is not None and await _now(deps) > wanted.not_after


async def _now(deps: SendDeps) -> UnixTime:
    return (await deps.chain.clock_bounds()).latest


def _checked(receipt: Receipt, wanted: Wanted) -> Receipt:
    if receipt.status is not TxStatus.SUCCEEDED:
        raise Refused("TX_REVERTED", f"the {wanted.purpose} transaction {receipt.tx_hash} was mined and refused")
    return receipt


def _raised(fees: Fees) -> Fees:
    """Return prices every node takes as a replacement: a quarter more, rounded up."""
    tip = Wei(fees.max_priority_fee_per_gas * 5 // 4 + 1)
    return Fees(max_fee_per_gas=Wei(max(fees.max_fee_per_gas * 5 // 4 + 1, tip)), max_priority_fee_per_gas=tip)


def _dearer(fees: Fees, other: Fees) -> Fees:
    return Fees(
        max_fee_per_gas=max(fees.max_fee_per_gas, other.max_fee_per_gas),
        max_priority_fee_per_gas=max(fees.max_priority_fee_per_gas, other.max_priority_fee_per_gas),
    )
