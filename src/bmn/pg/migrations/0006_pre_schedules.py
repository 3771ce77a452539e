"""Tables of schedules and their runs."""

from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

STATEMENTS: tuple[str, ...] = ()


def upgrade() -> None:
    """Create them."""
    for statement in STATEMENTS:
        op.execute(statement)
