"""What a rule says of records: its texts, compiled once for a day, run on a snapshot or in the database, and whom the hits are about."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from threading import Lock
from typing import Any

import duckdb
import psycopg
from ibis.common.exceptions import IbisError
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from app.alerts.folding import Hit, Subjects
from app.extensions import db
from app.rules import duck
from app.rules.catalogue import Catalogue, Freshness, Running
from detection.compiling import Queries, compile_rule
from detection.definitions import NAMED, Dataset
from detection.evidence import EVIDENCE_COLUMNS, UNJUDGED_COLUMNS
from detection.kinds import KINDS
from detection.reach import awaited, reaches
from detection.tables import Tables

# What a rule can fail of: it stops this rule and no other.
FAULTS = (
    ArithmeticError, LookupError, TypeError, ValueError, NotImplementedError, IbisError, duckdb.Error, psycopg.Error, SQLAlchemyError,
)  # fmt: skip
KEPT_TEXTS = 4096
Rows = list[dict[str, Any]]
Run = Callable[[Queries], tuple[Rows, Rows]]


@dataclass(frozen=True, slots=True)
class Moment:
    """The day that is judged, and what is taken as known: all that is known now, or what was at the end of `known_on`."""

    as_of: date
    known_on: date | None = None


@dataclass(slots=True)
class Found:
    """Rows of evidence and of records that nobody can judge, of the places that a rule is for."""

    evidence: Rows = field(default_factory=list)
    unjudged: Rows = field(default_factory=list)

    def reasons(self) -> dict[str, int]:
        """How many records could not be judged, by reason."""
        return dict(Counter(row["reason"] for row in self.unjudged))

    def alerts(self) -> set[str]:
        """The keys of the alerts."""
        return {row["alert_key"] for row in self.evidence}


class _Texts:
    """The compiled texts of rules. Those of the oldest days go first."""

    def __init__(self) -> None:
        self._kept: dict[Any, Queries] = {}
        self._lock = Lock()

    def of(self, key: Any, make: Callable[[], Queries]) -> Queries:
        found = self._kept.get(key)
        if found is None:
            made = make()
            with self._lock:
                while len(self._kept) >= KEPT_TEXTS:
                    del self._kept[next(iter(self._kept))]
                found = self._kept.setdefault(key, made)
        return found


_TEXTS = _Texts()


def queries(
    running: Running, known: Catalogue, moment: Moment, engine: str, until: Iterable[tuple[str, date]] = (), *, touched: bool = False
) -> Queries:
    """The texts of a version for an engine on a day. `until`: how far datasets are complete."""
    until = tuple(until)

    def make() -> Queries:
        tables = Tables(known.datasets, moment.as_of, moment.known_on, touched=touched, complete_until=dict(until))
        return compile_rule(running.rule, tables, engine)

    return _TEXTS.of((running.id, known.stamp, moment, engine, until, touched), make)


def judge_all(running: Running, known: Catalogue, fresh: Freshness, moment: Moment, connection: duckdb.DuckDBPyConnection) -> Found:
    """What a version finds in a snapshot."""
    return _judge(
        running, fresh, lambda until: queries(running, known, moment, "duckdb", until), lambda texts: duck.run(connection, texts)
    )


def judge_touched(
    running: Running, known: Catalogue, fresh: Freshness, moment: Moment, touched: Mapping[str, set[str]]
) -> Found:
    """What a version finds in the database around the records that changed: villages by dataset."""
    axis = KINDS[running.rule.kind].axis(running.rule)
    values = axis_values(running, axis, places_of(running, known, touched))
    if not values:
        return Found()
    return _judge(
        running,
        fresh,
        lambda until: queries(running, known, moment, "postgresql", until, touched=True),
        lambda texts: _in_database(texts, values),
    )


def _judge(running: Running, fresh: Freshness, texts: Callable[[Iterable[tuple[str, date]]], Queries], run: Run) -> Found:
    found = Found()
    for until, counties in fresh.groups(awaited(running.rule), running.scope).items():
        evidence, unjudged = run(texts(until))
        of_group = None if counties is None else frozenset(counties)
        for kept, rows in ((found.evidence, evidence), (found.unjudged, unjudged)):
            kept += [
                row
                for row in rows
                if row["place"].startswith(running.scope) and (of_group is None or row["place"][:6] in of_group)
            ]
    return found


def places_of(running: Running, known: Catalogue, touched: Mapping[str, set[str]]) -> list[str]:
    """The villages whose records of the rule's subject have to be judged anew. Kin and limits reach further than can be told; what they
    change beyond the villages themselves is found when everything is judged at night."""
    places: set[str] = set()
    for reach in reaches(running.rule, known.datasets):
        changed = touched.get(reach.dataset)
        if not changed:
            continue
        places |= changed
        if reach.pairs:
            same = " AND ".join(f's."{ours}" = o."{theirs}"' for theirs, ours in reach.pairs)
            statement = f"""
                SELECT DISTINCT s.place FROM records."{running.rule.subject}" s JOIN records."{reach.dataset}" o ON {same}
                 WHERE o.place = ANY (:places) AND s.superseded_at IS NULL
            """
            places |= set(db.session.scalars(text(statement), {"places": sorted(changed)}))
    return sorted(place for place in places if place.startswith(running.scope))


def axis_values(running: Running, axis: str, places: Sequence[str]) -> list[str]:
    """The values, on the axis of a rule, of the groups that these villages have a part in, now or before a correction."""
    digits = {"place": 12, "in_township": 9, "in_county": 6}.get(axis)
    if digits is not None:
        return sorted({place[:digits] for place in places})
    statement = f'SELECT DISTINCT "{axis}" FROM records."{running.rule.subject}" WHERE place = ANY (:places) AND "{axis}" IS NOT NULL'
    return list(db.session.scalars(text(statement), {"places": list(places)})) if places else []


def _in_database(texts: Queries, values: list[str]) -> tuple[Rows, Rows]:
    driver: Any = db.session.connection().connection.driver_connection
    given = {"touched": values}
    with driver.cursor() as cursor:
        evidence = cursor.execute(texts.evidence, given).fetchall()
        unjudged = cursor.execute(texts.unjudged, given).fetchall()
    return [dict(zip(EVIDENCE_COLUMNS, row, strict=True)) for row in evidence], [
        dict(zip(UNJUDGED_COLUMNS, row, strict=True)) for row in unjudged
    ]


def hits_of(found: Found) -> list[Hit]:
    """The rows of evidence as alerts take them."""
    return [
        Hit(
            alert_key=row["alert_key"], place=row["place"], dataset=row["dataset"], row_id=int(row["row_id"]), colour=row["colour"],
            part=row["part"], happened_on=row["happened_on"], money_fen=None if row["money"] is None else int(row["money"]),
        )
        for row in found.evidence
    ]  # fmt: skip


def subjects_of(found: Found, known: Catalogue) -> dict[str, Subjects]:
    """Whom each alert is about, by its key: the people, companies and contracts that its records name. One statement a dataset."""
    ids: dict[str, set[int]] = defaultdict(set)
    for row in found.evidence:
        ids[row["dataset"]].add(row["row_id"])
    named: dict[tuple[str, int], dict[str, list[str]]] = {}
    for code, wanted in ids.items():
        columns = _naming_columns(known.datasets[code])
        if columns:
            listed = ", ".join(f'"{name}"' for name in columns)
            statement = text(f'SELECT row_id, {listed} FROM records."{code}" WHERE row_id = ANY (:ids)')
            for row in db.session.execute(statement, {"ids": sorted(wanted)}):
                named[code, row[0]] = _by_sort(columns, row[1:])
    about: dict[str, dict[str, set[str]]] = defaultdict(lambda: defaultdict(set))
    for row in found.evidence:
        for sort, values in named.get((row["dataset"], row["row_id"]), {}).items():
            about[row["alert_key"]][sort] |= set(values)
    return {key: Subjects(**{sort: sorted(values) for sort, values in sorts.items()}) for key, sorts in about.items()}


def _naming_columns(dataset: Dataset) -> dict[str, str]:
    """Columns that name somebody or a contract, and what they name. A contract is named by a reference to a dataset of contracts, or by the
    key of such a dataset."""
    columns: dict[str, str] = {}
    for one in dataset.fields:
        if one.type in NAMED:
            columns |= {one.code: "persons" if one.type == "person" else "companies", f"{one.code}_name": "names"}
        elif (one.ref or "").endswith("contract") or (dataset.code.endswith("contract") and one.code == dataset.key[0]):
            columns[one.code] = "contracts"
    return columns


def _by_sort(columns: Mapping[str, str], values: Iterable[Any]) -> dict[str, list[str]]:
    sorts: dict[str, list[str]] = defaultdict(list)
    for sort, value in zip(columns.values(), values, strict=True):
        if value:
            sorts[sort].append(value)
    return sorts
