"""The key-value table, and the function that commits many changes at once."""

from alembic import op

revision = "0005"
down_revision = "0001"
branch_labels = None
depends_on = None

VERSION = """
-- CACHE 1: a larger cache gives sessions blocks of numbers, and a later change could get a smaller one.
CREATE SEQUENCE kv_version AS bigint CACHE 1
"""

KV = """
CREATE TABLE kv (
    key        text COLLATE "C" PRIMARY KEY CHECK (octet_length(key) BETWEEN 1 AND 1024),
    value      bytea NOT NULL,
    version    bigint NOT NULL,               -- rises with every change of the key, also over a deletion
    tag        text COLLATE "C",              -- what else the entry is found by
    expires_at timestamptz                    -- from then on it counts as absent, removed or not
) WITH (fillfactor = 80, autovacuum_vacuum_scale_factor = 0.05, autovacuum_vacuum_threshold = 500)
"""

TAGGED = "CREATE INDEX kv_tagged ON kv (tag, key) WHERE tag IS NOT NULL"

EXPIRING = "CREATE INDEX kv_expiring ON kv (expires_at) WHERE expires_at IS NOT NULL"

# One writer for each key, also for a key that does not exist yet. Folded to 1024 numbers, so that the server's table of
# locks cannot run full; whoever takes several takes them in the order of their numbers.
BUCKET = """
CREATE FUNCTION kv_bucket(key text) RETURNS integer IMMUTABLE LANGUAGE sql AS 'SELECT hashtext(key) & 1023'
"""

LOCK = """
CREATE FUNCTION kv_lock(bucket integer) RETURNS void LANGUAGE sql AS 'SELECT pg_advisory_xact_lock(7042, bucket)'
"""

# Several commits in one statement, each for itself: a number as in kv.version where it stands, 0 where a check failed,
# -1 where a message to be finished is not ours any more. No two commits of a call may touch the same key,
# `dedup` or message.
COMMIT = """
CREATE FUNCTION kv_commit(
    commits integer,
    c_commit integer[], c_key text[], c_version bigint[],
    s_commit integer[], s_key text[], s_value bytea[], s_tag text[], s_seconds float8[],
    f_commit integer[], f_id bigint[], f_token bigint[],
    m_commit integer[], m_queue text[], m_kind text[], m_priority smallint[], m_delay float8[], m_key bytea[],
    m_payload bytea[], m_dedup text[], m_max_attempts integer[], m_trace text[]
) RETURNS bigint[] LANGUAGE plpgsql
-- Without these each call is planned anew, or from statistics of the day when the tables were empty.
SET plan_cache_mode = force_generic_plan SET enable_seqscan = off
AS $$
DECLARE
    refused  integer[];
    lost     integer[];
    ended    bigint[];
    versions bigint[];
BEGIN
    PERFORM kv_lock(bucket) FROM (
        SELECT DISTINCT kv_bucket(key) AS bucket FROM unnest(c_key || s_key) AS touched (key) ORDER BY bucket
    ) AS buckets;

    IF cardinality(c_key) > 0 THEN
        SELECT array_agg(wanted.commit) INTO refused
        FROM unnest(c_commit, c_key, c_version) AS wanted (commit, key, version)
        WHERE wanted.version IS DISTINCT FROM (
            SELECT kv.version FROM kv
            WHERE kv.key = wanted.key AND (kv.expires_at IS NULL OR kv.expires_at > clock_timestamp()));
    END IF;

    IF cardinality(f_id) > 0 THEN
        -- Tokens are unique and each message is named once, so these are the right pairs.
        WITH gone AS (
            DELETE FROM messages WHERE id = ANY (f_id) AND lease_token = ANY (f_token)
                AND (refused IS NULL OR id <> ALL (ARRAY(
                    SELECT f.id FROM unnest(f_commit, f_id) AS f (commit, id) WHERE f.commit = ANY (refused))))
            RETURNING id
        )
        SELECT array_agg(gone.id) INTO ended FROM gone;
        SELECT array_agg(f.commit) INTO lost FROM unnest(f_commit, f_id) AS f (commit, id)
        WHERE (ended IS NULL OR f.id <> ALL (ended)) AND (refused IS NULL OR f.commit <> ALL (refused));
        IF lost IS NOT NULL AND EXISTS (
            SELECT FROM unnest(f_commit) AS f (commit) WHERE f.commit = ANY (lost) GROUP BY f.commit HAVING count(*) > 1
        ) THEN
            RAISE EXCEPTION 'one of several messages is lost' USING ERRCODE = 'BM001';
        END IF;
    END IF;

    SELECT array_agg(CASE WHEN number = ANY (refused) THEN 0 WHEN number = ANY (lost) THEN -1
                          ELSE nextval('kv_version') END ORDER BY number)
    INTO versions FROM generate_series(1, commits) AS number;

    IF cardinality(s_key) > 0 THEN
        INSERT INTO kv (key, value, version, tag, expires_at)
        SELECT s.key, s.value, versions[s.commit], s.tag, clock_timestamp() + make_interval(secs => s.seconds)
        FROM unnest(s_commit, s_key, s_value, s_tag, s_seconds) AS s (commit, key, value, tag, seconds)
        WHERE s.value IS NOT NULL AND versions[s.commit] > 0
        ON CONFLICT (key) DO UPDATE SET value = EXCLUDED.value, version = EXCLUDED.version, tag = EXCLUDED.tag,
                                        expires_at = EXCLUDED.expires_at;
        IF array_position(s_value, NULL) IS NOT NULL THEN
            DELETE FROM kv WHERE key = ANY (ARRAY(
                SELECT s.key FROM unnest(s_commit, s_key, s_value) AS s (commit, key, value)
                WHERE s.value IS NULL AND versions[s.commit] > 0));
        END IF;
    END IF;

    IF cardinality(m_queue) > 0 THEN
        INSERT INTO messages (queue, kind, priority, run_at, key, payload, dedup, max_attempts, trace)
        SELECT m.queue, m.kind, m.priority, clock_timestamp() + make_interval(secs => m.delay), m.key, m.payload,
               m.dedup, m.max_attempts, m.trace
        FROM unnest(m_commit, m_queue, m_kind, m_priority, m_delay, m_key, m_payload, m_dedup, m_max_attempts, m_trace)
             AS m (commit, queue, kind, priority, delay, key, payload, dedup, max_attempts, trace)
        WHERE versions[m.commit] > 0
        ORDER BY m.queue, m.dedup  -- one order for all, since a waiting duplicate is locked
        ON CONFLICT (queue, dedup) WHERE dedup IS NOT NULL AND lease_token IS NULL
        DO UPDATE SET run_at = LEAST(messages.run_at, EXCLUDED.run_at),
                      priority = GREATEST(messages.priority, EXCLUDED.priority),
                      max_attempts = CASE WHEN messages.max_attempts + EXCLUDED.max_attempts IS NOT NULL
                                          THEN GREATEST(messages.max_attempts, EXCLUDED.max_attempts) END;
    END IF;
    RETURN versions;
END
$$
"""


def upgrade() -> None:
    """Create them."""
    for statement in (VERSION, KV, TAGGED, EXPIRING, BUCKET, LOCK, COMMIT):
        op.execute(statement)
