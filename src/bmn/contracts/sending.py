"""Send a person's transactions one after the other. Services with money at stake use the transaction manager."""

from typing import Final

from bmn.bindings.abi import decode_revert
from bmn.core.errors import Refused, TimedOut
from bmn.core.units import Address, Gas, Wei
from bmn.evm.client import ChainClient
from bmn.evm.failures import CallReverted
from bmn.evm.signer import Signer
from bmn.evm.tx import UnsignedTx, sign_tx
from bmn.evm.types import BlockTag, Receipt, TxStatus
from bmn.seams import Clock

_NO_WEI: Final = Wei(0)
_POLL: Final = 0.05


class OneByOne:
    """Sends for one account on one chain; each transaction is mined before the next is made."""

    def __init__(self, chain: ChainClient, signer: Signer, clock: Clock, *, within: float = 180.0) -> None:
        """Send as `signer`; wait at most `within` seconds for each."""
        self.chain = chain
        self.address = signer.address
        self._signer = signer
        self._clock = clock
        self._within = within

    async def send(self, to: Address, data: bytes = b"", value: Wei = _NO_WEI) -> Receipt:
        """Return the receipt of a transaction that took effect.

        Raises:
            Refused: TX_REVERTED, before or after sending; SEND_REFUSED by every endpoint.
            TimedOut: TX_NOT_MINED; it may still be mined, so look before trying again.
            ChainError: no usable answer.
        """
        try:
            gas = await self.chain.estimate_gas(sender=self.address, to=to, data=data, value=value)
        except CallReverted as error:
            raise Refused("TX_REVERTED", f"{to} refuses: {decode_revert(error.data)}") from error
        fees = await self.chain.fee_suggestion()
        signed = await sign_tx(
            self._signer,
            UnsignedTx(
                chain_id=await self.chain.chain_id(),
                nonce=await self.chain.nonce(self.address, BlockTag.HEAD),
                max_priority_fee_per_gas=fees.max_priority_fee_per_gas,
                max_fee_per_gas=fees.max_fee_per_gas,
                gas=Gas(gas * 5 // 4),
                to=to,
                value=value,
                data=data,
            ),
        )
        outcome = await self.chain.send_raw(signed.raw)
        if not outcome.is_in_flight:
            raise Refused("SEND_REFUSED", f"no endpoint took the transaction: {outcome.detail}")
        end = self._clock.monotonic() + self._within
        while (receipt := await self.chain.receipt(signed.hash)) is None:
            if self._clock.monotonic() >= end:
                raise TimedOut(
                    "TX_NOT_MINED",
                    f"transaction {signed.hash} was not mined within {self._within:g} s",
                    hint="it may still be mined: look it up before trying again",
                )
            await self._clock.sleep(_POLL)
        if receipt.status is TxStatus.REVERTED:
            raise Refused("TX_REVERTED", f"transaction {signed.hash} was mined and failed")
        return receipt
