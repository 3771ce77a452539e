"""What a dead message tells: the code of its last failure, and when the first one was."""

from alembic import op

revision = "0009"
down_revision = "0006"
branch_labels = None
depends_on = None

STATEMENTS = (
    """
    ALTER TABLE messages
        ADD COLUMN first_failed_at timestamptz
    """,
    # The default serves the version before this one while both run.
    """
    ALTER TABLE dead_messages
        ADD COLUMN code text COLLATE "C" NOT NULL DEFAULT 'UNKNOWN',
        ADD COLUMN first_failed_at timestamptz
    """,
    "CREATE INDEX dead_messages_by_queue ON dead_messages (queue, kind, id)",
)


def upgrade() -> None:
    """Create them."""
    for statement in STATEMENTS:
        op.execute(statement)
