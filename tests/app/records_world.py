"""What tests of inquiries arrange: people with valid numbers, records in the shipped datasets, and sources that have sent them."""

import itertools
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import psycopg

from app.records.hashing import Hasher
from app.records.identifiers import company_check, identity_check

VILLAGE = "330502101235"
_FIRST = "91330502MA2B0000"


class RecordsWorld:
    """Writes as the owner of the database; needs an application context for the key of the hashes."""

    def __init__(self, url: str) -> None:
        self.owner = psycopg.connect(url, autocommit=True)
        self._numbers = itertools.count(1)
        self._keys = itertools.count(1)

    def number(self) -> str:
        """An identity number that passes its check, and that nobody else has here."""
        first = f"33050219700101{next(self._numbers):03d}"
        return first + identity_check(first)

    def company_code(self) -> str:
        """A unified social credit code that passes its check."""
        first = _FIRST + str(next(self._numbers) % 10)
        return first + company_check(first)

    def add(self, dataset: str, *, place: str = VILLAGE, source: str = "register", **values: Any) -> int:
        """A current record of a dataset; returns its row_id. Numbers of persons are given plain and stored as the intake would."""
        fields = self.owner.execute("SELECT definition->'fields' FROM datasets WHERE code = %s", (dataset,)).fetchone()[0]
        people = {field["code"] for field in fields if field["type"] == "person"}
        hashed = {name: Hasher("person")(value) if name in people and value else value for name, value in values.items()}
        row = {
            "source": source, "source_key": str(next(self._keys)), "version": 1, "place": place,
            "arrived_at": datetime.now(UTC), **hashed,
        }  # fmt: skip
        names = ", ".join(f'"{name}"' for name in row)
        marks = ", ".join(["%s"] * len(row))
        statement = f'INSERT INTO records."{dataset}" ({names}) VALUES ({marks}) RETURNING row_id'
        return int(self.owner.execute(statement, list(row.values())).fetchone()[0])

    def person(self, name: str, *, place: str = VILLAGE) -> str:
        """Somebody in the population data; returns the number."""
        number = self.number()
        self.add("person", place=place, person=number, name=name)
        return number

    def is_kin(self, one: str, relation: str, other: str, **more: Any) -> int:
        """`one` is the `relation` (spouse, parent, child) of `other`."""
        values = {"origin": "household", "confidence": "official", **more}
        return self.add("relation", person_a=one, person_b=other, relation=relation, **values)

    def with_parent(self, number: str) -> str:
        """Give somebody a father who is kin of nobody else: the register knows a family."""
        father = self.person("父")
        self.is_kin(father, "parent", number)
        return number

    def send(self, *datasets: str, scope: str = "330502", days_ago: int | None = 0, code: str = "register") -> None:
        """Register a source that last sent these datasets so many days ago, or never; all datasets without a name."""
        wanted = datasets or [row[0] for row in self.owner.execute("SELECT code FROM datasets").fetchall()]
        at = None if days_ago is None else datetime.now(UTC) - timedelta(days=days_ago)
        for dataset in wanted:
            self.owner.execute("DELETE FROM record_sources WHERE dataset = %s AND code = %s", (dataset, code))
            self.owner.execute(
                "INSERT INTO record_sources (id, dataset, code, name, scope, last_arrival_at, watermark, created_at) "
                "VALUES (%s, %s, %s, %s, %s, %s, %s, now())",
                (uuid4(), dataset, code, f"{dataset} 登记", scope, at, at and at.date()),
            )

    def unregister(self, *datasets: str) -> None:
        """Nobody sends these datasets any more."""
        self.owner.execute("DELETE FROM record_sources WHERE dataset = ANY(%s)", (list(datasets),))
