"""What the HTTP interface needs from the services behind it."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from bmn.core.chain import ChainSpec
from bmn.core.eip712 import Domain
from bmn.core.signed_order import SignedOrder
from bmn.core.swap import State
from bmn.core.units import Address, BlockNumber, ChainId, Gas, Hashlock, OrderHash, Secret, TxHash, UnixTime, Wei


class Accepted(Protocol):
    """The order is ours to fill."""

    @property
    def order_hash(self) -> OrderHash:
        """Its id."""
        ...

    @property
    def hashlock(self) -> Hashlock:
        """The identity of its swap."""
        ...

    @property
    def state(self) -> State:
        """Where the swap stands."""
        ...

    @property
    def is_new(self) -> bool:
        """False when the identical order was known already."""
        ...


@runtime_checkable
class Refusal(Protocol):
    """An expected no, to an order or to a secret."""

    @property
    def code(self) -> str:
        """Stable."""
        ...

    @property
    def detail(self) -> str:
        """What happened."""
        ...

    @property
    def hint(self) -> str:
        """What to do; may be empty."""
        ...


@runtime_checkable
class Taken(Protocol):
    """The secret is stored; the swap goes on by itself."""

    @property
    def state(self) -> State:
        """Where the swap stands."""
        ...


class EscrowView(Protocol):
    """One escrow of a swap, as the journal knows it."""

    @property
    def address(self) -> Address:
        """Where."""
        ...

    @property
    def deployed_at(self) -> UnixTime:
        """Block time of its creation."""
        ...

    @property
    def tx_hash(self) -> TxHash:
        """What created it."""
        ...

    @property
    def immutables(self) -> bytes:
        """Eight words."""
        ...


class TransactionStep(Protocol):
    """One transaction of ours for a swap."""

    @property
    def step(self) -> str:
        """The action."""
        ...

    @property
    def chain(self) -> ChainId:
        """Where."""
        ...

    @property
    def hash(self) -> TxHash:
        """Its identity."""
        ...

    @property
    def block(self) -> BlockNumber | None:
        """None while it is not mined."""
        ...

    @property
    def gas(self) -> Gas | None:
        """Used; None while it is not mined."""
        ...

    @property
    def gas_price(self) -> Wei | None:
        """Paid per unit; None while it is not mined."""
        ...

    @property
    def state(self) -> str:
        """Where it stands."""
        ...


class SwapView(Protocol):
    """A swap for people to read."""

    @property
    def order_hash(self) -> OrderHash:
        """Its order."""
        ...

    @property
    def hashlock(self) -> Hashlock:
        """Its identity."""
        ...

    @property
    def state(self) -> State:
        """Where it stands."""
        ...

    @property
    def reason(self) -> str:
        """The rule that put it there."""
        ...

    @property
    def src_chain(self) -> ChainId:
        """Where the maker pays."""
        ...

    @property
    def dst_chain(self) -> ChainId:
        """Where the maker is paid."""
        ...

    @property
    def src_escrow(self) -> EscrowView | None:
        """None before the fill is seen."""
        ...

    @property
    def dst_escrow(self) -> EscrowView | None:
        """None before our lock is seen."""
        ...

    @property
    def reveal_until(self) -> UnixTime | None:
        """Destination time up to which a secret is taken; None: not now."""
        ...

    @property
    def transactions(self) -> Sequence[TransactionStep]:
        """Ours, in order."""
        ...


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

    accept_order: Callable[[SignedOrder], Awaitable[Accepted | Refusal]]
    take_secret: Callable[[OrderHash, Secret], Awaitable[Taken | Refusal]]
    load_view: Callable[[OrderHash], Awaitable[SwapView | None]]
    list_views: Callable[[State | None, int], Awaitable[Sequence[SwapView]]]
    check_components: Callable[[], Awaitable[Mapping[str, Component]]]
    specs: Mapping[ChainId, ChainSpec]
    pairs: Sequence[tuple[ChainId, ChainId]]
    """Source and destination of what we trade."""

    def domain(self, chain: ChainId) -> Domain | None:
        """Return the signing domain of a configured chain."""
        spec = self.specs.get(chain)
        return None if spec is None else spec.domain
