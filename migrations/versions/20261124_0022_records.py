"""Records: datasets defined at run time, sources, batches, and the one door that makes a dataset's table."""

from pathlib import Path

from alembic import op

revision = "0022"
down_revision = "0019"
branch_labels = None
depends_on = None

SQL = Path(__file__).parent.parent / "sql"


def upgrade() -> None:
    _run("0022_records.sql")


def downgrade() -> None:
    _run("0022_records_down.sql")


def _run(name: str) -> None:
    op.get_bind().exec_driver_sql((SQL / name).read_text(encoding="utf-8").replace("%", "%%"))
