"""Tables for readers, built from the journal alone: escrows, their ends, swaps, orders, the token, statistics.

Names, columns and ids are those a client of the Ponder indexer knows: text is lower-case 0x-hex, an id is joined by
`-`, times are chain times. Only what stands in canonical blocks is here; `block_number`, `block_hash` give the level.
"""

from alembic import op

revision = "0011"
down_revision = "0008"
branch_labels = None
depends_on = None

# PostgreSQL 15 cannot read hexadecimal numbers; an ABI word is four of its signed 64-bit ones and a bit.
FUNCTIONS = (
    """
    CREATE FUNCTION abi_word(body text, word integer) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
        SELECT substr(body, 3 + 64 * word, 64)
    $$
    """,
    """
    CREATE FUNCTION abi_address(body text, word integer) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
        SELECT '0x' || substr(body, 27 + 64 * word, 40)
    $$
    """,
    """
    CREATE FUNCTION abi_uint(body text, word integer) RETURNS numeric LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
        SELECT CASE WHEN substr(body, 3 + 64 * word, 49) = repeat('0', 49)
            THEN ('x' || substr(body, 52 + 64 * word, 15))::bit(60)::bigint::numeric
            ELSE ((((('x' || substr(body, 3 + 64 * word, 4))::bit(16)::integer::numeric * 1152921504606846976
                + ('x' || substr(body, 7 + 64 * word, 15))::bit(60)::bigint) * 1152921504606846976
                + ('x' || substr(body, 22 + 64 * word, 15))::bit(60)::bigint) * 1152921504606846976
                + ('x' || substr(body, 37 + 64 * word, 15))::bit(60)::bigint) * 1152921504606846976
                + ('x' || substr(body, 52 + 64 * word, 15))::bit(60)::bigint) END
    $$
    """,
)

SRC_ESCROW = """
CREATE TABLE src_escrow (
    id                 text PRIMARY KEY,      -- chain_id-escrow_address
    chain_id           bigint NOT NULL,
    escrow_address     text NOT NULL,
    order_hash         text NOT NULL,
    hashlock           text NOT NULL,
    maker              text NOT NULL,
    taker              text NOT NULL,
    src_token          text NOT NULL,
    src_amount         numeric(78,0) NOT NULL,
    src_safety_deposit numeric(78,0) NOT NULL,
    dst_maker          text NOT NULL,
    dst_token          text NOT NULL,
    dst_amount         numeric(78,0) NOT NULL,
    dst_safety_deposit numeric(78,0) NOT NULL,
    dst_chain_id       numeric(78,0) NOT NULL,
    timelocks          numeric(78,0) NOT NULL,
    created_at         bigint NOT NULL,
    block_number       bigint NOT NULL,
    block_hash         text NOT NULL,
    log_index          integer NOT NULL,
    transaction_hash   text NOT NULL,
    status             text NOT NULL CHECK (status IN ('created', 'withdrawn', 'cancelled'))
) WITH (fillfactor = 90)
"""

DST_ESCROW = """
CREATE TABLE dst_escrow (
    id               text PRIMARY KEY,        -- chain_id-escrow_address
    chain_id         bigint NOT NULL,
    escrow_address   text NOT NULL,
    hashlock         text NOT NULL,
    taker            text NOT NULL,
    created_at       bigint NOT NULL,
    block_number     bigint NOT NULL,
    block_hash       text NOT NULL,
    log_index        integer NOT NULL,
    transaction_hash text NOT NULL,
    status           text NOT NULL CHECK (status IN ('created', 'withdrawn', 'cancelled'))
) WITH (fillfactor = 90)
"""

