"""Identity: sealed and apart from the cases, three ways to file, break-glass."""

import json
from pathlib import Path

from alembic import op
from flask import current_app
from sqlalchemy import text

from app.identity.store import opened, phone_mac, seal_phone, sealed_of, sealed_values
from app.sealing import keyring_of

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

SQL = Path(__file__).parent.parent / "sql"


def upgrade() -> None:
    bind = op.get_bind()
    bind.exec_driver_sql((SQL / "0004_identity.sql").read_text(encoding="utf-8").replace("%", "%%"))
    people: dict = {}
    for row in bind.execute(text("SELECT petition_id, part, name, phone, address FROM petitioners ORDER BY petition_id, id")):
        people.setdefault(row.petition_id, []).append({k: v for k, v in row._mapping.items() if k != "petition_id"})
    if people:
        ring = keyring_of(current_app.config["SETTINGS"])
        for petition_id, those in people.items():
            values = sealed_values(petition_id, those, ring)
            bind.execute(
                text("INSERT INTO sealed.data_keys VALUES (:petition_id, :key_id, :key_algorithm, :key_nonce, :wrapped)"), values
            )
            bind.execute(
                text("INSERT INTO sealed.identities VALUES (:petition_id, 'named', :algorithm, :nonce, :ciphertext)"), values
            )
    op.execute("DROP TABLE petitioners")
    for row in bind.execute(text("SELECT id, phone FROM villagers")).all():
        sealed = json.dumps(seal_phone(row.id, row.phone, keyring_of(current_app.config["SETTINGS"])))
        bind.execute(
            text("UPDATE villagers SET phone_mac = :mac, sealed = CAST(:sealed AS jsonb) WHERE id = :id"),
            {"id": row.id, "mac": phone_mac(row.phone), "sealed": sealed},
        )
    op.execute(
        "ALTER TABLE villagers DROP COLUMN phone, ALTER COLUMN phone_mac SET NOT NULL, ALTER COLUMN sealed SET NOT NULL, "
        "ADD CONSTRAINT uq_villagers_phone_mac UNIQUE (phone_mac)"
    )


def downgrade() -> None:
    """Back to identities in clear: what was filed in confidence becomes readable to those who handle the case."""
    bind = op.get_bind()
    bind.exec_driver_sql((SQL / "0004_identity_down.sql").read_text(encoding="utf-8").replace("%", "%%"))
    cases = bind.execute(text("SELECT petition_id FROM sealed.identities")).scalars().all()
    if cases:
        ring = keyring_of(current_app.config["SETTINGS"])
        for petition_id in cases:
            sealed = bind.execute(text(sealed_of(":id")), {"id": petition_id}).scalar()
            for person in opened(petition_id, sealed, ring) if sealed else []:
                bind.execute(
                    text(
                        "INSERT INTO petitioners (id, petition_id, part, name, phone, address) "
                        "VALUES (gen_random_uuid(), :petition_id, :part, :name, :phone, :address)"
                    ),
                    {**person, "petition_id": petition_id},
                )
    op.execute("DROP SCHEMA sealed CASCADE")
    for row in bind.execute(text("SELECT id, sealed FROM villagers")).all():
        (account,) = opened(row.id, row.sealed, keyring_of(current_app.config["SETTINGS"]))
        bind.execute(text("UPDATE villagers SET phone = :phone WHERE id = :id"), {"id": row.id, "phone": account["phone"]})
    op.execute(
        "ALTER TABLE villagers DROP COLUMN phone_mac, DROP COLUMN sealed, ALTER COLUMN phone SET NOT NULL, "
        "ADD CONSTRAINT uq_villagers_phone UNIQUE (phone)"
    )
