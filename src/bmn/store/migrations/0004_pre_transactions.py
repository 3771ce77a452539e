"""Tables of the transaction manager: what we want on a chain, and every transaction we signed for it."""

from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

INTENTS = """
CREATE TABLE intents (
    id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    hashlock     bytea CHECK (octet_length(hashlock) = 32),  -- null: of no swap (a hole in a lane that is filled)
    action       text COLLATE "C" NOT NULL,
    ordinal      integer NOT NULL CHECK (ordinal >= 0),
    chain_id     bigint NOT NULL,
    signer       bytea CHECK (octet_length(signer) = 20),
    nonce        bigint CHECK (nonce >= 0),   -- set with the first signed transaction, in one database transaction
    target       bytea NOT NULL CHECK (octet_length(target) = 20),
    calldata     bytea NOT NULL,              -- sealed when bears_secret
    value        numeric(78,0) NOT NULL CHECK (value >= 0),
    gas          bigint CHECK (gas > 0),
    not_after    bigint,                      -- chain seconds after which it must not be sent
    deadline     bigint,                      -- chain seconds by which it should be mined
    urgency      smallint NOT NULL CHECK (urgency BETWEEN 0 AND 3),  -- 0 first
    bears_secret boolean NOT NULL,
    state        text COLLATE "C" NOT NULL CHECK (state IN ('waiting', 'pending', 'mined', 'reverted', 'done', 'dead')),
    wanted       boolean NOT NULL,
    failure      text,
    created_at   timestamptz NOT NULL DEFAULT clock_timestamp(),
    updated_at   timestamptz NOT NULL DEFAULT clock_timestamp(),
    UNIQUE (hashlock, action, ordinal),
    UNIQUE (chain_id, signer, nonce),
    CHECK ((signer IS NULL) = (nonce IS NULL)),
    CHECK (nonce IS NOT NULL OR state IN ('waiting', 'dead')),
    CHECK (NOT bears_secret OR gas IS NOT NULL)  -- what carries a secret is never simulated
) WITH (fillfactor = 80)
"""

INTENTS_WAITING = """
CREATE INDEX intents_waiting ON intents (chain_id, urgency, id) WHERE state = 'waiting' AND nonce IS NULL
"""

INTENTS_OPEN = """
CREATE INDEX intents_open ON intents (chain_id, signer, nonce)
    WHERE nonce IS NOT NULL AND state NOT IN ('done', 'dead')
"""

TXS = """
CREATE TABLE txs (
    hash         bytea PRIMARY KEY CHECK (octet_length(hash) = 32),
    intent_id    bigint NOT NULL REFERENCES intents (id),
    chain_id     bigint NOT NULL,
    signer       bytea NOT NULL CHECK (octet_length(signer) = 20),
    nonce        bigint NOT NULL CHECK (nonce >= 0),
    raw          bytea NOT NULL,              -- sealed when it carries a secret
    max_fee      numeric(78,0) NOT NULL,
    priority_fee numeric(78,0) NOT NULL,
    signed_at    bigint NOT NULL,             -- height of the head then
    created_at   timestamptz NOT NULL DEFAULT clock_timestamp(),
    is_cancel    boolean NOT NULL,            -- a self-transfer that frees the nonce
    accepted     boolean NOT NULL DEFAULT false,  -- an endpoint took it
    block_number bigint,
    block_hash   bytea CHECK (octet_length(block_hash) = 32),
    succeeded    boolean,
    gas_used     bigint,
    gas_price    numeric(78,0),
    CHECK ((block_number IS NULL) = (block_hash IS NULL) AND (block_number IS NULL) = (succeeded IS NULL)
       AND (block_number IS NULL) = (gas_used IS NULL) AND (block_number IS NULL) = (gas_price IS NULL))
) WITH (fillfactor = 80)
"""

TXS_OF_INTENT = "CREATE INDEX txs_of_intent ON txs (intent_id)"

TXS_OF_LANE = "CREATE INDEX txs_of_lane ON txs (chain_id, signer, nonce)"


def upgrade() -> None:
    """Create them."""
    for statement in (INTENTS, INTENTS_WAITING, INTENTS_OPEN, TXS, TXS_OF_INTENT, TXS_OF_LANE):
        op.execute(statement)
