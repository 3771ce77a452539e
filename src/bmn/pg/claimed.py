"""A message in the hands of one worker."""

import asyncio
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class Claimed:
    """A message that is ours until its lease ends. Its payload may be secret to logs and does not print."""

    id: int
    queue: str
    kind: str
    priority: int
    key: bytes | None
    """No two messages of one key are worked on at the same time."""
    payload: bytes = field(repr=False)
    dedup: str | None
    attempts: int
    """Claims so far, this one included."""
    max_attempts: int | None
    """None: never given up."""
    token: int
    """Fences the finish: a later owner has another one."""
    trace: str | None
    finished: asyncio.Event = field(default_factory=asyncio.Event, repr=False, compare=False)
    """Set by `finish`, so that a handler which forgets it is found out."""
