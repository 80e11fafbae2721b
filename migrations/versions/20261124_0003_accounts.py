"""Second factors are sealed, two people reset a password too, and the worker deletes messages that have served their time."""

import os
from pathlib import Path

from alembic import op
from sqlalchemy import text

from app.signin.sealed import seal, unseal

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

SQL = Path(__file__).parent.parent / "sql"


def upgrade() -> None:
    _run("0003_accounts.sql")
    _run("0003_housekeeping.sql")
    _run("0003_quarantine.sql")
    _rewrite_secrets(seal)
    op.execute("ALTER TABLE staff_accounts ADD CONSTRAINT ck_staff_accounts_totp_sealed CHECK (totp_secret LIKE '%:%')")


def downgrade() -> None:
    op.execute("DROP FUNCTION files_in_quarantine()")
    _run("0003_housekeeping_down.sql")
    op.execute("ALTER TABLE staff_accounts DROP CONSTRAINT ck_staff_accounts_totp_sealed")
    _rewrite_secrets(unseal)
    _run("0003_accounts_down.sql")


def _run(name: str) -> None:
    op.get_bind().exec_driver_sql((SQL / name).read_text(encoding="utf-8").replace("%", "%%"))


def _rewrite_secrets(how) -> None:
    """Seal, or open again, every secret that is there: none stays in clear until its owner happens to sign in."""
    connection = op.get_bind()
    rows = connection.execute(text("SELECT id, totp_secret FROM staff_accounts WHERE totp_secret IS NOT NULL")).all()
    if rows and not os.environ.get("SECRET_KEY", "").strip():
        # Outside production a missing key is replaced by a random one, which nobody could open them with again.
        raise RuntimeError("Set SECRET_KEY to the one of the web process: second factors are sealed with it.")
    for account, secret in rows:
        connection.execute(
            text("UPDATE staff_accounts SET totp_secret = :secret WHERE id = :id"),
            {"secret": how(secret, "totp", account), "id": account},
        )
