"""What a key holds, and news of it."""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """What a key holds."""

    key: str
    value: bytes = field(repr=False)
    version: int
    """Rises with every change of the key."""
    tag: str | None
    """What else it is found by."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """A key has another value, or none."""

    key: str
    entry: Entry | None
    """None: it was deleted, or has expired."""
    version: int
    """Of the entry; for a deletion by another process, the last one seen before it."""
