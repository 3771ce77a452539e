"""Secrets that can be rotated and wiped: which key seals, who runs with which keys, what is still sealed."""

from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

SEALING = """
CREATE TABLE sealing (
    one         boolean PRIMARY KEY DEFAULT true CHECK (one),
    key_id      bytea NOT NULL CHECK (octet_length(key_id) = 8),       -- everything new is sealed under this key
    previous_id bytea CHECK (octet_length(previous_id) = 8),           -- set until nothing is sealed under it
    since       timestamptz NOT NULL DEFAULT clock_timestamp(),
    CHECK (previous_id <> key_id)
)
"""

KEY_HOLDERS = """
CREATE TABLE key_holders (
    holder  text PRIMARY KEY,                 -- a running process
    key_ids bytea[] NOT NULL,                 -- the keys it was given
    seen_at timestamptz NOT NULL DEFAULT clock_timestamp()
)
"""

# What is still sealed is found without reading what was wiped, which is all but the newest.
INTENTS_SEALED = "CREATE INDEX intents_sealed ON intents (id) WHERE bears_secret AND calldata <> ''"
SECRETS_OLDEST = "CREATE INDEX secrets_oldest ON secrets (received_at)"


def upgrade() -> None:
    """Create them."""
    for statement in (SEALING, KEY_HOLDERS, INTENTS_SEALED, SECRETS_OLDEST):
        op.execute(statement)
