"""Published figures: periods that are closed for good, and what was published of them."""

from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None

UP = """
CREATE TABLE publications (
  period text NOT NULL,
  published_at timestamptz NOT NULL,
  least integer NOT NULL,
  CONSTRAINT pk_publications PRIMARY KEY (period),
  CONSTRAINT ck_publications_month CHECK (period ~ '^[0-9]{4}-(0[1-9]|1[0-2])$')
);
CREATE TABLE published_figures (
  period text NOT NULL,
  division_code text COLLATE "C" NOT NULL,
  figures jsonb NOT NULL,
  CONSTRAINT pk_published_figures PRIMARY KEY (period, division_code),
  CONSTRAINT fk_published_figures_period FOREIGN KEY (period) REFERENCES publications (period),
  CONSTRAINT fk_published_figures_division_code FOREIGN KEY (division_code) REFERENCES divisions (code)
);
-- Nobody may change or take back what was published: two versions of one month would tell what changed between them.
GRANT SELECT ON publications, published_figures TO mj_web, mj_worker;
GRANT INSERT ON publications, published_figures TO mj_worker;
GRANT SELECT ON ratings TO mj_worker;

-- What a month is counted by: the answers and the ratings of its days.
CREATE INDEX ix_petition_events_answers ON petition_events (at) WHERE event IN ('deliver', 'follow_parent');
CREATE INDEX ix_ratings_at ON ratings (at);
"""
DOWN = """
DROP INDEX ix_ratings_at;
DROP INDEX ix_petition_events_answers;
REVOKE SELECT ON ratings FROM mj_worker;
DROP TABLE published_figures;
DROP TABLE publications;
"""


def upgrade() -> None:
    op.execute(UP)


def downgrade() -> None:
    op.execute(DOWN)
