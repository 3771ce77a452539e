"""Secrets that can be rotated and wiped."""

from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

STATEMENTS: tuple[str, ...] = ()


def upgrade() -> None:
    """Create them."""
    for statement in STATEMENTS:
        op.execute(statement)
