"""Recusal: exclusions with their reasons, the arrays that the row policies read, and the queue of directory changes."""

from pathlib import Path

from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

SQL = Path(__file__).parent.parent / "sql"


def upgrade() -> None:
    _run("0009_recusal.sql")


def downgrade() -> None:
    _run("0009_recusal_down.sql")


def _run(name: str) -> None:
    op.get_bind().exec_driver_sql((SQL / name).read_text(encoding="utf-8").replace("%", "%%"))
