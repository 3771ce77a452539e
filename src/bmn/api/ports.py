"""What the HTTP interface needs from the services behind it."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import TypeAlias

from bmn.core.chain import ChainSpec
from bmn.core.signed_order import SignedOrder
from bmn.core.swap import State
from bmn.core.units import ChainId, OrderHash, Secret
from bmn.resolver.intake import Accepted, Rejected
from bmn.resolver.secret_intake import NotTaken, Taken
from bmn.resolver.view import SwapView
from bmn.store.feed import Feed

OpenFeed: TypeAlias = Callable[[int | None], AbstractAsyncContextManager[Feed]]
"""Reads the events after the one of that number; None: those from now on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Component:
    """Health of one thing we stand on."""

    healthy: bool
    detail: str
    """For people; no address, no credentials."""
    head_age: float | None = None
    """Chains: host seconds since the newest block was seen."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiDeps:
    """What `build_app` wires into the routes."""

    accept_order: Callable[[SignedOrder], Awaitable[Accepted | Rejected]]
    take_secret: Callable[[OrderHash, Secret], Awaitable[Taken | NotTaken]]
    load_view: Callable[[OrderHash], Awaitable[SwapView | None]]
    list_views: Callable[[State | None, int], Awaitable[Sequence[SwapView]]]
    open_feed: OpenFeed
    check_components: Callable[[], Awaitable[Mapping[str, Component]]]
    """`database` and one for each chain, by its name."""
    specs: Mapping[ChainId, ChainSpec]
    pairs: Sequence[tuple[ChainId, ChainId]]
    """Source and destination of what we trade."""
