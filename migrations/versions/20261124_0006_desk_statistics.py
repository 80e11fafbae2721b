"""Statistics of the columns that desks filter by: together, because only open cases have a priority that matters and a card."""

from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # Without it the planner multiplies: of a million cases it expects 65 open ones with a yellow card where there are 1,250,
    # and reads and sorts all open cases (121 ms) instead of walking their index (4 ms).
    op.execute("CREATE STATISTICS st_petitions_desk (mcv) ON state, colour, priority, supervised FROM petitions")


def downgrade() -> None:
    op.execute("DROP STATISTICS st_petitions_desk")
