"""What is done with an order on our engine: created with its first message, then moved on step by step."""

import time

import msgspec

from bench.state.orders import STEPS, Order, decode_order, encode_order, make_order, order_id
from bench.state.rig import QUEUE
from bmn.core.errors import InvariantViolation, TransientError
from bmn.pg.entries import Entry
from bmn.pg.kv import Check, Commit, Kv, Set
from bmn.pg.queue import Claimed, NewMessage

LAST_STEP = len(STEPS) - 2


class Step(msgspec.Struct, frozen=True, omit_defaults=True):
    """What travels on the queue."""

    id: str
    step: int
    chain: bool = False
    """Whether the step puts the next one on the queue."""
    began: float | None = None
    """When the commit began that sent it, in seconds of the machine's monotonic clock."""


def key_of(order: str) -> str:
    """Return the key of the order with this id."""
    return f"orders/{order}"


def message_of(step: Step) -> NewMessage:
    """Build the message; one order is worked on by one worker at a time, as with the swaps of production."""
    return NewMessage(
        queue=QUEUE,
        kind="step@1",
        payload=msgspec.json.encode(step),
        key=bytes.fromhex(step.id[2:]),
        dedup=step.id,
    )


def step_of(claimed: Claimed) -> Step:
    """Read a message of `message_of`."""
    return msgspec.json.decode(claimed.payload, type=Step)


async def create_order(kv: Kv, number: int, *, chain: bool = False, timed: bool = False) -> str:
    """Store order `number`, findable by its status, and its first message, in one commit; return its id."""
    began = time.perf_counter() if timed else None
    order = make_order(number)
    key = key_of(order["id"])
    stored = await kv.commit(
        Commit(
            checks=(Check(key=key, version=None),),
            changes=(Set(key=key, value=encode_order(order), tag=order["status"]),),
            messages=(message_of(Step(id=order["id"], step=0, chain=chain, began=began)),),
        )
    )
    if stored is None:
        raise InvariantViolation("EXISTS", f"order {number} was there already")
    return order_id(number)


async def advance(kv: Kv, claimed: Claimed, step: Step) -> None:
    """Do one step: read, check, store the next status and version, end the message, perhaps send the next one."""
    entry = await kv.get(key_of(step.id))
    order = decode_order(found(entry).value)
    if order["status"] != STEPS[step.step]:  # a redelivery: already done
        await kv.commit(Commit(finishes=(claimed,)))
        return
    moved = moved_on(order, step.step + 1)
    further = step.chain and step.step < LAST_STEP
    done = await kv.commit(
        Commit(
            checks=(Check(key=found(entry).key, version=found(entry).version),),
            changes=(Set(key=found(entry).key, value=encode_order(moved), tag=moved["status"]),),
            messages=(message_of(Step(id=step.id, step=step.step + 1, chain=True)),) if further else (),
            finishes=(claimed,),
        )
    )
    if done is None:
        raise TransientError("ORDER_CHANGED", f"order {step.id} changed during the step")


def moved_on(order: Order, step: int) -> Order:
    """Return the order in the state that `step` leads to, one version later."""
    return {**order, "status": STEPS[step], "version": order["version"] + 1, "updatedAt": int(time.time() * 1000)}


def found(entry: Entry | None) -> Entry:
    """Return the entry.

    Raises:
        InvariantViolation: `ORDER_MISSING`.
    """
    if entry is None:
        raise InvariantViolation("ORDER_MISSING", "an order that was stored is not there")
    return entry
