"""Doors that attacks with bare SQL found open: writing on invisible cases, blind changes, hijacked names, accounts of visitors."""

from pathlib import Path

from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

SQL = Path(__file__).parent.parent / "sql"


def upgrade() -> None:
    _run("0014_attacks.sql")


def downgrade() -> None:
    _run("0014_attacks_down.sql")


def _run(name: str) -> None:
    op.get_bind().exec_driver_sql((SQL / name).read_text(encoding="utf-8").replace("%", "%%"))
