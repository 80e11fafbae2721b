"""Papers: statutory papers of a case, their delivery record, checks by anybody, and finding a lost receipt."""

import os
from pathlib import Path

from alembic import op
from flask import current_app
from sqlalchemy import text

from app.config import SettingsError
from app.identity.store import opened, recovery_mac_of, sealed_of
from app.sealing import SealError, keyring_of

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

SQL = Path(__file__).parent.parent / "sql"
IDENTITIES = text(f"SELECT one.petition_id AS id, ({sealed_of('one.petition_id')}) AS sealed FROM sealed.identities one")
# A correction that waits for its decision was sealed under the same data key.
CORRECTIONS = text(
    f"""
    SELECT d.id, d.petition_id, d.algorithm, encode(d.nonce, 'base64') AS nonce, encode(d.ciphertext, 'base64') AS ciphertext,
           ({sealed_of('d.petition_id')}) AS sealed
      FROM data_requests d WHERE d.ciphertext IS NOT NULL AND d.decision IS NULL
    """
)


def upgrade() -> None:
    """A case whose identity does not open here gets no digest: its receipt can not be found again, all else works."""
    bind = op.get_bind()
    bind.exec_driver_sql((SQL / "0008_papers.sql").read_text(encoding="utf-8").replace("%", "%%"))
    identities, corrections = bind.execute(IDENTITIES).all(), bind.execute(CORRECTIONS).all()
    # Outside production a missing key is replaced by a random one, and no digest made with that would ever be found.
    if not identities or not os.environ.get("SECRET_KEY", "").strip():
        return
    try:
        ring = keyring_of(current_app.config["SETTINGS"])
    except SettingsError:
        return
    for row in identities:
        fill(bind, "sealed.identities", "petition_id", row.id, row.id, row.sealed, ring)
    for row in corrections:
        if row.sealed:
            box = {"algorithm": row.algorithm, "nonce": row.nonce, "ciphertext": row.ciphertext}
            fill(bind, "data_requests", "id", row.id, row.petition_id, {**row.sealed, **box}, ring)


def fill(bind, table, key, row_id, petition_id, sealed, ring) -> None:
    try:
        mac = recovery_mac_of(opened(petition_id, sealed, ring)) if sealed else None
    except SealError:
        return
    if mac:
        bind.execute(text(f"UPDATE {table} SET recovery_mac = :mac WHERE {key} = :id"), {"mac": mac, "id": row_id})


def downgrade() -> None:
    op.get_bind().exec_driver_sql((SQL / "0008_papers_down.sql").read_text(encoding="utf-8").replace("%", "%%"))
