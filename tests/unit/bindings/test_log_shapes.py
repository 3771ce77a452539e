from dataclasses import replace

import pytest
from tests.support.swap_values import A_SECRET, COMPLEMENT, IMMUTABLES, MAKER, TAKER, TOKEN, an_address

from bmn.bindings import escrow_logs
from bmn.bindings.escrow_logs import (
    DST_ESCROW_CREATED,
    DST_LOCKED,
    ESCROW_CANCELLED,
    ESCROW_WITHDRAWAL,
    SRC_ESCROW_CREATED,
    TRANSFER,
    DstEscrowCreated,
    DstLocked,
    EscrowCancelled,
    EscrowWithdrawal,
    RawLog,
    SrcEscrowCreated,
    Transfer,
    decode_log,
)
from bmn.core.immutables import encode_complement, encode_immutables
from bmn.core.units import TokenAmount
from bmn.core.words import encode_address, encode_uint

CREATED = RawLog(
    address=an_address(1),
    topics=(SRC_ESCROW_CREATED,),
    data=encode_immutables(IMMUTABLES) + encode_complement(COMPLEMENT),
)
DST_CREATED = RawLog(
    address=an_address(1),
    topics=(DST_ESCROW_CREATED,),
    data=encode_address(MAKER) + A_SECRET.hashlock + encode_address(TAKER),
)
MOVED = RawLog(
    address=TOKEN,
    topics=(TRANSFER, encode_address(MAKER), encode_address(TAKER)),
    data=encode_uint(5),
)
LOCKED = RawLog(
    address=TAKER,
    topics=(DST_LOCKED, A_SECRET.hashlock, encode_address(MAKER)),
    data=encode_immutables(IMMUTABLES),
)


def test_reads_the_events_of_a_swap() -> None:
    assert decode_log(CREATED) == SrcEscrowCreated(immutables=IMMUTABLES, complement=COMPLEMENT)
    assert decode_log(DST_CREATED) == DstEscrowCreated(escrow=MAKER, hashlock=A_SECRET.hashlock, taker=TAKER)
    assert decode_log(MOVED) == Transfer(sender=MAKER, receiver=TAKER, amount=TokenAmount(5))
    assert decode_log(LOCKED) == DstLocked(hashlock=A_SECRET.hashlock, escrow=MAKER, immutables=IMMUTABLES)


def test_a_cancellation_has_no_data() -> None:
    log = RawLog(address=MAKER, topics=(ESCROW_CANCELLED,), data=b"")
    assert decode_log(log) == EscrowCancelled()
    assert decode_log(replace(log, data=bytes(32))) is None


def test_a_withdrawal_does_not_print_its_secret() -> None:
    event = decode_log(RawLog(address=MAKER, topics=(ESCROW_WITHDRAWAL,), data=A_SECRET.reveal()))
    assert event == EscrowWithdrawal(secret=A_SECRET)
    assert A_SECRET.reveal().hex() not in repr(event)


@pytest.mark.parametrize("log", [CREATED, DST_CREATED, MOVED, LOCKED])
def test_another_length_is_no_event(log: RawLog) -> None:
    assert decode_log(replace(log, data=log.data[:-1])) is None
    assert decode_log(replace(log, data=log.data + b"\0")) is None


@pytest.mark.parametrize("log", [CREATED, DST_CREATED, MOVED, LOCKED])
def test_another_number_of_topics_is_no_event(log: RawLog) -> None:
    assert decode_log(replace(log, topics=(*log.topics, bytes(32)))) is None
    assert decode_log(replace(log, topics=log.topics[:-1])) is None


@pytest.mark.parametrize("log", [CREATED, DST_CREATED, LOCKED])
def test_dirty_padding_in_data_is_no_event(log: RawLog) -> None:
    start = log.data.index(encode_address(TAKER))
    dirty = log.data[:start] + b"\1" + log.data[start + 1 :]
    assert decode_log(log) is not None
    assert decode_log(replace(log, data=dirty)) is None


def test_dirty_padding_in_topics_is_no_event() -> None:
    dirty = b"\1" + encode_address(TAKER)[1:]
    assert decode_log(replace(MOVED, topics=(TRANSFER, encode_address(MAKER), dirty))) is None


def test_the_same_topic_of_another_factory_is_no_event() -> None:
    """BMN v1.1 indexes escrow and hashlock under the topic of v1."""
    indexed = RawLog(
        address=an_address(1),
        topics=(DST_ESCROW_CREATED, encode_address(MAKER), A_SECRET.hashlock),
        data=encode_address(TAKER),
    )
    assert decode_log(indexed) is None


def test_a_transfer_of_a_collectible_is_no_event() -> None:
    collectible = replace(MOVED, topics=(*MOVED.topics, encode_uint(5)), data=b"")
    assert decode_log(collectible) is None


def test_an_anonymous_log_is_no_event() -> None:
    assert decode_log(RawLog(address=MAKER, topics=(), data=b"")) is None
    assert decode_log(RawLog(address=MAKER, topics=(bytes(32),), data=b"")) is None


def test_every_topic_constant_is_decoded() -> None:
    topics = {value for value in vars(escrow_logs).values() if isinstance(value, bytes)}
    assert topics == {key[0] for key in escrow_logs._DECODERS}
