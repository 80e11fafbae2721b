"""The ledger: commitments of events, logs, nodes, signed heads."""

import secrets
from pathlib import Path

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

SQL = Path(__file__).parent.parent / "sql"
TABLES = ("ledger_queue", "ledger_leaves", "ledger_nodes", "ledger_heads", "ledger_keys")
PAGE = 1000


def upgrade() -> None:
    op.add_column("petition_events", sa.Column("salt", sa.LargeBinary(), nullable=True))
    op.add_column("petition_events", sa.Column("commitment", sa.LargeBinary(), nullable=True))
    commit_earlier_events()
    op.alter_column("petition_events", "salt", nullable=False)
    op.alter_column("petition_events", "commitment", nullable=False)
    op.get_bind().exec_driver_sql((SQL / "0007_ledger.sql").read_text(encoding="utf-8").replace("%", "%%"))
    op.execute(
        "INSERT INTO ledger_queue (commitment, log) SELECT e.commitment, left(p.division_code, 6) "
        "FROM petition_events e JOIN petitions p ON p.id = e.petition_id"
    )


def commit_earlier_events() -> None:
    """Events of a trial that ran before this change are committed to as they stand now."""
    from app.ledger.statements import commitment, event_document, text_digest

    bind = op.get_bind()
    waiting = sa.text(
        "SELECT e.*, p.serial, p.division_code, p.title, p.body FROM petition_events e JOIN petitions p "
        "ON p.id = e.petition_id WHERE e.commitment IS NULL LIMIT :page"
    )
    done = sa.text("UPDATE petition_events SET salt = :salt, commitment = :commitment WHERE id = :id")
    while rows := bind.execute(waiting, {"page": PAGE}).all():
        for row in rows:
            salt = secrets.token_bytes(32)
            text = text_digest(salt, row.serial, row.division_code, row.title, row.body) if row.event == "file" else None
            bind.execute(done, {"salt": salt, "commitment": commitment(salt, event_document(row, text)), "id": row.id})


def downgrade() -> None:
    op.execute("DROP TRIGGER events_are_committed ON petition_events")
    op.execute("DROP FUNCTION queue_commitment()")
    for table in TABLES:
        op.drop_table(table)
    op.drop_column("petition_events", "commitment")
    op.drop_column("petition_events", "salt")
