"""What a resolver answers, as its JSON says it; fields nobody here knows are passed over."""

import msgspec


class OrderAccepted(msgspec.Struct, frozen=True):
    """Answer to a submitted order."""

    order_hash: str
    hashlock: str
    state: str


class EscrowStatus(msgspec.Struct, frozen=True):
    """One escrow, as the resolver sees it."""

    address: str
    deployed_at: int
    tx_hash: str
    immutables: str | None = None


class StepStatus(msgspec.Struct, frozen=True):
    """One transaction of the resolver."""

    step: str
    chain: int
    hash: str
    state: str
    block: int | None = None
    gas: int | None = None
    gas_price: str | None = None


class OrderStatus(msgspec.Struct, frozen=True):
    """Where an order stands."""

    order_hash: str
    hashlock: str
    state: str
    reason: str
    src_chain: int
    dst_chain: int
    src_escrow: EscrowStatus | None = None
    dst_escrow: EscrowStatus | None = None
    reveal_until: int | None = None
    transactions: list[StepStatus] = msgspec.field(default_factory=list)


class ChainFacts(msgspec.Struct, frozen=True):
    """One chain the resolver trades on."""

    id: int
    name: str
    resolver: str
    factory: str
    src_implementation: str
    dst_implementation: str
    limit_order_protocol: str
    access_token: str
    noop_token: str
    domain_name: str
    domain_version: str


class PairFacts(msgspec.Struct, frozen=True):
    """One direction the resolver trades in."""

    src: int
    dst: int


class ResolverInfo(msgspec.Struct, frozen=True):
    """What a resolver says of itself."""

    chains: list[ChainFacts]
    pairs: list[PairFacts]


class ComponentHealth(msgspec.Struct, frozen=True):
    """Health of one part."""

    status: str
    detail: str
    head_age: float | None = None


class Health(msgspec.Struct, frozen=True):
    """How a resolver is."""

    status: str
    components: dict[str, ComponentHealth]
