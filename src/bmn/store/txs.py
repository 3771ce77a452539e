"""Signed transactions, and the intents as the lane that carries them out sees them.

Signed bytes that carry a secret are stored encrypted; only this module opens them.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING

from bmn.core.facts import IntentState
from bmn.core.units import Address, BlockHash, BlockNumber, ChainId, Gas, Hashlock, Nonce, TxHash, UnixTime, Wei
from bmn.evm.tx import SignedTx
from bmn.evm.types import Fees, Receipt, TxStatus
from bmn.pg.pool import Connection
from bmn.store.intents import calldata_context
from bmn.store.sealing import Sealer
from bmn.store.sealing_key import seal_stored

if TYPE_CHECKING:
    import asyncpg

HOLE = "hole"
"""Action of an intent of no swap, which only fills a nonce that nothing of ours holds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One signed transaction at the nonce of an intent."""

    hash: TxHash
    raw: bytes = field(repr=False)
    """What is broadcast; may carry a secret, so it does not print."""
    fees: Fees
    signed_at: BlockNumber
    """Height of the head when it was signed."""
    is_cancel: bool
    """A self-transfer that frees the nonce."""
    accepted: bool
    """An endpoint took it."""
    block_hash: BlockHash | None
    """Where it was last seen mined."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LaneIntent:
    """An intent as its lane needs it."""

    id: int
    hashlock: Hashlock | None
    """None for a hole."""
    action: str
    """The value of an `Action`, or HOLE."""
    target: Address
    data: bytes = field(repr=False)
    """Calldata in clear; may carry a secret, so it does not print."""
    value: Wei
    gas: Gas | None
    not_after: UnixTime | None
    urgency: int
    bears_secret: bool
    state: IntentState
    wanted: bool
    nonce: Nonce | None
    attempts: tuple[Attempt, ...]
    """At `nonce`, in the order of signing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NewAttempt:
    """A transaction signed for an intent, not stored yet."""

    intent: LaneIntent
    signed: SignedTx
    fees: Fees
    signed_at: BlockNumber
    is_cancel: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredTx:
    """A signed transaction of a swap, for display."""

    hash: TxHash
    action: str
    chain_id: ChainId
    signer: Address
    nonce: Nonce
    is_cancel: bool
    accepted: bool
    fees: Fees
    created_at: datetime
    block_number: BlockNumber | None
    succeeded: bool | None
    gas_used: Gas | None
    gas_price: Wei | None
    """Paid per unit of gas."""


def raw_context(tx_hash: TxHash) -> bytes:
    """Return what the sealed bytes of a transaction are bound to."""
    return b"tx:" + tx_hash


_INTENT = """
SELECT id, hashlock, action, target, calldata, value, gas, not_after, urgency, bears_secret, state, wanted, nonce
FROM intents
"""

_OPEN = f"""
{_INTENT} WHERE chain_id = $1 AND signer = $2 AND nonce IS NOT NULL AND state NOT IN ('done', 'dead') ORDER BY nonce
"""

_WAITING = f"""
{_INTENT} WHERE chain_id = $1 AND nonce IS NULL AND state = 'waiting' AND wanted ORDER BY urgency, id LIMIT $2
"""

_ATTEMPTS = """
SELECT t.intent_id, t.hash, t.raw, t.max_fee, t.priority_fee, t.signed_at, t.is_cancel, t.accepted, t.block_hash
FROM txs t JOIN intents i ON i.id = t.intent_id AND i.nonce = t.nonce AND i.signer = t.signer
WHERE i.id = ANY ($1::bigint[])
ORDER BY t.max_fee  -- each replacement offers more
"""

_NEXT_NONCE = "SELECT coalesce(max(nonce) + 1, 0) FROM txs WHERE chain_id = $1 AND signer = $2"

_HELD = "SELECT DISTINCT nonce FROM txs WHERE chain_id = $1 AND signer = $2 AND nonce >= $3"

_WORK = """
SELECT EXISTS (SELECT 1 FROM intents WHERE chain_id = $1 AND nonce IS NULL AND state = 'waiting') AS waits,
       EXISTS (SELECT 1 FROM intents WHERE chain_id = $1 AND signer = $2 AND nonce IS NOT NULL
               AND state NOT IN ('done', 'dead')) AS holds
"""

_ASSIGN = """
UPDATE intents SET signer = $2, nonce = $3, gas = $4, updated_at = clock_timestamp()
WHERE id = $1 AND nonce IS NULL AND state = 'waiting' AND wanted
RETURNING id
"""

_ADD_HOLE = """
INSERT INTO intents (action, ordinal, chain_id, signer, nonce, target, calldata, value, urgency, bears_secret, state,
                     wanted)
