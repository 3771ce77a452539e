"""What a node tells us, as frozen values: blocks, logs, receipts, transactions, fees."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import IntEnum, StrEnum
from typing import TypeAlias

from bmn.core.units import Address, BlockHash, BlockNumber, Gas, Hash32, Nonce, TxHash, UnixTime, Wei
from bmn.evm.budget import UNLIMITED, Budget


class BlockTag(StrEnum):
    """How sure we want to be of a block; the node's own tags."""

    HEAD = "latest"
    SAFE = "safe"
    FINALIZED = "finalized"


BlockRef: TypeAlias = BlockTag | BlockNumber | BlockHash
"""A block as of which a read is asked. By hash, the node must have that very block on its canonical chain."""


TopicFilter: TypeAlias = Sequence[Sequence[Hash32] | None]
"""By position, the topics that match; None matches any, a shorter filter any rest."""


class EndpointRole(StrEnum):
    """What an endpoint is for."""

    HEADS = "heads"
    """The newest blocks: asked first for them, and its socket is listened to."""
    LOGS = "logs"
    """Asked first for logs."""
    ARCHIVE = "archive"
    """Asked first for the state of old blocks."""
    SEND = "send"
    """Gets our transactions. With this role alone it answers no question and has no voice in a quorum."""


USUAL_ROLES = frozenset({EndpointRole.HEADS, EndpointRole.LOGS, EndpointRole.SEND})
"""Of an endpoint that names none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """Where a node is. Its URLs may carry keys: they do not print; the name stands for them."""

    name: str
    """Unique on its chain; for messages and metrics."""
    url: str = field(repr=False)
    """http:// or https://."""
    ws_url: str | None = field(default=None, repr=False)
    """ws:// or wss://, if the node pushes heads."""
    roles: frozenset[EndpointRole] = USUAL_ROLES
    """At least one."""
    budget: Budget = UNLIMITED
    """What it may cost."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """A block header, as far as we use it."""

    number: BlockNumber
    """Height."""
    hash: BlockHash
    """Hash the node gives; not recomputed."""
    parent_hash: BlockHash
    """Hash of the block before it."""
    timestamp: UnixTime
    """Time of this chain at this block."""
    base_fee: Wei
    """Per unit of gas; 0 where the chain has none."""
    logs_bloom: bytes
    """256 bytes; see `bloom.py`."""
    is_empty: bool = False
    """The transactions root says that the block holds no transaction."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Log:
    """One event of a mined transaction."""

    address: Address
    """Who emitted it."""
    topics: tuple[Hash32, ...]
    """At most four."""
    data: bytes
    """ABI words."""
    block_hash: BlockHash
    """Block it was mined in."""
    block_number: BlockNumber
    """Height of that block."""
    tx_hash: TxHash
    """Transaction that emitted it."""
    tx_index: int
    """Place of the transaction in the block."""
    log_index: int
    """Place of the log in the block."""


class TxStatus(IntEnum):
    """How a mined transaction ended."""

    REVERTED = 0
    SUCCEEDED = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """The outcome of a mined transaction."""

    tx_hash: TxHash
    """Whose outcome."""
    status: TxStatus
    """Whether it took effect."""
    block_hash: BlockHash
    """Block it was mined in."""
    block_number: BlockNumber
    """Height of that block."""
    gas_used: Gas
    """Of this transaction alone."""
    effective_gas_price: Wei
    """Paid per unit of gas."""
    l1_fee: Wei
    """What a rollup charged on top for data; 0 elsewhere."""
    logs: tuple[Log, ...]
    """In the order of their index."""
    contract_address: Address | None
    """Set when the transaction created a contract."""

    @property
    def cost(self) -> Wei:
        """What the sender paid for inclusion, without the value sent."""
        return Wei(self.gas_used * self.effective_gas_price + self.l1_fee)


@dataclass(frozen=True, slots=True, kw_only=True)
class TransactionView:
    """A transaction as a node shows it, mined or waiting."""

    hash: TxHash
    """Its identity."""
    sender: Address
    """Who signed it."""
    nonce: Nonce
    """Of the sender."""
    to: Address | None
    """None creates a contract."""
    value: Wei
    """Native coin sent along."""
    input: bytes
    """Calldata."""
    block_hash: BlockHash | None
    """None while it waits."""
    block_number: BlockNumber | None
    """None while it waits."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fees:
    """The two prices of a type-2 transaction, per unit of gas."""

    max_fee_per_gas: Wei
    """Base fee and tip together never exceed it."""
    max_priority_fee_per_gas: Wei
    """Tip to the block's producer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClockBounds:
    """Head times of one chain over all endpoints that answered."""

    earliest: UnixTime
    """For "too early": the slowest endpoint."""
    latest: UnixTime
    """For "too late": the fastest endpoint."""


class SendStatus(StrEnum):
    """What the endpoints made of a signed transaction."""

    ACCEPTED = "accepted"
    ALREADY_KNOWN = "already known"
    NONCE_TOO_LOW = "nonce too low"
    UNDERPRICED = "underpriced"
    INSUFFICIENT_FUNDS = "insufficient funds"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True, kw_only=True)
class SendOutcome:
    """The best answer of all endpoints to one broadcast."""

    status: SendStatus
    """Short of ACCEPTED and ALREADY_KNOWN, only that no endpoint took it now: look the hash up before concluding."""
    detail: str
    """The endpoint's name and words; empty when accepted."""

    @property
    def is_in_flight(self) -> bool:
        """Whether an endpoint holds the transaction."""
        return self.status in {SendStatus.ACCEPTED, SendStatus.ALREADY_KNOWN}
