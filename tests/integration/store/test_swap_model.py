"""Writers that read, wait and write in any order, against a model of one swap: compare-and-set and nothing else."""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TypeAlias

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.support.postgres import fresh_database
from tests.support.stored_swaps import put_swap

from bmn.core.errors import InvariantViolation, TransientError
from bmn.core.moves import may_follow
from bmn.core.swap import Decision, State
from bmn.core.units import Hashlock, Secret
from bmn.pg.pool import Pool, connection, open_pool, transaction
from bmn.store.history import find_fault, load_history
from bmn.store.swaps import StoredSwap, load_swap, save_decision

WRITERS = 3


@dataclass(frozen=True)
class Read:
    writer: int


@dataclass(frozen=True)
class Write:
    writer: int
    state: State
    reason: str


Step: TypeAlias = Read | Write
STEPS: st.SearchStrategy[Step] = st.builds(Read, st.integers(0, WRITERS - 1)) | st.builds(
    Write, st.integers(0, WRITERS - 1), st.sampled_from(State), st.sampled_from("AB")
)


@pytest.fixture(scope="module")
def dsn(postgres: str, store_template: str) -> Iterator[str]:
    with fresh_database(postgres, template=store_template) as address:
        yield address


@dataclass
class Model:
    """What must come out."""

    state: State = State.ACCEPTED
    reason: str = "ORDER_ACCEPTED"
    version: int = 1
    told: list[tuple[int, State, str, str]] = field(default_factory=list)

    def write(self, seen: StoredSwap, step: Write) -> str:
        if not may_follow(seen.state, step.state):
            return "ILLEGAL_MOVE"
        if seen.version != self.version:
            return "SWAP_CHANGED"
        if (step.state, step.reason) == (self.state, self.reason):
            return "SAME"
        self.state, self.reason, self.version = step.state, step.reason, self.version + 1
        self.told.append((self.version, step.state, step.reason, f"writer {step.writer}"))
        return "CHANGED"


async def write(pool: Pool, seen: StoredSwap, step: Write) -> str:
    decision = Decision(state=step.state, actions=(), reason=step.reason)
    try:
        async with transaction(pool) as conn:
            changed = await save_decision(conn, seen, decision, actor=f"writer {step.writer}")
    except (TransientError, InvariantViolation) as error:
        return error.code
    return "CHANGED" if changed else "SAME"


async def read(pool: Pool, hashlock: Hashlock) -> StoredSwap:
    async with connection(pool) as conn:
        swap = await load_swap(conn, hashlock)
    assert swap is not None
    return swap


async def play(dsn: str, number: int, steps: list[Step]) -> None:
    async with open_pool(dsn, size=1) as pool:
        terms = await put_swap(pool, number, secret=Secret(number.to_bytes(32, "big")))
        model, seen = Model(), [await read(pool, terms.hashlock)] * WRITERS
        for step in steps:
            if isinstance(step, Read):
                seen[step.writer] = await read(pool, terms.hashlock)
                continue
            expected = model.write(seen[step.writer], step)
            assert await write(pool, seen[step.writer], step) == expected
        swap = await read(pool, terms.hashlock)
        async with connection(pool) as conn:
            history = await load_history(conn, terms.hashlock)
    assert (swap.state, swap.reason, swap.version) == (model.state, model.reason, model.version)
    assert [(event.version, event.after, event.reason, event.actor) for event in history[1:]] == model.told
    assert find_fault(swap, history) is None


numbers = iter(range(1, 10_000))


@given(steps=st.lists(STEPS, max_size=25))
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_interleaving_of_writers_is_compare_and_set_with_a_whole_history(dsn: str, steps: list[Step]) -> None:
    asyncio.run(play(dsn, next(numbers), steps))
