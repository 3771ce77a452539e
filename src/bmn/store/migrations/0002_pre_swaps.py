"""Tables of orders and swaps."""

from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

ORDERS = """
CREATE TABLE orders (
    hashlock      bytea PRIMARY KEY CHECK (length(hashlock) = 32),   -- never used twice, on any chain, for ever
    order_hash    bytea NOT NULL UNIQUE CHECK (length(order_hash) = 32),
    maker         bytea NOT NULL CHECK (length(maker) = 20),
    src_chain     bigint NOT NULL,
    dst_chain     bigint NOT NULL,
    src_token     bytea NOT NULL,
    dst_token     bytea NOT NULL,
    making_amount numeric(78,0) NOT NULL CHECK (making_amount > 0),
    taking_amount numeric(78,0) NOT NULL CHECK (taking_amount > 0),
    src_deposit   numeric(78,0) NOT NULL,
    dst_deposit   numeric(78,0) NOT NULL,
    expires_at    bigint NOT NULL,            -- source chain seconds, 0 = never
    order_words   bytea NOT NULL CHECK (length(order_words) = 256),
    extension     bytea NOT NULL,
    signature     bytea NOT NULL CHECK (length(signature) = 64),     -- r || vs
    received_at   timestamptz NOT NULL DEFAULT clock_timestamp()
)
"""

SWAPS = """
CREATE TABLE swaps (
    hashlock     bytea PRIMARY KEY REFERENCES orders,
    src_chain    bigint NOT NULL,
    dst_chain    bigint NOT NULL,
    state        text NOT NULL,               -- an index over facts, never a fact
    reason       text NOT NULL,
    version      bigint NOT NULL,
    wake_src     bigint,                      -- look again when the source chain reaches this second
    wake_dst     bigint,
    reveal_until bigint,                      -- destination second before which a secret is taken
    terminal     boolean NOT NULL,
    updated_at   timestamptz NOT NULL DEFAULT clock_timestamp()
) WITH (fillfactor = 70)
"""

BY_STATE = "CREATE INDEX swaps_by_state ON swaps (state, hashlock)"
OPEN = "CREATE INDEX swaps_open ON swaps (updated_at) WHERE NOT terminal"
WAKE_SRC = "CREATE INDEX swaps_wake_src ON swaps (src_chain, wake_src) WHERE wake_src IS NOT NULL"
WAKE_DST = "CREATE INDEX swaps_wake_dst ON swaps (dst_chain, wake_dst) WHERE wake_dst IS NOT NULL"

EVENTS = """
CREATE TABLE swap_events (
    hashlock bytea NOT NULL REFERENCES swaps,
    version  bigint NOT NULL,
    at       timestamptz NOT NULL DEFAULT clock_timestamp(),
    before   text,
    after    text NOT NULL,
    reason   text NOT NULL,
    actor    text NOT NULL,
    PRIMARY KEY (hashlock, version)
)
"""

SECRETS = """
CREATE TABLE secrets (
    hashlock    bytea PRIMARY KEY REFERENCES orders,
    sealed      bytea NOT NULL,               -- AES-256-GCM, the hashlock is bound to it
    received_at timestamptz NOT NULL DEFAULT clock_timestamp()
)
"""

EVIDENCE = """
CREATE TABLE evidence (
    hashlock bytea NOT NULL REFERENCES orders,
    at       timestamptz NOT NULL DEFAULT clock_timestamp(),
    body     jsonb NOT NULL,                  -- what was checked, at which block, before a lock was wanted
    PRIMARY KEY (hashlock, at)
)
"""


def upgrade() -> None:
    """Create them."""
    for statement in (ORDERS, SWAPS, BY_STATE, OPEN, WAKE_SRC, WAKE_DST, EVENTS, SECRETS, EVIDENCE):
        op.execute(statement)
