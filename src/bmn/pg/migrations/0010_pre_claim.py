"""The claim as a function, which is planned once."""

from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

CLAIM = """
CREATE FUNCTION claim_messages(queues text[], priorities smallint[], most integer, seconds float8)
RETURNS SETOF messages LANGUAGE plpgsql
-- Without these each call is planned anew, or from statistics of the day when the table was empty.
SET plan_cache_mode = force_generic_plan SET enable_seqscan = off SET enable_bitmapscan = off SET enable_sort = off
-- It takes `most` for a tenth of the table, and would read all of it to join the few that were picked.
SET enable_hashjoin = off SET enable_mergejoin = off
AS $$
BEGIN
    RETURN QUERY
    WITH picked AS MATERIALIZED (
        SELECT candidate.id
        -- Lanes come most urgent first and the nested loop keeps their order. An ORDER BY would lock the rows of all.
        FROM unnest(queues, priorities) AS lane (queue, priority)
        CROSS JOIN LATERAL (
            SELECT m.id FROM messages m
            WHERE m.queue = lane.queue AND m.priority = lane.priority AND m.lease_token IS NULL
              AND m.run_at <= statement_timestamp()  -- clock_timestamp() is volatile: it would not use the index
              AND (m.key IS NULL OR (
                  NOT EXISTS (SELECT FROM messages busy WHERE busy.key = m.key AND busy.lease_token IS NOT NULL)
                  AND NOT EXISTS (
                      SELECT FROM messages first
                      WHERE first.key = m.key AND first.lease_token IS NULL AND first.queue = ANY (queues)
                        AND first.run_at <= statement_timestamp()
                        AND (-first.priority, first.run_at, first.id) < (-m.priority, m.run_at, m.id))))
            ORDER BY m.run_at, m.id
            LIMIT most
            FOR UPDATE SKIP LOCKED
        ) AS candidate
        LIMIT most
    )
    UPDATE messages
    SET lease_token = nextval('fence'), lease_until = clock_timestamp() + make_interval(secs => seconds),
        attempts = attempts + 1
    FROM picked WHERE messages.id = picked.id
    RETURNING messages.*;
END
$$
"""


def upgrade() -> None:
    """Create it."""
    op.execute(CLAIM)
