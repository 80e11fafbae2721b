"""A clue may be sent down, its result is reported each quarter, and people of its list hear of it."""

from pathlib import Path

from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None

SQL = Path(__file__).parent.parent / "sql"


def upgrade() -> None:
    _run("0017_clue_gaps.sql")


def downgrade() -> None:
    """What waits below to be received is sealed there."""
    _run("0017_clue_gaps_down.sql")


def _run(name: str) -> None:
    op.get_bind().exec_driver_sql((SQL / name).read_text(encoding="utf-8").replace("%", "%%"))