ESCROW_WITHDRAWAL = """
CREATE TABLE escrow_withdrawal (
    id               text PRIMARY KEY,        -- chain_id-escrow_address-transaction_hash-log_index
    chain_id         bigint NOT NULL,
    escrow_address   text NOT NULL,
    hashlock         text NOT NULL,
    secret           text NOT NULL,           -- its keccak256 is the hashlock
    withdrawn_at     bigint NOT NULL,
    block_number     bigint NOT NULL,
    block_hash       text NOT NULL,
    log_index        integer NOT NULL,
    transaction_hash text NOT NULL
)
"""

ESCROW_CANCELLATION = """
CREATE TABLE escrow_cancellation (
    id               text PRIMARY KEY,        -- chain_id-escrow_address-transaction_hash-log_index
    chain_id         bigint NOT NULL,
    escrow_address   text NOT NULL,
    hashlock         text NOT NULL,
    cancelled_at     bigint NOT NULL,
    block_number     bigint NOT NULL,
    block_hash       text NOT NULL,
    log_index        integer NOT NULL,
    transaction_hash text NOT NULL
)
"""

ATOMIC_SWAP = """
CREATE TABLE atomic_swap (
    id                 text PRIMARY KEY,      -- the hashlock
    order_hash         text,
    src_chain_id       bigint,
    dst_chain_id       bigint,                -- null when the order names a chain that cannot be
    src_escrow_address text,
    dst_escrow_address text,
    maker              text,
    taker              text,
    src_amount         numeric(78,0),
    dst_amount         numeric(78,0),
    status             text NOT NULL CHECK (status IN ('src_created', 'dst_created', 'cancelled', 'completed')),
    src_created_at     bigint,
    dst_created_at     bigint,
    completed_at       bigint,                -- the last withdrawal
    cancelled_at       bigint,                -- the last cancellation
    secret             text
) WITH (fillfactor = 90)
"""

ORDER_FILL = """
CREATE TABLE order_fill (
    id               text PRIMARY KEY,        -- chain_id-transaction_hash-log_index
    chain_id         bigint NOT NULL,
    order_hash       text NOT NULL,
    remaining        numeric(78,0) NOT NULL,  -- making amount left
    filled_at        bigint NOT NULL,
    block_number     bigint NOT NULL,
    block_hash       text NOT NULL,
    log_index        integer NOT NULL,
    transaction_hash text NOT NULL
)
"""

ORDER_CANCELLATION = """
CREATE TABLE order_cancellation (
    id               text PRIMARY KEY,        -- chain_id-transaction_hash-log_index
    chain_id         bigint NOT NULL,
    order_hash       text,                    -- anybody can say it of any order: proves nothing
    maker            text,                    -- with slot and mask: these nonces are spent, by the maker's own word
    slot             numeric(78,0),
    mask             numeric(78,0),
    cancelled_at     bigint NOT NULL,
    block_number     bigint NOT NULL,
    block_hash       text NOT NULL,
    log_index        integer NOT NULL,
    transaction_hash text NOT NULL,
    CHECK ((order_hash IS NULL) <> (maker IS NULL))
)
"""

BMN_TRANSFER = """
CREATE TABLE bmn_transfer (
    id               text PRIMARY KEY,        -- chain_id-transaction_hash-log_index
    chain_id         bigint NOT NULL,
    sender           text NOT NULL,           -- zero when minted
    receiver         text NOT NULL,           -- zero when burnt
    amount           numeric(78,0) NOT NULL,
    transferred_at   bigint NOT NULL,
    block_number     bigint NOT NULL,
    block_hash       text NOT NULL,
    log_index        integer NOT NULL,
    transaction_hash text NOT NULL
)
"""

BMN_HOLDER = """
CREATE TABLE bmn_holder (
    id       text PRIMARY KEY,                -- chain_id-address
    chain_id bigint NOT NULL,
    address  text NOT NULL,
    balance  numeric(78,0) NOT NULL           -- received minus sent since the first block that was read; not zero
)
"""

