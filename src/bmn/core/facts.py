"""What is true about one swap: read from the journal and the chains, never from our own status column."""

from dataclasses import dataclass
from enum import Enum

from bmn.core.immutables import Immutables
from bmn.core.timelocks import Stage
from bmn.core.units import Address, BlockNumber, UnixTime


class Ending(Enum):
    """How an escrow was emptied."""

    WITHDRAWN = "withdrawn"
    CANCELLED = "cancelled"
    RESCUED = "rescued"


class SecretState(Enum):
    """What is known of the secret."""

    UNKNOWN = "unknown"
    PRIVATE = "private"
    """We hold it; no chain has shown it."""
    PUBLIC = "public"
    """It was in a log or in calldata of any chain."""


class IntentState(Enum):
    """Where one wanted transaction stands; newest ordinal only."""

    NONE = "none"
    """Never wanted so far."""
    WAITING = "waiting"
    """Recorded, not broadcast, or broadcast and refused by every endpoint: it can still be sent."""
    PENDING = "pending"
    """At least one endpoint accepted it; it may land at any time."""
    MINED = "mined"
    """Succeeded in a block that is not final."""
    REVERTED = "reverted"
    """Failed in a block that is not final: a reorg may still give it another chance."""
    DONE = "done"
    """Succeeded, final."""
    DEAD = "dead"
    """Can never take effect: its nonce is final with a failure or with something else."""

    @property
    def can_land(self) -> bool:
        """Whether it may still take effect in a block to come."""
        return self in {IntentState.WAITING, IntentState.PENDING, IntentState.REVERTED}

    @property
    def is_mined(self) -> bool:
        """Whether it took effect in a block we know."""
        return self in {IntentState.MINED, IntentState.DONE}

    @property
    def may_count(self) -> bool:
        """Whether it took effect or still may; false only for what never was and what never will be."""
        return self.can_land or self.is_mined


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """Where a fact stands on its chain."""

    block: BlockNumber
    at: UnixTime
    """Time of that block."""
    final: bool
    """Deep enough by the policy of that chain."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """The event that emptied an escrow."""

    how: Ending
    seen: Seen


@dataclass(frozen=True, slots=True, kw_only=True)
class EscrowFacts:
    """One escrow of the swap, proven by an event of a configured factory or of our own `Resolver`."""

    address: Address
    immutables: Immutables
    """With the `deployed_at` of its block."""
    created: Seen
    ended: Ended | None

    def opens_at(self, stage: Stage) -> UnixTime:
        """Return the chain time from which `stage` is open."""
        return self.immutables.timelocks.opens_at(stage)


@dataclass(frozen=True, slots=True, kw_only=True)
class Intents:
    """Our own transactions for this swap."""

    fill: IntentState = IntentState.NONE
    lock: IntentState = IntentState.NONE
    pay: IntentState = IntentState.NONE
    claim: IntentState = IntentState.NONE
    cancel_dst: IntentState = IntentState.NONE
    cancel_src: IntentState = IntentState.NONE


class LockRecord(Enum):
    """What `lockOf` of our `Resolver` says on the destination chain."""

    EMPTY_FINAL = "empty_final"
    """Zero at a final block in which no lock of ours could land any more (its time is past every `notAfter`)."""
    EMPTY = "empty"
    """Zero, but a lock of ours might still land."""
    SET = "set"


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderFacts:
    """The order as the source chain sees it."""

    expires_at: UnixTime
    """0 = never."""
    gone: bool
    """Cancelled by its maker, filled by somebody else, or not worth a fill any more before one was recorded."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """Everything `decide` may look at, besides time and policy."""

    order: OrderFacts
    src: EscrowFacts | None
    """The escrow our own fill created."""
    dst: EscrowFacts | None
    """The escrow our own lock created; a stranger's never counts."""
    lock_record: LockRecord
    secret: SecretState
    intents: Intents
    refusal: "Refusal | None"
    """Why the source escrow must not be locked against, from the checks of money rule 2; None = all hold."""


class Refusal(Enum):
    """Why we do not lock; stable codes."""

    WRONG_TAKER = "WRONG_TAKER"
    ESCROW_CODE_MISMATCH = "ESCROW_CODE_MISMATCH"
    ESCROW_ADDRESS_MISMATCH = "ESCROW_ADDRESS_MISMATCH"
    ORDER_MISMATCH = "ORDER_MISMATCH"
    TOKEN_NOT_LISTED = "TOKEN_NOT_LISTED"  # noqa: S105 - a code, not a password
    TOKEN_BALANCE_MISSING = "TOKEN_BALANCE_MISSING"  # noqa: S105 - same
    DEPOSIT_MISSING = "DEPOSIT_MISSING"
    HASHLOCK_USED = "HASHLOCK_USED"
    OVER_LIMIT = "OVER_LIMIT"


@dataclass(frozen=True, slots=True, kw_only=True)
class ChainTime:
    """The time of one chain, as its endpoints tell it."""

    earliest: UnixTime
    """Head time by the slowest endpoint: judges "too early"."""
    latest: UnixTime
    """Head time by the fastest endpoint: judges "too late"."""
    fresh: bool
    """The head is young enough to lock against."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChainTimes:
    """The two clocks that rule a swap."""

    src: ChainTime
    dst: ChainTime
