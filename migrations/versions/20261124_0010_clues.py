"""The sealed clue track: clues, need-to-know lists, their events, messages and reads."""

from pathlib import Path

from alembic import op

from app.clues.opening import adopt_sealed_petitions

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

SQL = Path(__file__).parent.parent / "sql"


def upgrade() -> None:
    """Petitions that were sealed before there were clues become clues: after this step their offices see what is left of them."""
    _run("0010_clues.sql")
    _adopted, left = adopt_sealed_petitions(op.get_bind())
    if left:
        raise RuntimeError(
            f"{left} sealed petitions have no discipline body with a head who may know of them: appoint one, or hand them over "
            "on paper and delete them first."
        )


def downgrade() -> None:
    """Sealed petitions keep their stubs: what their clues say is destroyed."""
    _run("0010_clues_down.sql")


def _run(name: str) -> None:
    op.get_bind().exec_driver_sql((SQL / name).read_text(encoding="utf-8").replace("%", "%%"))
