"""Which swaps the timelock monitor wakes, by chain time."""

import random
from dataclasses import replace

import pytest
from tests.support.swap_values import BORN, TIMELOCKS

from bmn.core.swap import State
from bmn.core.timelocks import Stage
from bmn.core.units import ChainId, Hashlock, OrderHash, Seconds, UnixTime
from bmn.core.windows import Side
from bmn.jobs.timelock_monitor import AT_STAKE, NEAR, judge
from bmn.messages import AdvanceSwap, Kind, WithdrawSrcEscrow
from bmn.store.deadlines import OpenEscrow
from bmn.store.swaps import DueSwap, StoredSwap

SRC, DST = ChainId(1), ChainId(2)
ONE = Hashlock(bytes(32))
FAR_APART = replace(
    TIMELOCKS,
    src_withdrawal=Seconds(1000),
    src_public_withdrawal=Seconds(2000),
    src_cancellation=Seconds(3000),
    src_public_cancellation=Seconds(4000),
    dst_withdrawal=Seconds(1000),
    dst_public_withdrawal=Seconds(1500),
    dst_cancellation=Seconds(2500),
)


def an_escrow(state: State = State.DST_LIVE, side: Side = Side.SRC, hashlock: Hashlock = ONE) -> OpenEscrow:
    chain = SRC if side is Side.SRC else DST
    return OpenEscrow(hashlock=hashlock, state=state, chain_id=chain, side=side, timelocks=FAR_APART)


def due(state: State) -> DueSwap:
    swap = StoredSwap(
        hashlock=ONE,
        order_hash=OrderHash(bytes(32)),
        number=1,
        src_chain=SRC,
        dst_chain=DST,
        state=state,
        reason="X",
        version=1,
        reveal_until=None,
    )
    return DueSwap(swap=swap, due_at=UnixTime(0))


@pytest.mark.parametrize(
    ("state", "why"),
    [
        (State.ACCEPTED, AdvanceSwap),
        (State.DST_LIVE, AdvanceSwap),
        *((state, WithdrawSrcEscrow) for state in State if state in AT_STAKE),
    ],
)
def test_a_deadline_is_critical_when_a_claim_or_a_refund_comes_next(state: State, why: Kind) -> None:
    assert judge([due(state)], [], {}, set()) == {ONE: why}


@pytest.mark.parametrize("side", list(Side))
@pytest.mark.parametrize("distance", [-NEAR, 0, NEAR])
def test_a_swap_is_woken_from_a_minute_before_its_window_to_a_minute_after(side: Side, distance: int) -> None:
    escrow = an_escrow(side=side)
    cancellation = Stage.SRC_CANCELLATION if side is Side.SRC else Stage.DST_CANCELLATION
    opens_at = FAR_APART.opens_at(cancellation)
    assert judge([], [escrow], {escrow.chain_id: UnixTime(opens_at + distance)}, set()) == {ONE: WithdrawSrcEscrow}
    beyond = distance + (1 if distance > 0 else -1)
    if distance:
        assert judge([], [escrow], {escrow.chain_id: UnixTime(opens_at + beyond)}, set()) == {}


def test_a_withdrawal_window_is_critical_only_with_something_at_stake() -> None:
    at = {SRC: FAR_APART.opens_at(Stage.SRC_WITHDRAWAL)}
    assert judge([], [an_escrow()], at, set()) == {ONE: AdvanceSwap}
    assert judge([], [an_escrow(State.SECRET_PUBLIC)], at, set()) == {ONE: WithdrawSrcEscrow}


def test_critical_wins_over_ordinary() -> None:
    at = {SRC: FAR_APART.opens_at(Stage.SRC_CANCELLATION), DST: FAR_APART.opens_at(Stage.DST_WITHDRAWAL)}
    both = [an_escrow(), an_escrow(side=Side.DST)]
    assert judge([], both, at, set()) == judge([due(State.DST_LIVE)], both[::-1], at, set()) == {ONE: WithdrawSrcEscrow}


@pytest.mark.parametrize(("times", "silent"), [({}, set()), ({SRC: UnixTime(BORN + 1)}, {SRC})])
def test_a_chain_whose_time_is_not_known_wakes_all_its_swaps(
    times: dict[ChainId, UnixTime], silent: set[ChainId]
) -> None:
    assert judge([], [an_escrow()], times, silent) == {ONE: AdvanceSwap}


def test_no_window_of_ten_thousand_swaps_is_missed_whatever_the_wall_clock_says() -> None:
    """Looks come every ten wall seconds; the chains' clocks run slower or faster, and apart, and jump by blocks."""
    chance = random.Random(7)
    escrows = []
    for number in range(10_000):
        side = chance.choice(list(Side))
        locks = replace(FAR_APART, deployed_at=UnixTime(BORN + chance.randrange(500)))
        escrows.append(replace(an_escrow(side=side, hashlock=Hashlock.from_word(number)), timelocks=locks))
    times = {SRC: BORN, DST: UnixTime(BORN + 400)}
    seen: dict[Hashlock, list[tuple[int, Kind]]] = {escrow.hashlock: [] for escrow in escrows}
    while min(times.values()) < BORN + 4000:
        for hashlock, why in judge([], escrows, times, set()).items():
            chain = escrows[hashlock.word].chain_id
            seen[hashlock].append((times[chain], why))
        times = {
            SRC: UnixTime(times[SRC] + chance.choice([12, 24, 36])),  # now and then a block is skipped
            DST: UnixTime(times[DST] + chance.randrange(5, 20)),
        }
    for escrow in escrows:
        closing = Stage.SRC_CANCELLATION if escrow.side is Side.SRC else Stage.DST_CANCELLATION
        opens_at = escrow.timelocks.opens_at(closing)
        looks = [at - opens_at for at, why in seen[escrow.hashlock] if why is WithdrawSrcEscrow]
        assert any(look < 0 for look in looks), "looked at before it closes"
        assert any(0 <= look < 36 for look in looks), "and with the first look after"
