"""Wanted transactions as the decision sees them: record, retire, load. The lane's side is in `txs`."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, assert_never

from bmn.core.errors import InvariantViolation
from bmn.core.facts import IntentState
from bmn.core.swap import Action
from bmn.core.units import Address, BlockNumber, ChainId, Gas, Hashlock, Nonce, TxHash, UnixTime, Wei
from bmn.pg.pool import Connection
from bmn.store.sealing import Sealer
from bmn.store.sealing_key import seal_stored

if TYPE_CHECKING:
    import asyncpg


@dataclass(frozen=True, slots=True, kw_only=True)
class NewIntent:
    """One transaction we want; `(hashlock, action, ordinal)` names it, so that it is recorded once."""

    hashlock: Hashlock
    action: Action
    ordinal: int
    """0, then one more whenever the last one is dead and the same action is wanted again."""
    chain_id: ChainId
    target: Address
    data: bytes = field(repr=False)
    """Calldata; may carry the secret, so it does not print."""
    value: Wei
    gas: Gas | None
    """Limit; None is estimated. Must be given when the calldata bears a secret: that is never simulated."""
    not_after: UnixTime | None
    """Last time of that chain at which it may be sent; later it is taken back."""
    deadline: UnixTime | None
    """Time of that chain by which it should be mined."""
    urgency: int
    """Place in the lane, see `urgency_of`."""
    bears_secret: bool
    """Its calldata is stored encrypted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredIntent:
    """A recorded intent and what became of it."""

    id: int
    action: Action
    ordinal: int
    chain_id: ChainId
    state: IntentState
    wanted: bool
    """False once retired: it is being taken back, or was."""
    not_after: UnixTime | None
    created_at: datetime
    signer: Address | None
    nonce: Nonce | None
    tx_hash: TxHash | None
    """The mined transaction at its nonce, else the one signed last."""
    block_number: BlockNumber | None
    gas_used: Gas | None
    gas_price: Wei | None
    """Paid per unit of gas."""
    failure: str | None
    """Why it is dead, fit for a person."""


def urgency_of(action: Action) -> int:
    """Return its place in the lane, 0 first: claims and payouts, then cancels, then locks and fills (money rule 7)."""
    match action:
        case Action.PAY | Action.CLAIM:
            return 0
        case Action.CANCEL_DST | Action.CANCEL_SRC:
            return 1
        case Action.LOCK | Action.FILL:
            return 2
        case _:
            assert_never(action)


def calldata_context(hashlock: Hashlock, action: str) -> bytes:
    """Return what sealed calldata of an intent is bound to."""
    return b"calldata:" + hashlock + action.encode()


_RECORD = """
INSERT INTO intents (hashlock, action, ordinal, chain_id, target, calldata, value, gas, not_after, deadline, urgency,
                     bears_secret, state, wanted)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, 'waiting', true)
ON CONFLICT (hashlock, action, ordinal) DO NOTHING
RETURNING id
"""

_WANT = """
UPDATE intents SET wanted = (action = ANY ($2)), updated_at = clock_timestamp()
WHERE hashlock = $1 AND state NOT IN ('done', 'dead') AND wanted <> (action = ANY ($2))
"""

_LOAD = """
SELECT i.id, i.action, i.ordinal, i.chain_id, i.state, i.wanted, i.not_after, i.created_at, i.signer, i.nonce,
       i.failure, t.hash, t.block_number, t.gas_used, t.gas_price
FROM intents i
LEFT JOIN LATERAL (
    SELECT * FROM txs WHERE txs.intent_id = i.id ORDER BY block_number IS NULL, created_at DESC LIMIT 1
) t ON true
WHERE i.hashlock = $1
ORDER BY i.id
"""


async def record_intent(conn: Connection, new: NewIntent, sealer: Sealer) -> bool:
    """Add `new` as wanted and waiting; False, and nothing changed, when that action and ordinal stand already.

    Raises:
        InvariantViolation: it bears a secret and has no gas figure.
    """
    if new.bears_secret and new.gas is None:
        raise InvariantViolation("SECRET_NEEDS_GAS", f"{new.action.value} bears a secret and cannot be estimated")
    data = new.data
    if new.bears_secret:
        data = await seal_stored(conn, sealer, data, calldata_context(new.hashlock, new.action.value))
    added = await conn.fetchval(
        _RECORD,
        new.hashlock,
        new.action.value,
        new.ordinal,
        new.chain_id,
        new.target,
        data,
        new.value,
        new.gas,
        new.not_after,
        new.deadline,
        new.urgency,
        new.bears_secret,
    )
    return added is not None


async def want_intents(conn: Connection, hashlock: Hashlock, wanted: set[Action]) -> None:
    """Make exactly the intents of `wanted` wanted; the others are retired and their nonces taken back."""
    await conn.execute(_WANT, hashlock, [action.value for action in wanted])


async def load_intents(conn: Connection, hashlock: Hashlock) -> list[StoredIntent]:
    """Return all intents of a swap, oldest first."""
    return [_stored(row) for row in await conn.fetch(_LOAD, hashlock)]


def _stored(row: "asyncpg.Record") -> StoredIntent:
    return StoredIntent(
        id=row["id"],
        action=Action(row["action"]),
        ordinal=row["ordinal"],
        chain_id=ChainId(row["chain_id"]),
        state=IntentState(row["state"]),
        wanted=row["wanted"],
        not_after=row["not_after"],
        created_at=row["created_at"],
        signer=None if row["signer"] is None else Address(row["signer"]),
        nonce=row["nonce"],
        tx_hash=None if row["hash"] is None else TxHash(row["hash"]),
        block_number=row["block_number"],
        gas_used=row["gas_used"],
        gas_price=row["gas_price"],
        failure=row["failure"],
    )
