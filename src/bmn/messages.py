"""What travels on the queues: typed, versioned bytes. Never a secret, a key or calldata."""

from typing import TypeAlias

import msgspec

from bmn.core.errors import PermanentError
from bmn.core.units import Hashlock
from bmn.pg.pool import Connection
from bmn.pg.queue import NewMessage, Priority, enqueue

DISCOVERY = "orders:discovery"
EXECUTION = "orders:execution"
MONITORING = "orders:monitoring"
CRITICAL = "orders:critical"
QUEUES = (CRITICAL, EXECUTION, DISCOVERY, MONITORING)


class AdvanceSwap(msgspec.Struct, frozen=True, tag="advance_swap@1", tag_field="kind"):
    """Look at one swap and do what is to be done now."""

    hashlock: str
    """0x-hex."""


Message: TypeAlias = AdvanceSwap


async def wake_swap(conn: Connection, hashlock: Hashlock, *, urgent: bool = False, new: bool = False) -> None:
    """Have `hashlock` looked at soon; joins the caller's transaction. `urgent` overtakes everything else.

    Never given up: value may be locked behind it.
    """
    queue = CRITICAL if urgent else DISCOVERY if new else EXECUTION
    message = NewMessage(
        queue=queue,
        kind="advance_swap@1",
        payload=msgspec.json.encode(AdvanceSwap(hashlock=str(hashlock))),
        priority=Priority.CRITICAL if urgent else Priority.NORMAL,
        key=bytes(hashlock),
        dedup=str(hashlock),
    )
    await enqueue(conn, message)


def decode_message(payload: bytes) -> Message:
    """Read a message.

    Raises:
        PermanentError: `BAD_MESSAGE`, not a message of this version.
    """
    try:
        return msgspec.json.decode(payload, type=AdvanceSwap)
    except msgspec.MsgspecError as error:
        raise PermanentError("BAD_MESSAGE", "the queue holds a message this version cannot read") from error
