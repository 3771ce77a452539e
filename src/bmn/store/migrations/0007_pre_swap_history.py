"""Laws of the swap store: lists by index, a history that nobody changes, and numbers for the feed of changes."""

from alembic import op

revision = "0007"
down_revision = "0004"
branch_labels = None
depends_on = None

# An order's number is where it stands among all. Its swap has number and hash, too, so that a list reads one index and
# one table; by a trigger, since an older program that still runs does not know of them.
LISTS = (
    # A table keeps no order: room that was left is used again.
    "ALTER TABLE orders ADD COLUMN number bigint",
    """
    UPDATE orders o SET number = came.number
    FROM (SELECT hashlock, row_number() OVER (ORDER BY received_at, hashlock) AS number FROM orders) came
    WHERE came.hashlock = o.hashlock
    """,
    "ALTER TABLE orders ALTER COLUMN number SET NOT NULL, ALTER COLUMN number ADD GENERATED ALWAYS AS IDENTITY",
    "SELECT setval(pg_get_serial_sequence('orders', 'number'), (SELECT count(*) FROM orders) + 1, false)",
    "CREATE UNIQUE INDEX orders_by_number ON orders (number)",
    "DROP INDEX orders_by_maker",
    "CREATE INDEX orders_by_maker ON orders (maker, number)",
    "ALTER TABLE swaps ADD COLUMN number bigint, ADD COLUMN order_hash bytea",
    "UPDATE swaps s SET number = o.number, order_hash = o.order_hash FROM orders o WHERE o.hashlock = s.hashlock",
    "ALTER TABLE swaps ALTER COLUMN number SET NOT NULL, ALTER COLUMN order_hash SET NOT NULL",
    """
    CREATE FUNCTION take_from_order() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        SELECT number, order_hash INTO NEW.number, NEW.order_hash FROM orders WHERE hashlock = NEW.hashlock;
        RETURN NEW;
    END $$
    """,
    """
    CREATE TRIGGER take_from_order BEFORE INSERT ON swaps
        FOR EACH ROW WHEN (NEW.number IS NULL) EXECUTE FUNCTION take_from_order()
    """,
    "DROP INDEX swaps_by_state",
    "CREATE INDEX swaps_by_state ON swaps (state, number)",
    # Not by `updated_at`: a column that every look changes would make each of them write every index.
    "DROP INDEX swaps_open",
    "CREATE INDEX swaps_open ON swaps (number) WHERE NOT terminal",
    "DROP INDEX swaps_wake_src",
    "DROP INDEX swaps_wake_dst",
    "CREATE INDEX swaps_wake_src ON swaps (src_chain, wake_src, number) WHERE wake_src IS NOT NULL",
    "CREATE INDEX swaps_wake_dst ON swaps (dst_chain, wake_dst, number) WHERE wake_dst IS NOT NULL",
)

# Whoever draws a number has a transaction id before: by it readers know who may still commit a smaller number.
FEED = (
    "CREATE SEQUENCE feed_numbers",
    """
    CREATE FUNCTION next_feed_number() RETURNS bigint LANGUAGE plpgsql AS $$
    BEGIN
        PERFORM pg_current_xact_id();
        RETURN nextval('feed_numbers');
    END $$
    """,
    "ALTER TABLE swap_events ADD COLUMN number bigint",
    # By time, and one swap by version even where the clock was put back.
    """
    UPDATE swap_events e SET number = came.number
    FROM (SELECT hashlock, version, row_number() OVER (ORDER BY came_at, hashlock, version) AS number
          FROM (SELECT hashlock, version, max(at) OVER (PARTITION BY hashlock ORDER BY version) AS came_at
                FROM swap_events) timed) came
    WHERE (came.hashlock, came.version) = (e.hashlock, e.version)
    """,
    "SELECT setval('feed_numbers', (SELECT count(*) FROM swap_events) + 1, false)",
    "ALTER TABLE swap_events ALTER COLUMN number SET NOT NULL, ALTER COLUMN number SET DEFAULT next_feed_number()",
    "CREATE UNIQUE INDEX swap_events_by_number ON swap_events (number)",
    """
    CREATE TABLE secret_events (
        number   bigint PRIMARY KEY DEFAULT next_feed_number(),
        hashlock bytea NOT NULL REFERENCES orders,
        chain_id bigint,                          -- which chain told it to everybody; null: a maker handed it to us
        at       timestamptz NOT NULL DEFAULT clock_timestamp(),
        UNIQUE NULLS NOT DISTINCT (hashlock, chain_id)
    )
    """,
    """
    CREATE FUNCTION secret_was_handed_over() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        INSERT INTO secret_events (hashlock) VALUES (NEW.hashlock) ON CONFLICT DO NOTHING;
        RETURN NULL;
    END $$
    """,
    """
    CREATE FUNCTION secret_was_public() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        INSERT INTO secret_events (hashlock, chain_id)
        SELECT hashlock, NEW.chain_id FROM orders WHERE hashlock = NEW.hashlock ON CONFLICT DO NOTHING;
        RETURN NULL;
    END $$
    """,
    """
    CREATE TRIGGER secret_was_handed_over AFTER INSERT ON secrets
        FOR EACH ROW EXECUTE FUNCTION secret_was_handed_over()
    """,
    """
    CREATE TRIGGER secret_was_public AFTER INSERT ON journal
        FOR EACH ROW WHEN (NEW.secret IS NOT NULL) EXECUTE FUNCTION secret_was_public()
    """,
    "INSERT INTO secret_events (hashlock) SELECT hashlock FROM secrets ORDER BY received_at",
    """
    INSERT INTO secret_events (hashlock, chain_id)
    SELECT DISTINCT hashlock, chain_id FROM journal JOIN orders USING (hashlock) WHERE secret IS NOT NULL
    """,
)

