"""Foundation: every table, its owner's grants, and row-level security from the first day."""

from pathlib import Path

from alembic import op
from sqlalchemy import text

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

SQL = Path(__file__).parent.parent / "sql"
TABLES = (
    "attachments case_messages deadlines meetings money_entries petition_events petitioners ratings supervision_orders "
    "petitions inbox outbox sessions one_time_codes attempts idempotency_keys villagers appointments staff_accounts "
    "kinships posts persons organisations divisions holidays holiday_years policy_overrides clock_offset job_runs"
)
FUNCTIONS = "search_petitions(text, integer) receipt_petition(text, text) bigrams(text) mj_setting(text) wake_delivery()"


def upgrade() -> None:
    roles = {name for (name,) in op.get_bind().execute(text("SELECT rolname FROM pg_roles WHERE rolname IN ('mj_web', 'mj_worker')"))}
    if missing := {"mj_web", "mj_worker"} - roles:
        raise RuntimeError(f"Create the database roles {sorted(missing)} first: see docs/how-to/deploy.md.")
    for name in ("0001_tables.sql", "0001_access.sql"):
        op.get_bind().exec_driver_sql((SQL / name).read_text(encoding="utf-8").replace("%", "%%"))


def downgrade() -> None:
    for table in TABLES.split():
        op.execute(f"DROP TABLE {table} CASCADE")
    for function in FUNCTIONS.replace("), ", ")|").replace(") ", ")|").split("|"):
        op.execute(f"DROP FUNCTION {function}")
