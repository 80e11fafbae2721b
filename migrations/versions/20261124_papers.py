"""Papers: statutory papers of a case, their delivery record, checks by anybody, and finding a lost receipt."""

from pathlib import Path

from alembic import op

revision = "papers"
down_revision = "0001"
branch_labels = None
depends_on = None

SQL = Path(__file__).parent.parent / "sql" / "papers.sql"


def upgrade() -> None:
    op.get_bind().exec_driver_sql(SQL.read_text(encoding="utf-8").replace("%", "%%"))


def downgrade() -> None:
    op.execute("DROP FUNCTION recoverable_petitions(text, text)")
    op.execute("DROP FUNCTION genuine_paper(text, text)")
    op.execute("DROP INDEX ix_petitioners_phone")
    op.execute("DROP TABLE paper_deliveries")
    op.execute("DROP TABLE papers")
