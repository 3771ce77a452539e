"""The statements of the release before the state engine, as it sends them; never changed with the code."""

import asyncio
import shutil
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import asyncpg
from tests.support.api_values import DST, SRC

from bmn.core.order import encode_order
from bmn.core.signed_order import SignedOrder, SwapTerms

LAST_REVISION = "0004"

STEPS = (("SRC_LIVE", "ONE"), ("DST_LIVE", "TWO"), ("AWAIT_SECRET", "THREE"), ("SETTLED", "FOUR"))
"""State and reason of each version of a swap after its first."""

ORDER = """
INSERT INTO orders (hashlock, order_hash, maker, src_chain, dst_chain, src_token, dst_token, making_amount,
                    taking_amount, src_deposit, dst_deposit, expires_at, order_words, extension, signature)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)
ON CONFLICT DO NOTHING
"""

SWAP = """
WITH swap AS (
    INSERT INTO swaps (hashlock, src_chain, dst_chain, state, reason, version, terminal)
    VALUES ($1, $2, $3, 'ACCEPTED', 'ORDER_ACCEPTED', 1, false) RETURNING hashlock)
INSERT INTO swap_events (hashlock, version, before, after, reason, actor)
SELECT hashlock, 1, NULL, 'ACCEPTED', 'ORDER_ACCEPTED', $4 FROM swap
"""

LOAD = "SELECT state, reason, version FROM swaps WHERE hashlock = $1"

MOVE = """
UPDATE swaps SET state = $3, reason = $4, wake_src = $5, wake_dst = $6, reveal_until = $7, terminal = $8,
                 version = version + $9, updated_at = clock_timestamp()
WHERE hashlock = $1 AND version = $2
"""

HISTORY = """
INSERT INTO swap_events (hashlock, version, before, after, reason, actor) VALUES ($1, $2, $3, $4, $5, $6)
"""

ENQUEUE = """
INSERT INTO messages (queue, kind, priority, run_at, key, payload, dedup, max_attempts, trace)
VALUES ($1, $2, $3, clock_timestamp() + make_interval(secs => $4), $5, $6, $7, $8, $9)
ON CONFLICT (queue, dedup) WHERE dedup IS NOT NULL AND lease_token IS NULL
DO UPDATE SET run_at = LEAST(messages.run_at, EXCLUDED.run_at),
              priority = GREATEST(messages.priority, EXCLUDED.priority)
"""

CLAIM = """
WITH picked AS MATERIALIZED (
    SELECT candidate.id
    FROM unnest($1::text[], $2::smallint[]) AS lane (queue, priority)
    CROSS JOIN LATERAL (
        SELECT m.id FROM messages m
        WHERE m.queue = lane.queue AND m.priority = lane.priority AND m.lease_token IS NULL
          AND m.run_at <= statement_timestamp()
          AND (m.key IS NULL OR (
              NOT EXISTS (SELECT FROM messages busy WHERE busy.key = m.key AND busy.lease_token IS NOT NULL)
              AND NOT EXISTS (
                  SELECT FROM messages first
                  WHERE first.key = m.key AND first.lease_token IS NULL AND first.queue = ANY ($1)
                    AND first.run_at <= statement_timestamp()
                    AND (-first.priority, first.run_at, first.id) < (-m.priority, m.run_at, m.id))))
        ORDER BY m.run_at, m.id
        LIMIT $3
        FOR UPDATE SKIP LOCKED
    ) AS candidate
    LIMIT $3
)
UPDATE messages
SET lease_token = nextval('fence'), lease_until = clock_timestamp() + make_interval(secs => $4), attempts = attempts + 1
FROM picked
WHERE messages.id = picked.id
RETURNING messages.id, queue, kind, priority, key, payload, dedup, attempts, max_attempts, lease_token AS token, trace
"""

FINISH = "DELETE FROM messages WHERE id = $1 AND lease_token = $2"

BURY = """
WITH gone AS (DELETE FROM messages WHERE id = $1 AND lease_token = $2 RETURNING *)
INSERT INTO dead_messages
    (id, queue, kind, priority, key, payload, dedup, attempts, max_attempts, error, trace, created_at)
SELECT id, queue, kind, priority, key, payload, dedup, attempts, max_attempts, $3, trace, created_at FROM gone
"""

LEASE = """
INSERT INTO leases (name, holder, token, expires_at)
VALUES ($1, $2, nextval('fence'), clock_timestamp() + make_interval(secs => $3))
ON CONFLICT (name) DO UPDATE
SET holder = $2, token = nextval('fence'), expires_at = clock_timestamp() + make_interval(secs => $3)
WHERE leases.expires_at < clock_timestamp()
RETURNING token
"""

SECRET = "INSERT INTO secrets (hashlock, sealed) VALUES ($1, $2) ON CONFLICT DO NOTHING"
EVIDENCE = "INSERT INTO evidence (hashlock, body) VALUES ($1, $2::jsonb)"

