"""Which logs of other factories are read, and what is answered for those that are not."""

from dataclasses import replace

import pytest
from tests.support.swap_values import A_SECRET, COMPLEMENT, IMMUTABLES, MAKER, TAKER, an_address

from bmn.bindings.abi import topic
from bmn.bindings.escrow_logs import (
    DST_ESCROW_CREATED,
    DST_LOCKED,
    ESCROW_CANCELLED,
    ESCROW_WITHDRAWAL,
    FUNDS_RESCUED,
    ORDER_CANCELLED,
    ORDER_FILLED,
    SRC_ESCROW_CREATED,
    TRANSFER,
    DstEscrowCreated,
    EscrowCancelled,
    EscrowWithdrawal,
    FundsRescued,
    OrderCancelled,
    OrderFilled,
    RawLog,
    Transfer,
)
from bmn.bindings.variant_interfaces import Named
from bmn.bindings.variant_logs import Unreadable, decode_variant_log
from bmn.bindings.variants import Variant
from bmn.core.immutables import encode_complement, encode_immutables
from bmn.core.units import OrderHash, TokenAmount
from bmn.core.words import encode_address, encode_uint

ORDER = OrderHash(b"\x0b" * 32)
INDEXED = RawLog(
    address=an_address(1),
    topics=(DST_ESCROW_CREATED, encode_address(MAKER), A_SECRET.hashlock),
    data=encode_address(TAKER),
)
PLAIN = RawLog(
    address=an_address(1),
    topics=(DST_ESCROW_CREATED,),
    data=encode_address(MAKER) + A_SECRET.hashlock + encode_address(TAKER),
)
SRC = RawLog(
    address=an_address(1),
    topics=(SRC_ESCROW_CREATED,),
    data=encode_immutables(IMMUTABLES) + encode_complement(COMPLEMENT),
)


def _log(data: bytes, *topics: bytes) -> RawLog:
    return RawLog(address=an_address(1), topics=topics, data=data)


@pytest.mark.parametrize("variant", Variant)
def test_the_end_of_a_swap_looks_the_same_everywhere(variant: Variant) -> None:
    read = [
        decode_variant_log(variant, log)
        for log in (
            _log(A_SECRET.reveal(), ESCROW_WITHDRAWAL),
            _log(b"", ESCROW_CANCELLED),
            _log(encode_address(TAKER) + encode_uint(5), FUNDS_RESCUED),
            _log(ORDER + encode_uint(5), ORDER_FILLED),
            _log(ORDER, ORDER_CANCELLED),
            _log(encode_uint(5), TRANSFER, encode_address(MAKER), encode_address(TAKER)),
        )
    ]
    assert read == [
        EscrowWithdrawal(secret=A_SECRET),
        EscrowCancelled(),
        FundsRescued(token=TAKER, amount=TokenAmount(5)),
        OrderFilled(order_hash=ORDER, remaining=TokenAmount(5)),
        OrderCancelled(order_hash=ORDER),
        Transfer(sender=MAKER, receiver=TAKER, amount=TokenAmount(5)),
    ]


def test_one_topic_is_read_by_the_number_of_topics_that_the_variant_has() -> None:
    made = DstEscrowCreated(escrow=MAKER, hashlock=A_SECRET.hashlock, taker=TAKER)
    assert decode_variant_log(Variant.BMN_V1_0, PLAIN) == made
    assert decode_variant_log(Variant.BMN_V1_1, INDEXED) == made
    assert decode_variant_log(Variant.BMN_V1_0, INDEXED) is Unreadable.TOPIC_COUNT
    assert decode_variant_log(Variant.BMN_V1_1, PLAIN) is Unreadable.TOPIC_COUNT


def test_a_creation_of_another_variant_is_unknown() -> None:
    assert decode_variant_log(Variant.BMN_V1_1, SRC) is Unreadable.UNKNOWN_EVENT
    assert decode_variant_log(Variant.BMN_V2_3, SRC) is Unreadable.UNKNOWN_EVENT
    assert decode_variant_log(Variant.BMN_V4_0, PLAIN) is Unreadable.UNKNOWN_EVENT


