"""Deployments that others know: which we refuse, which we only read, and why. The data is in known.json."""

import json
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from importlib import resources

from bmn.bindings.variants import Variant
from bmn.core.units import Address, ChainId


class Standing(StrEnum):
    """What we do with a known contract."""

    KNOWN = "known"
    """May be named in the settings."""
    DECODE_ONLY = "decode-only"
    """Its events are understood; nothing of ours goes there."""
    REFUSED = "refused"
    """Using it loses money."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownContract:
    """One deployment."""

    name: str
    """Whose and which release."""
    kind: str
    """`factory` or `token`."""
    variant: Variant | None
    """Whose events a factory emits; a token has none."""
    address: Address
    """The same on all its chains."""
    chains: tuple[ChainId, ...]
    """Where it is known to be; empty where there are many."""
    standing: Standing
    """What we do with it."""
    reason: str
    """Why."""


@cache
def known_contracts() -> tuple[KnownContract, ...]:
    """Return the registry."""
    rows = json.loads(resources.files("bmn.contracts").joinpath("known.json").read_text())
    return tuple(
        KnownContract(
            name=row["name"],
            kind=row["kind"],
            variant=Variant(row["variant"]) if "variant" in row else None,
            address=Address.from_hex(row["address"]),
            chains=tuple(map(ChainId, row["chains"])),
            standing=Standing(row["status"]),
            reason=row["reason"],
        )
        for row in rows
    )


def refused_factory(address: Address) -> KnownContract | None:
    """Return the entry of a factory that we do not use, whatever chain it is on; None for any other address."""
    return next(
        (
            entry
            for entry in known_contracts()
            if entry.address == address and entry.kind == "factory" and entry.standing is not Standing.KNOWN
        ),
        None,
    )


def variant_of(factory: Address) -> Variant | None:
    """Return how to read the events of a known factory and its escrows; says nothing about using it."""
    return next((entry.variant for entry in known_contracts() if entry.address == factory), None)
