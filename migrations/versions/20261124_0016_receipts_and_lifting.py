"""Receipts are kept as they were given; the exclusion of a namesake can be lifted by two bodies;
recusal goes on under seal."""

from pathlib import Path

from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None

SQL = Path(__file__).parent.parent / "sql"


def upgrade() -> None:
    _run("0016_receipts.sql")
    _run("0016_liftings.sql")
    _run("0016_sealed_recusal.sql")


def downgrade() -> None:
    _run("0016_sealed_recusal_down.sql")
    _run("0016_liftings_down.sql")
    op.execute("DROP TABLE receipts")


def _run(name: str) -> None:
    op.get_bind().exec_driver_sql((SQL / name).read_text(encoding="utf-8").replace("%", "%%"))
