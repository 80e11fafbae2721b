"""An index of the bad ratings of petition offices, for the desk of the level above."""

from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index(
        "ix_ratings_office_dissatisfied", "ratings", ["at"], postgresql_where="office_grade = 'dissatisfied'"
    )


def downgrade() -> None:
    op.drop_index("ix_ratings_office_dissatisfied", "ratings")
