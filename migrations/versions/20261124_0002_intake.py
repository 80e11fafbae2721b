"""Intake: minutes of joint meetings stay inside."""

from alembic import op

revision = "0002_intake"
down_revision = "0001"
branch_labels = None
depends_on = None

MEETINGS_WITH_CASE = """
CREATE POLICY seen ON meetings FOR SELECT TO mj_web USING (
  EXISTS (SELECT 1 FROM petitions p WHERE p.id = petition_id))
"""
MEETINGS_INSIDE = """
CREATE POLICY seen ON meetings FOR SELECT TO mj_web USING (
  current_setting('mj.kind', true) = 'staff' AND EXISTS (SELECT 1 FROM petitions p WHERE p.id = petition_id))
"""


def upgrade() -> None:
    op.execute("DROP POLICY seen ON meetings")
    op.execute(MEETINGS_INSIDE)


def downgrade() -> None:
    op.execute("DROP POLICY seen ON meetings")
    op.execute(MEETINGS_WITH_CASE)
