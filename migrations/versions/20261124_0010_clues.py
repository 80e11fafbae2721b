"""The sealed clue track: clues, need-to-know lists, their events, messages and reads."""

from pathlib import Path

from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

SQL = Path(__file__).parent.parent / "sql"


def upgrade() -> None:
    _run("0010_clues.sql")


def downgrade() -> None:
    """Sealed petitions keep their stubs: what their clues say is destroyed."""
    _run("0010_clues_down.sql")


def _run(name: str) -> None:
    op.get_bind().exec_driver_sql((SQL / name).read_text(encoding="utf-8").replace("%", "%%"))