@pytest.mark.parametrize("variant", Variant)
def test_our_own_locks_are_not_read_as_anyone_elses(variant: Variant) -> None:
    lock = _log(encode_immutables(IMMUTABLES), DST_LOCKED, A_SECRET.hashlock, encode_address(MAKER))
    assert decode_variant_log(variant, lock) is Unreadable.UNKNOWN_EVENT


@pytest.mark.parametrize(
    ("variant", "log"), [(Variant.BMN_V1_0, SRC), (Variant.BMN_V1_0, PLAIN), (Variant.BMN_V1_1, INDEXED)]
)
def test_short_long_and_dirty_data_are_bad(variant: Variant, log: RawLog) -> None:
    assert decode_variant_log(variant, replace(log, data=log.data[:-1])) is Unreadable.BAD_DATA
    assert decode_variant_log(variant, replace(log, data=log.data + b"\0")) is Unreadable.BAD_DATA
    assert decode_variant_log(variant, replace(log, data=b"")) is Unreadable.BAD_DATA
    at = log.data.index(encode_address(TAKER))
    dirty = log.data[:at] + b"\1" + log.data[at + 1 :]
    assert decode_variant_log(variant, replace(log, data=dirty)) is Unreadable.BAD_DATA


def test_a_dirty_topic_is_bad() -> None:
    dirty = replace(INDEXED, topics=(DST_ESCROW_CREATED, b"\1" + encode_address(MAKER)[1:], A_SECRET.hashlock))
    assert decode_variant_log(Variant.BMN_V1_1, dirty) is Unreadable.BAD_DATA


def test_a_creation_whose_parameters_are_all_topics_has_no_data() -> None:
    first = topic("DstEscrowCreated(address,bytes32,address)")
    log = _log(b"", first, encode_address(MAKER), A_SECRET.hashlock, encode_address(TAKER))
    made = DstEscrowCreated(escrow=MAKER, hashlock=A_SECRET.hashlock, taker=TAKER)
    assert decode_variant_log(Variant.BMN_V2_3, log) == made
    assert decode_variant_log(Variant.BMN_V2_3, replace(log, data=bytes(32))) is Unreadable.BAD_DATA


def test_a_shared_event_is_refused_for_its_topics_or_for_its_data() -> None:
    short = _log(A_SECRET.reveal()[:-1], ESCROW_WITHDRAWAL)
    assert decode_variant_log(Variant.BMN_V4_0, short) is Unreadable.BAD_DATA
    indexed = _log(b"", ESCROW_WITHDRAWAL, A_SECRET.reveal())
    assert decode_variant_log(Variant.BMN_V4_0, indexed) is Unreadable.TOPIC_COUNT


def test_an_event_without_a_type_of_its_own_is_named() -> None:
    removed = _log(b"", topic("MakerRemoved(address)"), encode_address(MAKER))
    assert decode_variant_log(Variant.BMN_V2_3, removed) == Named(name="MakerRemoved", arguments=(MAKER,))
    assert decode_variant_log(Variant.BMN_V1_0, removed) is Unreadable.UNKNOWN_EVENT
    epoch = _log(
        encode_uint(3) + encode_uint(4), topic("EpochIncreased(address,uint256,uint256)"), encode_address(MAKER)
    )
    assert decode_variant_log(Variant.BMN_ORDER_PROTOCOL_V1, epoch) == Named(
        name="EpochIncreased", arguments=(MAKER, 3, 4)
    )


def test_a_named_event_with_bad_data_or_topics_is_refused() -> None:
    first = topic("EmergencyPause(bool)")
    assert decode_variant_log(Variant.BMN_V2_3, _log(encode_uint(1), first)) == Named(
        name="EmergencyPause", arguments=(True,)
    )
    assert decode_variant_log(Variant.BMN_V2_3, _log(encode_uint(2), first)) is Unreadable.BAD_DATA
    assert decode_variant_log(Variant.BMN_V2_3, _log(b"", first, encode_uint(1))) is Unreadable.TOPIC_COUNT


def test_an_anonymous_log_is_unknown() -> None:
    assert decode_variant_log(Variant.ONE_INCH_V1, _log(b"")) is Unreadable.UNKNOWN_EVENT
