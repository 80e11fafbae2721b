"""Alembic environment: migrations run as the owner role, one transaction each, with a short lock timeout."""

from alembic import context
from flask import current_app
from sqlalchemy import NullPool, create_engine, text

from app.extensions import db


def run() -> None:
    engine = create_engine(current_app.config["SETTINGS"].url_for("owner"), poolclass=NullPool)
    with engine.connect() as connection:
        # A migration must not queue every reader of a busy table behind its lock.
        connection.execute(text("SET lock_timeout = '5s'"))
        connection.commit()
        context.configure(
            connection=connection, target_metadata=db.metadata, compare_type=True, transaction_per_migration=True,
            include_schemas=True,
            include_name=lambda name, kind, _parents: kind != "schema" or name in (None, "sealed"),
        )
        with context.begin_transaction():
            context.run_migrations()


run()
