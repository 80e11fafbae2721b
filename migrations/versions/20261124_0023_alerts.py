"""Alerts: folded hits with their evidence, events, clearances and what hangs on them."""

from pathlib import Path

from alembic import op

revision = "0023"
down_revision = "0022"
branch_labels = None
depends_on = None

SQL = Path(__file__).parent.parent / "sql"


def upgrade() -> None:
    _run("0023_alerts.sql")
    _run("0023_alert_rights.sql")


def downgrade() -> None:
    _run("0023_alerts_down.sql")


def _run(name: str) -> None:
    op.get_bind().exec_driver_sql((SQL / name).read_text(encoding="utf-8").replace("%", "%%"))
