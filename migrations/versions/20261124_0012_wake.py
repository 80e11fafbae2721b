"""Only what somebody waits for, a code or a one-time password, wakes the delivery at once; it looks every two seconds anyway."""

from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # PostgreSQL lets transactions with a notification commit one after the other only: one in every change of state would
    # make all of them queue.
    op.execute("DROP TRIGGER outbox_wakes_delivery ON outbox")
    op.execute(
        "CREATE TRIGGER outbox_wakes_delivery AFTER INSERT ON outbox FOR EACH ROW "
        "WHEN (NEW.audience IN ('phone', 'mailbox')) EXECUTE FUNCTION wake_delivery()"
    )


def downgrade() -> None:
    op.execute("DROP TRIGGER outbox_wakes_delivery ON outbox")
    op.execute(
        "CREATE TRIGGER outbox_wakes_delivery AFTER INSERT ON outbox FOR EACH STATEMENT EXECUTE FUNCTION wake_delivery()"
    )
