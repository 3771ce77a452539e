"""Tables of the indexer: heads, the window of canonical blocks, the journal of events, escrows, strangers' counts."""

from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

HEADS = """
CREATE TABLE chain_heads (
    chain_id     bigint PRIMARY KEY,
    number       bigint NOT NULL,             -- the last block whose events are in the journal
    hash         bytea NOT NULL CHECK (length(hash) = 32),
    time         bigint NOT NULL,
    final_number bigint NOT NULL,             -- blocks up to here are final; negative on a chain younger than its depth
    final_time   bigint NOT NULL,
    halted       text,                        -- why this chain is not followed any more
    seen_at      timestamptz NOT NULL DEFAULT clock_timestamp()
) WITH (fillfactor = 50)
"""

BLOCKS = """
CREATE TABLE chain_blocks (
    chain_id    bigint NOT NULL,
    number      bigint NOT NULL,
    hash        bytea NOT NULL CHECK (length(hash) = 32),
    parent_hash bytea NOT NULL CHECK (length(parent_hash) = 32),
    time        bigint NOT NULL,
    PRIMARY KEY (chain_id, number)            -- canonical ones only, of the window in which a reorg is undone
)
"""

JOURNAL = """
CREATE TABLE journal (
    chain_id     bigint NOT NULL,
    block_hash   bytea NOT NULL CHECK (length(block_hash) = 32),
    log_index    integer NOT NULL,
    block_number bigint NOT NULL,
    block_time   bigint NOT NULL,
    tx_hash      bytea NOT NULL CHECK (length(tx_hash) = 32),
    emitter      bytea NOT NULL CHECK (length(emitter) = 20),
    kind         text NOT NULL,
    hashlock     bytea,
    order_hash   bytea,
    escrow       bytea,
    maker        bytea,                       -- of a spent nonce, which names no order
    secret       bytea,                       -- its keccak256 is the hashlock
    body         jsonb NOT NULL,
    is_foreign   boolean NOT NULL,            -- not by a contract of ours: evidence, never a fact
    orphaned_at  timestamptz,                 -- its block left the chain
    PRIMARY KEY (chain_id, block_hash, log_index)
)
"""

BY_BLOCK = "CREATE INDEX journal_by_block ON journal (chain_id, block_number) WHERE orphaned_at IS NULL"
BY_HASHLOCK = "CREATE INDEX journal_by_hashlock ON journal (hashlock) WHERE hashlock IS NOT NULL"
BY_ORDER = "CREATE INDEX journal_by_order ON journal (order_hash) WHERE order_hash IS NOT NULL"
BY_MAKER = "CREATE INDEX journal_by_maker ON journal (chain_id, maker) WHERE maker IS NOT NULL"
ORDERS_BY_MAKER = "CREATE INDEX orders_by_maker ON orders (maker)"

ESCROWS = """
CREATE TABLE escrows (
    chain_id     bigint NOT NULL,
    address      bytea NOT NULL CHECK (length(address) = 20),
    block_hash   bytea NOT NULL CHECK (length(block_hash) = 32),
    side         text NOT NULL CHECK (side IN ('src', 'dst')),
    hashlock     bytea NOT NULL,
    order_hash   bytea NOT NULL,
    immutables   bytea NOT NULL CHECK (length(immutables) = 256),
    complement   bytea CHECK (length(complement) = 160),
    block_number bigint NOT NULL,
    block_time   bigint NOT NULL,
    tx_hash      bytea NOT NULL,
    orphaned_at  timestamptz,
    PRIMARY KEY (chain_id, address, block_hash),
    CHECK ((side = 'src') = (complement IS NOT NULL))
)
"""

ESCROWS_BY_HASHLOCK = "CREATE INDEX escrows_by_hashlock ON escrows (hashlock)"
ESCROWS_BY_BLOCK = "CREATE INDEX escrows_by_block ON escrows (chain_id, block_number) WHERE orphaned_at IS NULL"

STRANGERS = """
CREATE TABLE strangers (
    chain_id bigint NOT NULL,
    kind     text NOT NULL,
    count    bigint NOT NULL,                 -- of events like ours by contracts that are not
    PRIMARY KEY (chain_id, kind)
) WITH (fillfactor = 50)
"""


def upgrade() -> None:
    """Create them."""
    tables = (HEADS, BLOCKS, JOURNAL, ESCROWS, STRANGERS)
    indexes = (BY_BLOCK, BY_HASHLOCK, BY_ORDER, BY_MAKER, ORDERS_BY_MAKER, ESCROWS_BY_HASHLOCK, ESCROWS_BY_BLOCK)
    for statement in (*tables, *indexes):
        op.execute(statement)
