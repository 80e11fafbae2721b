"""Logs of counties grow by a rhythm of their own: the queue knows since when something waits, and padding can be accounted for."""

from pathlib import Path

from alembic import op

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None

SQL = Path(__file__).parent.parent / "sql"


def upgrade() -> None:
    _run("0021_padding.sql")


def downgrade() -> None:
    """Padding stays in the logs, as everything does; without its table `flask ledger verify` names it `entry-without-meaning`."""
    _run("0021_padding_down.sql")


def _run(name: str) -> None:
    op.get_bind().exec_driver_sql((SQL / name).read_text(encoding="utf-8").replace("%", "%%"))
