"""Tables of the engine: messages, dead messages, leases."""

from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

FENCE = """
-- Fencing tokens. CACHE 1: a larger cache gives sessions blocks of numbers, and a later owner could get a smaller one.
CREATE SEQUENCE fence AS bigint CACHE 1
"""

MESSAGES = """
CREATE TABLE messages (
    id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    queue        text COLLATE "C" NOT NULL CHECK (queue <> ''),
    kind         text COLLATE "C" NOT NULL CHECK (kind <> ''),
    priority     smallint NOT NULL CHECK (priority BETWEEN 0 AND 3),
    run_at       timestamptz NOT NULL,
    key          bytea,                       -- messages of one key never run at the same time
    payload      bytea NOT NULL,
    dedup        text COLLATE "C",            -- one waiting message for each (queue, dedup)
    attempts     integer NOT NULL DEFAULT 0,  -- claims so far
    max_attempts integer CHECK (max_attempts > 0),  -- null: never give up
    lease_token  bigint,                      -- set while somebody works on it
    lease_until  timestamptz,
    last_error   text,
    trace        text,
    created_at   timestamptz NOT NULL DEFAULT clock_timestamp(),
    CHECK ((lease_token IS NULL) = (lease_until IS NULL)),
    CHECK (dedup IS NULL OR key IS NOT NULL)
) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 500,
        autovacuum_vacuum_insert_scale_factor = 0.5)
"""

READY = """
CREATE INDEX messages_ready ON messages (queue, priority, run_at, id) WHERE lease_token IS NULL
"""

LEASED = """
CREATE INDEX messages_leased ON messages (lease_until) WHERE lease_token IS NOT NULL
"""

BUSY = """
CREATE UNIQUE INDEX messages_busy ON messages (key) WHERE key IS NOT NULL AND lease_token IS NOT NULL
"""

SAME_KEY = """
CREATE INDEX messages_same_key ON messages (key, priority DESC, run_at, id)
    WHERE key IS NOT NULL AND lease_token IS NULL
"""

WAITING = """
CREATE UNIQUE INDEX messages_waiting ON messages (queue, dedup) WHERE dedup IS NOT NULL AND lease_token IS NULL
"""

DEAD = """
CREATE TABLE dead_messages (
    id           bigint PRIMARY KEY,          -- as it was in messages
    queue        text COLLATE "C" NOT NULL,
    kind         text COLLATE "C" NOT NULL,
    priority     smallint NOT NULL,
    key          bytea,
    payload      bytea NOT NULL,
    dedup        text COLLATE "C",
    attempts     integer NOT NULL,
    max_attempts integer,
    error        text NOT NULL,
    trace        text,
    created_at   timestamptz NOT NULL,
    died_at      timestamptz NOT NULL DEFAULT clock_timestamp()
)
"""

LEASES = """
CREATE TABLE leases (
    name       text COLLATE "C" PRIMARY KEY,
    holder     text NOT NULL,
    token      bigint NOT NULL,
    expires_at timestamptz NOT NULL           -- -infinity: free. Rows are never deleted, so tokens only rise
) WITH (fillfactor = 50)
"""


def upgrade() -> None:
    """Create them."""
    for statement in (FENCE, MESSAGES, READY, LEASED, BUSY, SAME_KEY, WAITING, DEAD, LEASES):
        op.execute(statement)