VALUES ('hole', 0, $1, $2, $3, $2, '', 0, 0, false, 'waiting', false)
"""

_ADD_TX = """
INSERT INTO txs (hash, intent_id, chain_id, signer, nonce, raw, max_fee, priority_fee, signed_at, is_cancel)
SELECT $1, id, chain_id, signer, nonce, $3, $4, $5, $6, $7 FROM intents WHERE id = $2
"""

_ACCEPTED = "UPDATE txs SET accepted = true WHERE hash = ANY ($1::bytea[])"

_MOVE = "UPDATE intents SET state = $2, failure = $3, updated_at = clock_timestamp() WHERE id = $1"

_REFUSE = """
UPDATE intents SET state = 'dead', failure = $2, updated_at = clock_timestamp()
WHERE id = $1 AND nonce IS NULL AND state = 'waiting'
RETURNING id
"""

_FREE = """
UPDATE intents SET state = 'waiting', signer = NULL, nonce = NULL, updated_at = clock_timestamp() WHERE id = $1
"""

_DROP = """
UPDATE intents SET state = 'dead', updated_at = clock_timestamp(),
                   failure = CASE WHEN wanted THEN 'too late to send' ELSE 'not wanted any more' END
WHERE chain_id = $1 AND nonce IS NULL AND state = 'waiting' AND (NOT wanted OR not_after < $2)
RETURNING hashlock, action
"""

_UNMINED = """
UPDATE txs SET block_number = NULL, block_hash = NULL, succeeded = NULL, gas_used = NULL, gas_price = NULL
WHERE intent_id = $1 AND block_number IS NOT NULL
"""

_MINED = """
UPDATE txs SET accepted = true, block_number = $2, block_hash = $3, succeeded = $4, gas_used = $5, gas_price = $6
WHERE hash = $1
"""

_OF_SWAP = """
SELECT t.*, i.action FROM txs t JOIN intents i ON i.id = t.intent_id WHERE i.hashlock = $1 ORDER BY t.created_at
"""


async def load_work(conn: Connection, chain_id: ChainId, signer: Address) -> tuple[bool, bool]:
    """Return whether anything of the chain waits for a nonce, and whether the lane holds one that is not final."""
    row = await conn.fetchrow(_WORK, chain_id, signer)
    assert row is not None
    return row["waits"], row["holds"]


async def load_open(conn: Connection, chain_id: ChainId, signer: Address, sealer: Sealer) -> list[LaneIntent]:
    """Return the intents that hold a nonce of this lane which is not final, in the order of nonces."""
    rows = await conn.fetch(_OPEN, chain_id, signer)
    attempts: dict[int, list[Attempt]] = {row["id"]: [] for row in rows}
    secret = {row["id"]: row["bears_secret"] for row in rows}
    for row in await conn.fetch(_ATTEMPTS, list(attempts)):
        attempts[row["intent_id"]].append(_attempt(row, sealer, sealed=secret[row["intent_id"]]))
    return [_intent(row, sealer, tuple(attempts[row["id"]])) for row in rows]


async def load_waiting(conn: Connection, chain_id: ChainId, limit: int, sealer: Sealer) -> list[LaneIntent]:
    """Return wanted intents without a nonce, most urgent first."""
    return [_intent(row, sealer, ()) for row in await conn.fetch(_WAITING, chain_id, limit)]


async def load_next_nonce(conn: Connection, chain_id: ChainId, signer: Address) -> Nonce:
    """Return the nonce after the highest one this lane ever signed."""
    return Nonce(await conn.fetchval(_NEXT_NONCE, chain_id, signer))


async def load_held_nonces(conn: Connection, chain_id: ChainId, signer: Address, first: Nonce) -> set[Nonce]:
    """Return the nonces from `first` on for which we ever signed."""
    return {row["nonce"] for row in await conn.fetch(_HELD, chain_id, signer, first)}


async def assign_nonce(conn: Connection, intent: LaneIntent, signer: Address, nonce: Nonce) -> bool:
    """Give a waiting intent its nonce and gas limit; False when it is retired or another lane's by now."""
    return await conn.fetchval(_ASSIGN, intent.id, signer, nonce, intent.gas) is not None


async def add_hole(conn: Connection, chain_id: ChainId, signer: Address, nonce: Nonce) -> None:
    """Record that `nonce` is to be used up by a self-transfer."""
    await conn.execute(_ADD_HOLE, chain_id, signer, nonce)


