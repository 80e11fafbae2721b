"""Rules: their versions from draft to retirement, their runs, and the villages whose records were touched."""

from pathlib import Path

from alembic import op

revision = "0024"
down_revision = "0023"
branch_labels = None
depends_on = None

SQL = Path(__file__).parent.parent / "sql"


def upgrade() -> None:
    _run("0024_rules.sql")


def downgrade() -> None:
    _run("0024_rules_down.sql")


def _run(name: str) -> None:
    op.get_bind().exec_driver_sql((SQL / name).read_text(encoding="utf-8").replace("%", "%%"))
