"""The sealed clue track: clues, need-to-know lists, their events, messages and reads."""

from pathlib import Path

from alembic import op
from sqlalchemy import text

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

SQL = Path(__file__).parent.parent / "sql"


def upgrade() -> None:
    # Their text stands in clear, and after this step their offices would see it. Only the web process can seal it.
    waiting = op.get_bind().execute(text("SELECT count(*) FROM petitions WHERE state = 'sealed'")).scalar_one()
    if waiting:
        raise RuntimeError(f"{waiting} petitions were sealed before there were clues: take their text out or delete them first.")
    _run("0010_clues.sql")


def downgrade() -> None:
    """Sealed petitions keep their stubs: what their clues say is destroyed."""
    _run("0010_clues_down.sql")


def _run(name: str) -> None:
    op.get_bind().exec_driver_sql((SQL / name).read_text(encoding="utf-8").replace("%", "%%"))
