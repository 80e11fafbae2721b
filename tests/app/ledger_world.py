"""A small ledger for tests: petitions filed over HTTP, sequenced by the worker, and the files that a petitioner keeps."""

import json
from pathlib import Path
from typing import Any

from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import text
from sqlalchemy.orm import Session

from app.ledger import sequencing


class LedgerWorld:
    """Files through the web role, sequences through the worker role, tampers as the owner."""

    def __init__(self, client: FlaskClient, worker_app: Flask, session: Session, new_key: Any) -> None:
        self.client, self.worker_app, self.session, self.new_key = client, worker_app, session, new_key

    def place(self, county: str) -> str:
        """The first village of a county."""
        found = text("SELECT min(code) FROM divisions WHERE level = 5 AND code LIKE :c")
        place: str = self.session.execute(found, {"c": county + "%"}).scalar_one()
        self.session.rollback()
        return place

    def file(self, county: str = "330213", key: dict[str, str] | None = None, **more: Any) -> dict[str, Any]:
        """A petition filed without an account; its receipt."""
        draft = {
            "division_code": self.place(county), "title": "村里的账目", "body": "请查一查。", "name": "王某",
            "phone": "13800000001", **more,
        }  # fmt: skip
        answer = self.client.post("/api/v1/petitions", json=draft, headers=key or self.new_key())
        assert answer.status_code == 201, answer.get_data(as_text=True)
        receipt: dict[str, Any] = json.loads(answer.get_data())
        return receipt

    def sequence(self, **more: Any) -> sequencing.Sequenced:
        """One run of the worker's job that places at once what waits; with `rhythm`, as the worker does."""
        with self.worker_app.app_context():
            return sequencing.sequence(**{"rhythm": None} | more)

    def get(self, path: str, status: int = 200) -> Any:
        """What the ledger answers to everybody."""
        answer = self.client.get(f"/api/v1/ledger/{path}")
        assert answer.status_code == status, answer.get_data(as_text=True)
        return json.loads(answer.get_data())

    def proof(self, receipt: dict[str, Any], **query: Any) -> Any:
        """The proof of a receipt, as it is downloaded."""
        more = "&".join(f"{name}={value}" for name, value in query.items())
        return self.get(f"proofs/{receipt['commitment']}?{more}")

    def sql(self, statement: str, **values: Any) -> Any:
        """A statement as the owner of the tables: what somebody who holds the database can do."""
        result = self.session.execute(text(statement), values)
        rows = result.all() if result.returns_rows else []
        self.session.commit()
        return rows


def write(folder: Path, name: str, document: Any) -> str:
    """A document in a file; the path."""
    path = folder / name
    path.write_text(json.dumps(document, ensure_ascii=False), encoding="utf-8")
    return str(path)
