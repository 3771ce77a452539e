"""Reads calls, events and errors of any contract of a variant, by the tables of its interface."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cache

from bmn.bindings.abi import selector, topic
from bmn.bindings.codec import Value, decode, split_types
from bmn.bindings.variant_tables import INTERFACES
from bmn.bindings.variants import Variant


class EntryKind(StrEnum):
    """What an entry of an interface is."""

    FUNCTION = "function"
    EVENT = "event"
    ERROR = "error"


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One function, event or error."""

    kind: EntryKind
    signature: str
    """`name(types)`, without spaces."""
    indexed: tuple[bool, ...] = ()
    """Of an event: which parameters are topics."""

    @property
    def name(self) -> str:
        """Before the parenthesis."""
        return self.signature[: self.signature.index("(")]

    @property
    def types(self) -> str:
        """The parenthesis."""
        return self.signature[self.signature.index("(") :]


@dataclass(frozen=True, slots=True, kw_only=True)
class Named:
    """A call, event or error in plain values: for people, and for decoders of the few that matter."""

    name: str
    arguments: tuple[Value, ...] = field(repr=False)
    """In the order of the signature. Not printed: a withdrawal's first one is the secret."""


def contracts_with(variant: Variant, entry: Entry) -> tuple[str, ...]:
    """Return the variant's contracts that have the entry."""
    return tuple(name for name, entries in _interfaces(variant).items() if entry in entries)


def decode_call(variant: Variant, data: bytes) -> Named | None:
    """Read calldata for a contract of the variant; None for a function it does not have.

    Raises:
        BadInput: BAD_ABI: the arguments are not what the function takes.
    """
    return _decode_selected(variant, EntryKind.FUNCTION, data)


def decode_error(variant: Variant, data: bytes) -> Named | None:
    """Read why a contract of the variant reverted; None for an error it does not have.

    Raises:
        BadInput: BAD_ABI: the arguments are not what the error has.
    """
    return _decode_selected(variant, EntryKind.ERROR, data)


def decode_event(variant: Variant, topics: tuple[bytes, ...], data: bytes) -> Named | None:
    """Read a log of a contract of the variant; None for an event it does not have with that many topics.

    Raises:
        BadInput: BAD_ABI: topics or data are not what the event has.
    """
    entry = _events(variant).get((topics[0], len(topics))) if topics else None
    if entry is None:
        return None
    kinds = split_types(entry.types)
    words = iter(topics[1:])
    plain = iter(decode(_join(kinds, entry.indexed, wanted=False), data))
    values = [
        decode(f"({kind})", next(words))[0] if indexed else next(plain)
        for kind, indexed in zip(kinds, entry.indexed, strict=True)
    ]
    return Named(name=entry.name, arguments=tuple(values))


def has_event(variant: Variant, topic0: bytes) -> bool:
    """Whether a contract of the variant has an event of that first topic, with any number of topics."""
    return any(known == topic0 for known, _ in _events(variant))


def parse_entry(text: str) -> Entry:
    """Read a line of the tables: `event Name(type indexed,type)`."""
    kind, _, rest = text.partition(" ")
    if kind != EntryKind.EVENT:
        return Entry(kind=EntryKind(kind), signature=rest)
    parameters = split_types(rest[rest.index("(") :])
    return Entry(
        kind=EntryKind.EVENT,
        signature=rest.replace(" indexed", ""),
        indexed=tuple(each.endswith(" indexed") for each in parameters),
    )


def _decode_selected(variant: Variant, kind: EntryKind, data: bytes) -> Named | None:
    entry = _selectors(variant).get((kind, data[:4]))
    return None if entry is None else Named(name=entry.name, arguments=decode(entry.types, data[4:]))


def _join(kinds: Iterable[str], indexed: Iterable[bool], *, wanted: bool) -> str:
    return f"({','.join(kind for kind, is_topic in zip(kinds, indexed, strict=True) if is_topic is wanted)})"


@cache
def _interfaces(variant: Variant) -> Mapping[str, frozenset[Entry]]:
    return {name: frozenset(map(parse_entry, lines)) for name, lines in INTERFACES[variant].items()}


def _entries(variant: Variant) -> Iterable[Entry]:
    return (entry for entries in _interfaces(variant).values() for entry in entries)


@cache
def _selectors(variant: Variant) -> Mapping[tuple[EntryKind, bytes], Entry]:
    return {
        (entry.kind, selector(entry.signature)): entry
        for entry in _entries(variant)
        if entry.kind is not EntryKind.EVENT
    }


@cache
def _events(variant: Variant) -> Mapping[tuple[bytes, int], Entry]:
    return {
        (topic(entry.signature), 1 + sum(entry.indexed)): entry
        for entry in _entries(variant)
        if entry.kind is EntryKind.EVENT
    }
