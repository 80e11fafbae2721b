"""What the tests of back-ups arrange: a filled database, back-ups of it, and empty databases to restore into."""

import dataclasses
import io
import itertools
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import psycopg
from flask import Flask
from PIL import Image
from sqlalchemy import ARRAY, URL, Boolean, Date, DateTime, Integer, LargeBinary, Text, Uuid
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Session

from app.backup.content import CONTENT
from app.extensions import db

PLACE = "330213007213"
_names = itertools.count()
# What a check of the table wants.
_FORCED: dict[str, Any] = {
    "kind": {"money_entries": "claimed", "papers": "handling_opinion", "data_requests": "correct"}, "amount_fen": 7,
    "method": "in_person", "colour": "yellow", "what": "identity",
    "subject_kind": "person", "template": "file", "state": {"supervision_orders": "issued"},
    "status": {"attachments": "uploading", "outbox": "pending"}, "decision": "granted", "seq": 7, "org_id": {"exclusions": None},
    "actor_kind": "petitioner", "author_kind": "petitioner", "way": "named", "recovery_mac": {"identities": None},
    "account_id": {"inbox": None},
}  # fmt: skip


class BackupWorld:
    """Runs commands as the owner; files as a stranger; looks at any database, row by row."""

    def __init__(self, app: Flask, session: Session, folder: Path, monkeypatch: Any) -> None:
        self.app, self.session, self.folder, self._patch = app, session, folder, monkeypatch
        self.url: URL = session.get_bind().engine.url
        self.libpq = self.url.set(drivername="postgresql").render_as_string(hide_password=False)

    def run(self, *words: Any, database: str | None = None, files: Path | None = None) -> Any:
        """`flask …` with the owner's address of this database, or of another one."""
        url = self.url.set(database=database or self.url.database).render_as_string(hide_password=False)
        settings = dataclasses.replace(self.app.config["SETTINGS"], owner_database_url=url)
        if files:
            settings = dataclasses.replace(settings, files_dir=files)
        self._patch.setitem(self.app.config, "SETTINGS", settings)
        with self.app.app_context():
            done = self.app.test_cli_runner().invoke(args=[str(word) for word in words])
        assert "Traceback" not in done.output and (done.exception is None or isinstance(done.exception, SystemExit)), (
            done.exception
        )
        return done

    def backup(self, name: str, *more: Any) -> Path:
        """A back-up that succeeds; its keys are beside it."""
        path = self.folder / name
        done = self.run("backup", path, *more)
        assert done.exit_code == 0, done.output
        return path

    def file(self, mark: str, *, end: bool = True) -> dict[str, Any]:
        """A named case that says the mark wherever its petitioner may write, with a picture; withdrawn at its end."""
        client = self.app.test_client()
        draft = {
            "division_code": PLACE, "title": f"{mark}题", "body": f"{mark}文", "name": f"{mark}人", "phone": "13877770001",
            "accused": [{"name": f"{mark}乙"}], "keep_from": [{"name": f"{mark}甲"}],
        }  # fmt: skip
        answer = client.post("/api/v1/petitions", json=draft, headers={"Idempotency-Key": uuid4().hex})
        assert answer.status_code == 201, answer.get_data(as_text=True)
        receipt: dict[str, Any] = answer.json
        client.post("/p/case", data={"serial": receipt["serial"], "pin": receipt["pin"]})
        picture = io.BytesIO()
        Image.new("RGB", (64, 64), (7, 99, 180)).save(picture, "PNG")
        picture.seek(0)
        client.post("/p/case/files", data={"photo": (picture, f"{mark}据.png")})
        client.post("/p/case/messages", data={"body": f"{mark}言"})
        if end:
            client.post("/p/case/withdraw", data={"sure": "yes", "reason": f"{mark}因"})
        return receipt

    def fill(self, case: UUID, mark: str) -> None:
        """A row in every other table that has content, the mark in every column of it that can hold one."""
        for name in sorted(CONTENT, key=lambda one: one == "public.paper_deliveries"):
            table = db.metadata.tables[name.removeprefix("public.")]
            if table.name not in ("petitions", "petition_events", "identities"):
                content = set(CONTENT[name].columns) or {"params"}
                row = {
                    column.key: self._value(table, column, column.key in content, case, mark)
                    for column in table.columns
                }
                self.session.execute(table.insert(), row)
        self.session.commit()

    def _value(self, table: Any, column: Any, content: bool, case: UUID, mark: str) -> Any:
        if column.key == "petition_id":
            return case
        if column.key in _FORCED and not (
            isinstance(_FORCED[column.key], dict) and table.name not in _FORCED[column.key]
        ):
            forced = _FORCED[column.key]
            return forced[table.name] if isinstance(forced, dict) else forced
        for reference in column.foreign_keys:
            if column.nullable and not content and table.name != "exclusions":
                return None
            found = self.session.execute(reference.column.table.select().limit(1)).mappings().first()
            return found[reference.column.key] if found else None
        if column.nullable and not content:
            return None
        kinds: list[tuple[Any, Any]] = [
            (JSONB, {"number": "1", "body": "局", "basis": [], "remedy": ["", ""], "said": mark if content else "x"}), (ARRAY, []),
            (LargeBinary, mark.encode()), (Uuid, uuid4()), (Boolean, False), (Integer, 1),
            (DateTime, datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)), (Date, date(2026, 3, 4)),
            (Text, f"{mark}二十个字的理由写在这里不多不少正好够长了吧" if content else f"x{next(_names)}"),
        ]  # fmt: skip
        return next(value for kind, value in kinds if isinstance(column.type, kind))

    @contextmanager
    def empty(self) -> Iterator[str]:
        """The name of an empty database, dropped afterwards."""
        name = f"{self.url.database}_{next(_names)}"
        with psycopg.connect(self.libpq, dbname="postgres", autocommit=True) as admin:
            admin.execute(f'CREATE DATABASE "{name}" TEMPLATE template0')
        try:
            yield name
        finally:
            with psycopg.connect(self.libpq, dbname="postgres", autocommit=True) as admin:
                admin.execute(f'DROP DATABASE "{name}" WITH (FORCE)')

    def rows(self, database: str | None = None) -> dict[str, list[str]]:
        """Every row of every table, in a fixed order."""
        self.session.rollback()
        with psycopg.connect(self.libpq, dbname=database or self.url.database) as there:
            tables = there.execute(
                "SELECT schemaname, tablename FROM pg_tables WHERE schemaname IN ('public', 'sealed')"
            ).fetchall()
            return {
                f"{schema}.{table}": sorted(
                    row[0] for row in there.execute(f'SELECT t::text FROM "{schema}"."{table}" t')
                )
                for schema, table in tables
            }

    def ask(self, query: str, *values: Any, database: str | None = None) -> list[Any]:
        """A statement as the owner."""
        self.session.rollback()
        with psycopg.connect(self.libpq, dbname=database or self.url.database) as there:
            found = there.execute(query, values)
            return found.fetchall() if found.description else []

    def nothing_in(self, database: str) -> bool:
        """Whether a database is as it was created."""
        query = "SELECT count(*) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE nspname IN ('public', 'sealed')"
        return self.ask(query, database=database) == [(0,)]


def raw(path: Path) -> dict[str, bytes]:
    """The parts of an archive as they lie in it, decompressed."""
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def rewrite(path: Path, parts: dict[str, bytes]) -> None:
    """Somebody who holds a back-up writes it anew with other parts."""
    with zipfile.ZipFile(path, "w") as archive:
        for name, part in parts.items():
            archive.writestr(name, part)
