"""What travels on the queues: typed, versioned bytes. Never a secret, a key or calldata.

Every message means: look at this swap. Its kind says why, and by that how urgent the look is and what a failure costs;
what is done follows from the facts alone, so a message that comes twice, late or never does no harm.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Final, TypeAlias

import msgspec

from bmn.core.units import Hashlock
from bmn.pg.errors import Undeliverable
from bmn.pg.policy import RetryPolicy
from bmn.pg.pool import Connection
from bmn.pg.queue import NewMessage, Priority, enqueue

DISCOVERY = "orders:discovery"
EXECUTION = "orders:execution"
MONITORING = "orders:monitoring"
CRITICAL = "orders:critical"
QUEUES = (CRITICAL, EXECUTION, MONITORING, DISCOVERY)
"""Most urgent first: what was begun goes before what is new."""

LARGEST: Final = 65_536
"""Bytes of the largest message that is read."""


class _OfSwap(msgspec.Struct, frozen=True, kw_only=True, tag_field="kind"):
    """A look at one swap. Fields of later versions are ignored, those of earlier ones have defaults."""

    hashlock: Annotated[str, msgspec.Meta(pattern="^0x[0-9a-f]{64}$")]
    """0x-hex."""


class NewOrder(_OfSwap, frozen=True, kw_only=True, tag="new_order@1"):
    """An order was accepted."""


class DeployDstEscrow(_OfSwap, frozen=True, kw_only=True, tag="deploy_dst_escrow@1"):
    """The source escrow was seen, or is final now."""


class MonitorSecret(_OfSwap, frozen=True, kw_only=True, tag="monitor_secret@1"):
    """Our destination escrow was seen, or is final now."""


class WithdrawSrcEscrow(_OfSwap, frozen=True, kw_only=True, tag="withdraw_src_escrow@1"):
    """The secret is known, or a window closes soon."""


class AdvanceSwap(_OfSwap, frozen=True, kw_only=True, tag="advance_swap@1"):
    """Anything else may have changed."""


Message: TypeAlias = NewOrder | DeployDstEscrow | MonitorSecret | WithdrawSrcEscrow | AdvanceSwap
Kind: TypeAlias = (
    type[NewOrder] | type[DeployDstEscrow] | type[MonitorSecret] | type[WithdrawSrcEscrow] | type[AdvanceSwap]
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """Where messages of a kind go, and what follows a failure."""

    queue: str
    priority: Priority
    policy: RetryPolicy


_ORDINARY: Final = RetryPolicy(first=0.2, longest=30.0)
ROUTES: Final[Mapping[Kind, Route]] = {
    NewOrder: Route(queue=DISCOVERY, priority=Priority.NORMAL, policy=_ORDINARY),
    # The only one that is given up: not locking is safe. The swap itself is looked at on by AdvanceSwap.
    DeployDstEscrow: Route(
        queue=EXECUTION,
        priority=Priority.NORMAL,
        policy=RetryPolicy(first=5.0, factor=2.0, longest=20.0, jitter=0.2, max_retries=3),
    ),
    MonitorSecret: Route(queue=MONITORING, priority=Priority.NORMAL, policy=_ORDINARY),
    WithdrawSrcEscrow: Route(queue=CRITICAL, priority=Priority.CRITICAL, policy=RetryPolicy(first=0.2, longest=5.0)),
    AdvanceSwap: Route(queue=EXECUTION, priority=Priority.NORMAL, policy=_ORDINARY),
}
_POLICIES: Final = {kind.__struct_config__.tag: route.policy for kind, route in ROUTES.items()}


async def wake_swap(conn: Connection, hashlock: Hashlock, why: Kind = AdvanceSwap, *, trace: str | None = None) -> None:
    """Have `hashlock` looked at soon; joins the caller's transaction. `trace` says, for people, where it comes from.

    Each queue holds at most one waiting message of a swap. Who wakes several in one transaction takes them in the order
    of their hashlocks, or two such could wait for each other.
    """
    route = ROUTES[why]
    message = NewMessage(
        queue=route.queue,
        kind=kind_of(why),
        payload=msgspec.json.encode(why(hashlock=str(hashlock))),
        priority=route.priority,
        key=bytes(hashlock),
        dedup=str(hashlock),
        max_attempts=route.policy.max_attempts,
        trace=trace,
    )
    await enqueue(conn, message)


def kind_of(kind: Kind) -> str:
    """Return the name and version of a kind, as it stands on the queue."""
    return str(kind.__struct_config__.tag)


def policy_of(kind: str) -> RetryPolicy:
    """Return the policy of messages of `kind`; a kind that this version does not know is not worked on anyway."""
    return _POLICIES.get(kind, _ORDINARY)


def decode_message(payload: bytes) -> Message:
    """Read a message.

    Raises:
        Undeliverable: `MESSAGE_TOO_LARGE`, `UNKNOWN_KIND` (of a later version perhaps), or `BAD_MESSAGE`.
    """
    if len(payload) > LARGEST:
        raise Undeliverable("MESSAGE_TOO_LARGE", f"a message of {len(payload)} bytes; the largest is {LARGEST}")
    try:
        message: Message = _DECODER.decode(payload)
    except msgspec.MsgspecError as error:
        if _is_unknown(payload):
            raise Undeliverable(
                "UNKNOWN_KIND",
                "the queue holds a kind of message that this version does not know",
                hint="retry it with the version that put it there",
            ) from error
        raise Undeliverable("BAD_MESSAGE", "the queue holds a message that this version cannot read") from error
    return message


class _Tagged(msgspec.Struct, frozen=True):
    kind: str


_DECODER: Final = msgspec.json.Decoder(Message)
_TAGGED: Final = msgspec.json.Decoder(_Tagged)


def _is_unknown(payload: bytes) -> bool:
    try:
        return _TAGGED.decode(payload).kind not in _POLICIES
    except msgspec.MsgspecError:
        return False
