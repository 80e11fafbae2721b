"""An index answers who sees a case; the clock asks for all forsaken clues at once."""

from pathlib import Path

from alembic import op

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None

SQL = Path(__file__).parent.parent / "sql"


def upgrade() -> None:
    _run("0020_indexable_policies.sql")
    _run("0020_forsaken_clues.sql")


def downgrade() -> None:
    _run("0020_forsaken_clues_down.sql")
    _run("0020_indexable_policies_down.sql")


def _run(name: str) -> None:
    op.get_bind().exec_driver_sql((SQL / name).read_text(encoding="utf-8").replace("%", "%%"))