# Every version of a swap has its event; events follow each other and stay as they are.
HISTORY = (
    """
    CREATE FUNCTION check_swap_move() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        -- A row that contradicts its history, or is an old one of it, may be put back to its end, and to nothing else.
        IF (NEW.version <> OLD.version + 1
            OR NOT EXISTS (SELECT FROM swap_events WHERE (hashlock, version, after, reason)
                                                       = (OLD.hashlock, OLD.version, OLD.state, OLD.reason)))
           AND (NEW.version, NEW.state, NEW.reason)
             = (SELECT version, after, reason FROM swap_events
                WHERE hashlock = NEW.hashlock ORDER BY version DESC LIMIT 1) THEN
            RETURN NEW;
        END IF;
        IF NEW.version <> OLD.version + 1 OR (NEW.state, NEW.reason) = (OLD.state, OLD.reason) THEN
            RAISE EXCEPTION 'a change of a swap is its next version' USING ERRCODE = 'check_violation';
        END IF;
        -- As in bmn.core.moves: what a chain has told cannot be unknown again.
        IF OLD.state IN ('CLAIMED', 'SETTLED', 'LOSS')
           AND NEW.state IN ('ACCEPTED', 'EXPIRED', 'SRC_LIVE', 'DST_LIVE', 'AWAIT_SECRET', 'SECRET_PRIVATE') THEN
            RAISE EXCEPTION 'a swap cannot go from % to %', OLD.state, NEW.state USING ERRCODE = 'check_violation';
        END IF;
        RETURN NEW;
    END $$
    """,
    """
    CREATE TRIGGER check_swap_move BEFORE UPDATE ON swaps FOR EACH ROW
        WHEN ((OLD.version, OLD.state, OLD.reason) IS DISTINCT FROM (NEW.version, NEW.state, NEW.reason))
        EXECUTE FUNCTION check_swap_move()
    """,
    """
    ALTER TABLE swap_events ADD CHECK (version > 0), ADD CHECK ((version = 1) = (before IS NULL)),
        ADD CHECK (reason <> ''), ADD CHECK (actor <> '')
    """,
    """
    CREATE FUNCTION check_event_follows() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        IF NOT EXISTS (SELECT 1 FROM swap_events
                       WHERE hashlock = NEW.hashlock AND version = NEW.version - 1 AND after = NEW.before) THEN
            RAISE EXCEPTION 'an event follows the one before it' USING ERRCODE = 'check_violation';
        END IF;
        RETURN NEW;
    END $$
    """,
    """
    CREATE TRIGGER check_event_follows BEFORE INSERT ON swap_events FOR EACH ROW
        WHEN (NEW.version > 1) EXECUTE FUNCTION check_event_follows()
    """,
    """
    CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        RAISE EXCEPTION 'the history of swaps is only added to' USING ERRCODE = 'check_violation';
    END $$
    """,
    """
    CREATE TRIGGER swap_events_stay BEFORE UPDATE OR DELETE OR TRUNCATE ON swap_events
        FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()
    """,
    # Deferred: an older program writes the event in a statement after the swap.
    """
    ALTER TABLE swaps ADD CONSTRAINT swaps_version_has_event FOREIGN KEY (hashlock, version)
        REFERENCES swap_events (hashlock, version) DEFERRABLE INITIALLY DEFERRED
    """,
)


def upgrade() -> None:
    """Create them."""
    for statement in (*LISTS, *FEED, *HISTORY):
        op.execute(statement)