async def add_attempt(conn: Connection, new: NewAttempt, sealer: Sealer) -> None:
    """Store signed bytes; the intent holds its nonce already."""
    raw, tx_hash = new.signed.raw, new.signed.hash
    if new.intent.bears_secret and not new.is_cancel:
        raw = await seal_stored(conn, sealer, raw, raw_context(tx_hash))
    fees = new.fees
    await conn.execute(
        _ADD_TX,
        tx_hash,
        new.intent.id,
        raw,
        fees.max_fee_per_gas,
        fees.max_priority_fee_per_gas,
        new.signed_at,
        new.is_cancel,
    )


async def mark_accepted(conn: Connection, hashes: Sequence[TxHash]) -> None:
    """Note that an endpoint took them."""
    await conn.execute(_ACCEPTED, list(hashes))


async def mark_mined(conn: Connection, intent_id: int, receipt: Receipt | None) -> None:
    """Note which attempt of an intent is mined, or that none is (any more)."""
    await conn.execute(_UNMINED, intent_id)
    if receipt is not None:
        await conn.execute(
            _MINED,
            receipt.tx_hash,
            receipt.block_number,
            receipt.block_hash,
            receipt.status is TxStatus.SUCCEEDED,
            receipt.gas_used,
            receipt.effective_gas_price,
        )


async def move_intent(conn: Connection, intent_id: int, state: IntentState, failure: str | None = None) -> None:
    """Set where an intent stands."""
    await conn.execute(_MOVE, intent_id, state.value, failure)


async def refuse_waiting(conn: Connection, intent_id: int, failure: str) -> bool:
    """End an intent that was never sent; False when another lane took it up meanwhile."""
    return await conn.fetchval(_REFUSE, intent_id, failure) is not None


async def free_intent(conn: Connection, intent_id: int) -> None:
    """Let an intent wait for a new nonce: its old one is final with something that is not ours."""
    await conn.execute(_FREE, intent_id)


async def drop_waiting(conn: Connection, chain_id: ChainId, now: UnixTime) -> list[tuple[Hashlock, str]]:
    """End intents without a nonce that are retired, or too late at chain time `now`; return swap and action."""
    return [(Hashlock(row["hashlock"]), row["action"]) for row in await conn.fetch(_DROP, chain_id, now)]


async def load_swap_txs(conn: Connection, hashlock: Hashlock) -> list[StoredTx]:
    """Return every transaction signed for a swap, oldest first."""
    return [
        StoredTx(
            hash=TxHash(row["hash"]),
            action=row["action"],
            chain_id=ChainId(row["chain_id"]),
            signer=Address(row["signer"]),
            nonce=Nonce(row["nonce"]),
            is_cancel=row["is_cancel"],
            accepted=row["accepted"],
            fees=_fees(row),
            created_at=row["created_at"],
            block_number=row["block_number"],
            succeeded=row["succeeded"],
            gas_used=row["gas_used"],
            gas_price=row["gas_price"],
        )
        for row in await conn.fetch(_OF_SWAP, hashlock)
    ]


def _intent(row: "asyncpg.Record", sealer: Sealer, attempts: tuple[Attempt, ...]) -> LaneIntent:
    hashlock = None if row["hashlock"] is None else Hashlock(row["hashlock"])
    data = row["calldata"]
    if row["bears_secret"]:
        assert hashlock is not None
        data = sealer.open(data, calldata_context(hashlock, row["action"]))
    return LaneIntent(
        id=row["id"],
        hashlock=hashlock,
        action=row["action"],
        target=Address(row["target"]),
        data=data,
        value=Wei(row["value"]),
        gas=row["gas"],
        not_after=row["not_after"],
        urgency=row["urgency"],
        bears_secret=row["bears_secret"],
        state=IntentState(row["state"]),
        wanted=row["wanted"],
        nonce=row["nonce"],
        attempts=attempts,
    )


def _attempt(row: "asyncpg.Record", sealer: Sealer, *, sealed: bool) -> Attempt:
    tx_hash = TxHash(row["hash"])
    raw = row["raw"]
    return Attempt(
        hash=tx_hash,
        raw=sealer.open(raw, raw_context(tx_hash)) if sealed and not row["is_cancel"] else raw,
        fees=_fees(row),
        signed_at=BlockNumber(row["signed_at"]),
        is_cancel=row["is_cancel"],
        accepted=row["accepted"],
        block_hash=None if row["block_hash"] is None else BlockHash(row["block_hash"]),
    )


def _fees(row: "asyncpg.Record") -> Fees:
    return Fees(max_fee_per_gas=Wei(row["max_fee"]), max_priority_fee_per_gas=Wei(row["priority_fee"]))
