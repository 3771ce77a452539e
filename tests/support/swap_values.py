"""Small builders of orders, immutables and timelocks for tests; change a value with `dataclasses.replace`."""

from bmn.core.escrow_order import EscrowOrder, ExtraDataArgs, FillKind, PostInteraction, WhitelistEntry
from bmn.core.immutables import DstComplement, Immutables
from bmn.core.timelocks import Timelocks
from bmn.core.units import (
    ZERO_ADDRESS,
    Address,
    ChainId,
    Hash32,
    Hashlock,
    OrderHash,
    Seconds,
    Secret,
    TokenAmount,
    UnixTime,
    Wei,
)


def an_address(number: int) -> Address:
    return Address.from_word(0xA << 156 | number)


A_SECRET = Secret(bytes(range(32)))
BORN = UnixTime(1_800_000_000)
MAKER, TAKER, TOKEN, FACTORY = (an_address(number) for number in range(1, 5))

TIMELOCKS = Timelocks(
    src_withdrawal=Seconds(10),
    src_public_withdrawal=Seconds(120),
    src_cancellation=Seconds(240),
    src_public_cancellation=Seconds(360),
    dst_withdrawal=Seconds(10),
    dst_public_withdrawal=Seconds(100),
    dst_cancellation=Seconds(200),
    deployed_at=BORN,
)

IMMUTABLES = Immutables(
    order_hash=OrderHash(b"\x0a" * 32),
    hashlock=A_SECRET.hashlock,
    maker=MAKER,
    taker=TAKER,
    token=TOKEN,
    amount=TokenAmount(10**18),
    safety_deposit=Wei(10**15),
    timelocks=TIMELOCKS,
)

COMPLEMENT = DstComplement(
    maker=an_address(11),
    amount=TokenAmount(99),
    token=an_address(12),
    safety_deposit=Wei(7),
    chain_id=ChainId(10),
)

ESCROW_ORDER = EscrowOrder(
    kind=FillKind.SINGLE,
    maker=MAKER,
    receiver=ZERO_ADDRESS,
    maker_asset=TOKEN,
    taker_asset=an_address(5),
    making_amount=TokenAmount(10**18),
    taking_amount=TokenAmount(10**6),
    post_interaction=PostInteraction(
        factory=FACTORY,
        resolving_start=BORN,
        whitelist=(WhitelistEntry(low_bits=TAKER.word & (1 << 80) - 1, delay=Seconds(0)),),
        extra=ExtraDataArgs(
            hashlock_info=Hash32(Hashlock(A_SECRET.hashlock)),
            dst_chain_id=ChainId(10),
            dst_token=an_address(12),
            src_safety_deposit=Wei(1),
            dst_safety_deposit=Wei(2),
            timelocks=TIMELOCKS.deployed(UnixTime(0)),
        ),
    ),
    salt_base=5,
    nonce=6,
    expiration=UnixTime(BORN + 3600),
)
