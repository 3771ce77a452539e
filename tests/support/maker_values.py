"""A maker for tests: his vault, terms of an order, and randomness that repeats."""

from pathlib import Path

from tests.support.api_values import CONTRACTS, DST, SPECS, SRC
from tests.support.swap_values import BORN

from bmn.core.chain import ChainSpec
from bmn.core.timelocks import Timelocks
from bmn.core.units import Address, BlockNumber, Seconds, TokenAmount, UnixTime, Wei
from bmn.evm.signer import LocalSigner
from bmn.maker.create import OrderTerms
from bmn.maker.vault import KEY_PURPOSE, Vault
from bmn.seams import SystemRng
from bmn.store.sealing import Sealer

A_KEY = LocalSigner(b"\x11" * 32)

TIMELOCKS = Timelocks(
    src_withdrawal=Seconds(0),
    src_public_withdrawal=Seconds(3000),
    src_cancellation=Seconds(4000),
    src_public_cancellation=Seconds(5000),
    dst_withdrawal=Seconds(0),
    dst_public_withdrawal=Seconds(1000),
    dst_cancellation=Seconds(2000),
)


def a_vault(home: Path, signer: LocalSigner = A_KEY) -> Vault:
    return Vault(home, Sealer(signer.derive_key(KEY_PURPOSE), SystemRng()))


def some_terms(
    src: ChainSpec = SPECS[SRC],
    dst: ChainSpec = SPECS[DST],
    token: Address = CONTRACTS.access_token,
    start: UnixTime = BORN,
) -> OrderTerms:
    return OrderTerms(
        src=src,
        dst=dst,
        src_token=token,
        dst_token=token,
        making_amount=TokenAmount(1000),
        taking_amount=TokenAmount(990),
        timelocks=TIMELOCKS,
        src_deposit=Wei(10),
        dst_deposit=Wei(20),
        expires_at=UnixTime(0),
        resolving_start=start,
        src_block=BlockNumber(0),
        dst_block=BlockNumber(0),
    )
