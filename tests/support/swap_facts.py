"""Builders of what a decision looks at, and every combination of it; change a value with `dataclasses.replace`."""

from collections.abc import Iterator
from dataclasses import replace
from itertools import product

from tests.support.swap_values import BORN, IMMUTABLES, TIMELOCKS, an_address

from bmn.core.facts import (
    ChainTime,
    ChainTimes,
    Ended,
    Ending,
    EscrowFacts,
    Facts,
    Intents,
    IntentState,
    LockRecord,
    OrderFacts,
    Refusal,
    SecretState,
    Seen,
)
from bmn.core.margins import ChainTiming, Margins
from bmn.core.swap import Policy
from bmn.core.timelocks import Stage
from bmn.core.units import BlockNumber, Seconds, UnixTime

CHAIN = ChainTiming(block_time=Seconds(1), depth=3, inclusion=Seconds(10), outage=Seconds(5))
MARGINS = Margins(
    src=CHAIN,
    dst=CHAIN,
    detect=Seconds(3),
    recovery=Seconds(5),
    skew=Seconds(5),
    min_reveal=Seconds(10),
    max_lock=Seconds(3600),
)
POLICY = Policy(margins=MARGINS, accepting=True)
EXPIRES = UnixTime(BORN + 3600)
LOCKED_AT = UnixTime(BORN + 20)
LOCKS = replace(TIMELOCKS, dst_cancellation=Seconds(160), dst_public_withdrawal=Seconds(80), deployed_at=BORN)
"""T_sw = BORN + 10, T_sc = BORN + 240; of an escrow born at LOCKED_AT: T_dw = BORN + 30, T_dc = BORN + 180."""
SHALLOW = Seen(block=BlockNumber(9), at=BORN, final=False)
FINAL = replace(SHALLOW, final=True)

SRC = EscrowFacts(address=an_address(20), immutables=replace(IMMUTABLES, timelocks=LOCKS), created=FINAL, ended=None)
DST = replace(
    SRC, address=an_address(21), immutables=replace(IMMUTABLES, timelocks=LOCKS.deployed(LOCKED_AT)), created=FINAL
)
T_SW, T_SC = SRC.opens_at(Stage.SRC_WITHDRAWAL), SRC.opens_at(Stage.SRC_CANCELLATION)
T_DW, T_DC = DST.opens_at(Stage.DST_WITHDRAWAL), DST.opens_at(Stage.DST_CANCELLATION)

FACTS = Facts(
    order=OrderFacts(expires_at=EXPIRES, gone=False),
    src=None,
    dst=None,
    lock_record=LockRecord.EMPTY_FINAL,
    secret=SecretState.UNKNOWN,
    intents=Intents(),
    refusal=None,
)
SRC_LIVE = replace(FACTS, src=SRC, intents=Intents(fill=IntentState.DONE))
BOTH_LIVE = replace(
    SRC_LIVE, dst=DST, lock_record=LockRecord.SET, intents=Intents(fill=IntentState.DONE, lock=IntentState.DONE)
)


def a_time(earliest: int, latest: int | None = None, *, fresh: bool = True) -> ChainTime:
    return ChainTime(earliest=UnixTime(earliest), latest=UnixTime(earliest if latest is None else latest), fresh=fresh)


def at(time: int) -> ChainTimes:
    """Both chains agree."""
    return ChainTimes(src=a_time(time), dst=a_time(time))


def ended(escrow: EscrowFacts, how: Ending, *, final: bool) -> EscrowFacts:
    return replace(escrow, ended=Ended(how=how, seen=FINAL if final else SHALLOW))


def escrows(escrow: EscrowFacts) -> list[EscrowFacts]:
    """Every life an escrow can have."""
    live = [replace(escrow, created=SHALLOW), escrow]
    return live + [ended(escrow, how, final=final) for how, final in product(Ending, (False, True))]


def around(*times: int) -> list[ChainTime]:
    """One second before, at and after each time, agreed by all endpoints; and endpoints that disagree across it."""
    agreed = sorted({time + step for time in times for step in (-1, 0, 1)})
    return [a_time(time) for time in agreed] + [a_time(time - 1, time + 1) for time in times]


_STATES = (IntentState.NONE, IntentState.PENDING, IntentState.MINED)
"""One of each kind, where only the kind counts; the property tests take all seven."""
_SRC_TIMES = around(
    T_SW,
    T_SC - MARGINS.required // 2,
    T_SC - CHAIN.inclusion,
    T_SC,
)
_DST_TIMES = around(T_DW, T_DC - MARGINS.pay_budget, T_DC)
_LOCK_END = T_SC - MARGINS.required - LOCKS.dst_cancellation


def before_fill() -> Iterator[tuple[Facts, ChainTimes]]:
    times = around(EXPIRES - CHAIN.inclusion, EXPIRES)
    for fill, lock, record, gone, secret, time, expires in product(
        IntentState, IntentState, LockRecord, (False, True), SecretState, times, (EXPIRES, UnixTime(0))
    ):
        intents = Intents(fill=fill, lock=lock)
        order = OrderFacts(expires_at=expires, gone=gone)
        facts = replace(FACTS, order=order, lock_record=record, secret=secret, intents=intents)
        yield facts, ChainTimes(src=time, dst=time)


def before_lock() -> Iterator[tuple[Facts, ChainTimes]]:
    dst_times = around(_LOCK_END - CHAIN.inclusion, _LOCK_END)
    for src, lock, record, secret, refusal, now_src, now_dst in product(
        escrows(SRC),
        IntentState,
        LockRecord,
        SecretState,
        (None, Refusal.TOKEN_BALANCE_MISSING),
        around(_LOCK_END - CHAIN.inclusion, T_SC - MARGINS.required, T_SC),
        dst_times,
    ):
        intents = Intents(fill=IntentState.DONE, lock=lock)
        facts = replace(SRC_LIVE, src=src, lock_record=record, secret=secret, refusal=refusal, intents=intents)
        yield facts, ChainTimes(src=now_src, dst=now_dst)


def source_gone() -> Iterator[tuple[Facts, ChainTimes]]:
    for dst, fill, pay, claim, gone, secret, now_src, now_dst in product(
        escrows(DST), IntentState, _STATES, _STATES, (False, True), SecretState, around(EXPIRES), around(T_DC)
    ):
        intents = Intents(fill=fill, lock=IntentState.DONE, pay=pay, claim=claim)
        order = OrderFacts(expires_at=EXPIRES, gone=gone)
        facts = replace(BOTH_LIVE, src=None, dst=dst, order=order, secret=secret, intents=intents)
        yield facts, ChainTimes(src=now_src, dst=now_dst)


def both_there() -> Iterator[tuple[Facts, ChainTimes]]:
    for src, dst, secret, pay, claim, now_src, now_dst in product(
        escrows(SRC), escrows(DST), SecretState, _STATES, _STATES, _SRC_TIMES, _DST_TIMES
    ):
        intents = Intents(fill=IntentState.DONE, lock=IntentState.DONE, pay=pay, claim=claim)
        facts = replace(BOTH_LIVE, src=src, dst=dst, secret=secret, intents=intents)
        yield facts, ChainTimes(src=now_src, dst=now_dst)


def withdrawn(escrow: EscrowFacts | None) -> bool:
    return escrow is not None and escrow.ended is not None and escrow.ended.how is Ending.WITHDRAWN


def contradicts(facts: Facts) -> bool:
    """Withdrawn with a secret nobody knows."""
    return facts.secret is SecretState.UNKNOWN and (withdrawn(facts.src) or withdrawn(facts.dst))