CHAIN_STATISTICS = """
CREATE TABLE chain_statistics (
    id                  text PRIMARY KEY,     -- chain_id
    chain_id            bigint NOT NULL UNIQUE,
    rules               integer NOT NULL,     -- the version by which the rows of this chain were built, and the last
    block_number        bigint NOT NULL,      -- block in them; if not those of the journal, they are built again
    src_escrows         bigint NOT NULL,      -- events in canonical blocks, by contracts of ours
    dst_escrows         bigint NOT NULL,
    withdrawals         bigint NOT NULL,
    cancellations       bigint NOT NULL,
    rescues             bigint NOT NULL,
    order_fills         bigint NOT NULL,
    order_cancellations bigint NOT NULL,
    bmn_transfers       bigint NOT NULL
) WITH (fillfactor = 50)
"""

HANDOFFS = """
CREATE TABLE handoffs (
    chain_id   bigint NOT NULL,
    block_hash bytea NOT NULL CHECK (length(block_hash) = 32),
    log_index  integer NOT NULL,
    level      text NOT NULL CHECK (level IN ('seen', 'confirmed', 'safe', 'finalized', 'orphaned')),
    hashlock   bytea NOT NULL,                -- a swap that was woken, in the same transaction, for this event
    trace      text NOT NULL,
    handed_at  timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (chain_id, block_hash, log_index, level, hashlock)
)
"""

INDEXES = (
    "CREATE INDEX src_escrow_by_block ON src_escrow (chain_id, block_number)",
    "CREATE INDEX src_escrow_by_status ON src_escrow (chain_id, status, created_at, id)",
    "CREATE INDEX src_escrow_by_hashlock ON src_escrow (hashlock)",
    "CREATE INDEX dst_escrow_by_block ON dst_escrow (chain_id, block_number)",
    "CREATE INDEX dst_escrow_by_hashlock ON dst_escrow (hashlock)",
    "CREATE INDEX escrow_withdrawal_by_block ON escrow_withdrawal (chain_id, block_number)",
    "CREATE INDEX escrow_withdrawal_by_hashlock ON escrow_withdrawal (hashlock)",
    "CREATE INDEX escrow_cancellation_by_block ON escrow_cancellation (chain_id, block_number)",
    "CREATE INDEX escrow_cancellation_by_hashlock ON escrow_cancellation (hashlock)",
    "CREATE INDEX atomic_swap_by_status ON atomic_swap (status)",
    "CREATE INDEX order_fill_by_block ON order_fill (chain_id, block_number)",
    "CREATE INDEX order_fill_by_order ON order_fill (order_hash)",
    "CREATE INDEX order_cancellation_by_block ON order_cancellation (chain_id, block_number)",
    "CREATE INDEX bmn_transfer_by_block ON bmn_transfer (chain_id, block_number)",
    "CREATE INDEX bmn_holder_by_balance ON bmn_holder (chain_id, balance)",
    """
    CREATE INDEX journal_by_escrow ON journal (chain_id, escrow)
        WHERE escrow IS NOT NULL AND orphaned_at IS NULL AND NOT is_foreign
    """,
)

# A block that is read again, after a reorganisation or a rewind, is not counted again.
STRANGERS = (
    "ALTER TABLE strangers ADD COLUMN up_to bigint NOT NULL DEFAULT 0",
    "UPDATE strangers s SET up_to = h.number FROM chain_heads h WHERE h.chain_id = s.chain_id",
)


def upgrade() -> None:
    """Create them, empty: whoever follows a chain next fills them from the journal."""
    tables = (
        SRC_ESCROW,
        DST_ESCROW,
        ESCROW_WITHDRAWAL,
        ESCROW_CANCELLATION,
        ATOMIC_SWAP,
        ORDER_FILL,
        ORDER_CANCELLATION,
        BMN_TRANSFER,
        BMN_HOLDER,
        CHAIN_STATISTICS,
        HANDOFFS,
    )
    for statement in (*FUNCTIONS, *tables, *INDEXES, *STRANGERS):
        op.execute(statement)