HEAD = """
INSERT INTO chain_heads (chain_id, number, hash, time, final_number, final_time, seen_at)
VALUES ($1, $2, $3, $4, $5, $6, clock_timestamp())
"""

BLOCK = "INSERT INTO chain_blocks (chain_id, number, hash, parent_hash, time) VALUES ($1, $2, $3, $4, $5)"

EVENT = """
INSERT INTO journal (chain_id, block_hash, log_index, block_number, block_time, tx_hash, emitter, kind,
                     hashlock, order_hash, escrow, maker, secret, body, is_foreign)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)
ON CONFLICT (chain_id, block_hash, log_index) DO UPDATE SET orphaned_at = NULL
"""

ESCROW = """
INSERT INTO escrows (chain_id, address, block_hash, side, hashlock, order_hash, immutables, complement,
                     block_number, block_time, tx_hash)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
ON CONFLICT (chain_id, address, block_hash) DO UPDATE SET orphaned_at = NULL
"""

STRANGER = """
INSERT INTO strangers (chain_id, kind, count) VALUES ($1, $2, $3)
ON CONFLICT (chain_id, kind) DO UPDATE SET count = strangers.count + EXCLUDED.count
"""

INTENT = """
INSERT INTO intents (action, ordinal, chain_id, signer, nonce, target, calldata, value, urgency, bears_secret, state,
                     wanted)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, false, 'pending', true)
RETURNING id
"""

TX = """
INSERT INTO txs (hash, intent_id, chain_id, signer, nonce, raw, max_fee, priority_fee, signed_at, is_cancel)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
"""


def locations(folder: Path, current: Sequence[Path]) -> list[Path]:
    """Return where its revisions are, taken from the `current` ones, which are never edited."""
    there = []
    for number, location in enumerate(current):
        copy = folder / str(number)
        copy.mkdir()
        for revision in location.glob("[0-9]*.py"):
            if revision.name[:4] <= LAST_REVISION:
                shutil.copy(revision, copy)
        there.append(copy)
    return there


class Process:
    """One process of that release: takes orders in, and moves swaps step by step."""

    def __init__(self, pool: "asyncpg.Pool[asyncpg.Record]", queue: str) -> None:
        self._pool = pool
        self._queue = queue
        self.moved = 0
        """Steps that this process made."""
        self.longest = 0.0
        """Seconds that the slowest transaction took."""

    async def accept(self, signed: SignedOrder, terms: SwapTerms) -> None:
        """Take an order in, and wake its swap."""
        started = asyncio.get_running_loop().time()
        async with self._pool.acquire() as conn, conn.transaction():
            await conn.execute(
                ORDER,
                *(terms.hashlock, terms.order_hash, terms.maker, terms.src_chain, terms.dst_chain, terms.src_token),
                *(terms.dst_token, terms.making_amount, terms.taking_amount, terms.src_deposit, terms.dst_deposit),
                *(terms.expires_at, encode_order(signed.order), signed.extension),
                signed.signature.r + signed.signature.vs,
            )
            await conn.execute(SWAP, terms.hashlock, SRC, DST, "previous")
            await self._wake(conn, terms.hashlock)
        self.longest = max(self.longest, asyncio.get_running_loop().time() - started)

    async def work(self) -> None:
        """Claim and handle until cancelled; what fails comes back when its lease ends."""
        while True:
            rows: list[asyncpg.Record] = []
            with suppress(asyncpg.PostgresError):
                async with self._pool.acquire() as conn:
                    rows = await conn.fetch(CLAIM, [self._queue], [1], 4, 2.0)
            for row in rows:
                with suppress(asyncpg.PostgresError):
                    await self._handle(row)
            await asyncio.sleep(0)

    async def _handle(self, row: asyncpg.Record) -> None:
        started = asyncio.get_running_loop().time()
        async with self._pool.acquire() as conn, conn.transaction():
            swap = await conn.fetchrow(LOAD, row["key"])
            assert swap is not None
            version = swap["version"]
            if version <= len(STEPS):
                state, reason = STEPS[version - 1]
                terminal = version == len(STEPS)
                moved = await conn.execute(
                    MOVE, row["key"], version, state, reason, 1000 + version, None, None, terminal, 1
                )
                assert moved == "UPDATE 1"
                await conn.execute(HISTORY, row["key"], version + 1, swap["state"], state, reason, "previous")
                if not terminal:
                    await self._wake(conn, row["key"])
            assert await conn.execute(FINISH, row["id"], row["token"]) == "DELETE 1"
        self.moved += 1
        self.longest = max(self.longest, asyncio.get_running_loop().time() - started)

    async def _wake(self, conn: "asyncpg.pool.PoolConnectionProxy[asyncpg.Record]", hashlock: bytes) -> None:
        await conn.execute(
            ENQUEUE, self._queue, "advance_swap@1", 1, 0.0, hashlock, hashlock, hashlock.hex(), None, None
        )
