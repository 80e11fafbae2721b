"""Intake: minutes stay inside, and who writes a case down may add its scan until the case is given out."""

from alembic import op

revision = "0005"
down_revision = "0004"
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
# Grid workers and the women's federation see no case of their own; one that they wrote down is open to them while it waits
# to be given out. The first three conditions repeat those of the policy `seen`.
WRITTEN_DOWN = """
CREATE POLICY written_down ON petitions TO mj_web USING (
  division_code >= current_setting('mj.lo', true) AND division_code < current_setting('mj.hi', true)
  AND nullif(current_setting('mj.org', true), '')::uuid = ANY (accused_org_ids) IS NOT TRUE
  AND current_setting('mj.kind', true) = 'staff'
  AND filed_by_id = nullif(current_setting('mj.person', true), '')::uuid
  AND state IN ('filed', 'registered', 'accepted')
) WITH CHECK (current_setting('mj.kind', true) = 'staff')
"""


def upgrade() -> None:
    op.execute("DROP POLICY seen ON meetings")
    op.execute(MEETINGS_INSIDE)
    op.execute(WRITTEN_DOWN)


def downgrade() -> None:
    op.execute("DROP POLICY written_down ON petitions")
    op.execute("DROP POLICY seen ON meetings")
    op.execute(MEETINGS_WITH_CASE)
