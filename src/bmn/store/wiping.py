"""Forgets what need not be kept secret any more: sealed secrets, and the calldata and transactions that carry them."""

from typing import Final

from bmn.pg.pool import Connection

RETENTION: Final = 86_400.0
"""Seconds that a swap must have been over."""

# The state is only an index, so the facts are asked too: every escrow that stands was emptied, everything that was
# said about the swap is in final blocks of chains that are being followed, no reorganisation took anything back while
# it was over, and nothing of ours can still be sent.
_WIPE = """
WITH sealed AS (
    SELECT hashlock FROM secrets UNION SELECT hashlock FROM intents WHERE bears_secret AND calldata <> ''
), over AS (
    SELECT s.hashlock FROM swaps s JOIN sealed USING (hashlock)
    WHERE s.terminal AND s.updated_at < clock_timestamp() - make_interval(secs => $1)
      AND NOT EXISTS (SELECT 1 FROM intents i WHERE i.hashlock = s.hashlock AND i.state NOT IN ('done', 'dead'))
      AND NOT EXISTS (
          SELECT 1 FROM escrows e WHERE e.hashlock = s.hashlock AND e.orphaned_at IS NULL AND NOT EXISTS (
              SELECT 1 FROM journal j WHERE j.hashlock = e.hashlock AND j.chain_id = e.chain_id
              AND j.emitter = e.address AND j.orphaned_at IS NULL
              AND j.kind IN ('escrow_withdrawal', 'escrow_cancelled')))
      AND NOT EXISTS (
          SELECT 1 FROM journal j LEFT JOIN chain_heads h ON h.chain_id = j.chain_id AND h.halted IS NULL
          WHERE j.hashlock = s.hashlock AND CASE WHEN j.orphaned_at IS NULL
              THEN h.chain_id IS NULL OR j.block_number > h.final_number
              ELSE j.orphaned_at >= clock_timestamp() - make_interval(secs => $1) END)
    ORDER BY s.hashlock LIMIT $2 FOR UPDATE OF s SKIP LOCKED
), secrets_gone AS (
    DELETE FROM secrets WHERE hashlock IN (SELECT hashlock FROM over)
), intents_bare AS (
    UPDATE intents SET calldata = '' WHERE hashlock IN (SELECT hashlock FROM over) AND bears_secret RETURNING id
), txs_bare AS (
    UPDATE txs SET raw = '' WHERE intent_id IN (SELECT id FROM intents_bare) AND NOT is_cancel
)
SELECT count(*) FROM over
"""


async def wipe_finished(conn: Connection, *, retention: float = RETENTION, limit: int = 1000) -> int:
    """Forget the secrets of at most `limit` swaps that were over `retention` seconds ago; return of how many."""
    wiped: int = await conn.fetchval(_WIPE, retention, limit)
    return wiped
