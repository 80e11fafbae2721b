"""Dataset types and the sources of their records."""

from collections.abc import Iterable, Mapping
from typing import Any
from uuid import UUID, uuid4

import orjson
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from app import clock, idempotency
from app.auth import Identity
from app.errors import Conflict, Forbidden, Invalid, Problem, Unknown
from app.extensions import db
from app.records.hashing import Hasher, key_hash
from detection.definitions import read_module
from detection.problems import Invalid as InvalidDocument

_DEFINE = text("SELECT define_dataset(:module, CAST(:definition AS jsonb))")
_LIST = text(
    "SELECT code, module, version, scope, definition, changed_at FROM datasets "
    "WHERE CAST(:module AS text) IS NULL OR module = :module ORDER BY module, code"
)
_ONE = text("SELECT code, module, version, scope, definition, changed_at FROM datasets WHERE code = :code")
_SOURCES = text(
    """
    SELECT s.id, s.dataset, s.code, s.name, s.scope, s.created_at, f.last_arrival_at, f.watermark, f.due_at, f.degraded
      FROM record_sources s JOIN source_freshness f ON f.source_id = s.id
     WHERE CAST(:dataset AS text) IS NULL OR s.dataset = :dataset
     ORDER BY s.dataset, s.code
    """
)
_OPEN = text(
    """
    INSERT INTO record_sources (id, dataset, code, name, scope, key_hash, created_at, created_by)
    SELECT :id, :dataset, :code, :name, :scope, :key_hash, :at, :by
     WHERE EXISTS (SELECT 1 FROM datasets WHERE code = :dataset)
    """
)
_DEGRADED = text(
    """
    SELECT c FROM unnest(CAST(:codes AS text[])) AS c
      LEFT JOIN source_freshness f ON f.dataset = c AND (starts_with(f.scope, :places) OR starts_with(:places, f.scope))
     GROUP BY c HAVING coalesce(bool_or(f.degraded), true)
    """
)
_SOURCE = text("SELECT id, dataset, code, scope FROM record_sources WHERE id = :id AND closed_at IS NULL")
# What the database answers to a definition: the state of the error, and what it means to whoever sent it.
_REFUSALS: dict[str, tuple[type[Problem], str]] = {
    "42501": (Forbidden, "not-allowed"),
    "23505": (Conflict, "dataset-taken"),
    "55000": (Conflict, "dataset-only-grows"),
}
_SOURCE_REFUSALS: dict[str, tuple[type[Problem], str]] = {**_REFUSALS, "23505": (Conflict, "source-taken")}


def load_module(document: object) -> dict[str, int]:
    """Define every dataset of a module document through the one door; returns the version of each. Loading the same document
    again changes nothing. Raises Invalid with the path of every fault, Forbidden, and Conflict `dataset-taken` (somebody
    else's) or `dataset-only-grows` (a field would go or change its type)."""
    try:
        module = read_module(document)
    except InvalidDocument as error:
        raise Invalid(_by_place(error), slug="invalid-definition") from error
    assert isinstance(document, Mapping)
    return {one["code"]: _define(module.code, one) for one in document["datasets"]}


def _define(module: str, definition: Mapping[str, Any]) -> int:
    try:
        return int(db.session.scalar(_DEFINE, {"module": module, "definition": orjson.dumps(definition).decode()}))
    except DBAPIError as error:
        _refuse(error, _REFUSALS)
        raise


def _refuse(error: DBAPIError, refusals: Mapping[str, tuple[type[Problem], str]]) -> None:
    if known := refusals.get(getattr(error.orig, "sqlstate", "")):
        kind, slug = known
        raise kind(slug) from error


def _by_place(error: InvalidDocument) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for problem in error.problems:
        found.setdefault(problem.where or "_", []).append(problem.code)
    return found


def list_datasets(module: str | None = None) -> list[dict[str, Any]]:
    """The dataset types that the actor may know of, by module and code. One statement."""
    return [_dataset(row) for row in db.session.execute(_LIST, {"module": module}).mappings()]


def get_dataset(code: str) -> dict[str, Any]:
    """One dataset type with its fields. Raises Unknown."""
    row = db.session.execute(_ONE, {"code": code}).mappings().one_or_none()
    if row is None:
        raise Unknown
    return _dataset(row)


def _dataset(row: Mapping[str, Any]) -> dict[str, Any]:
    definition = dict(row["definition"])
    return {**row, "name": definition["name"], "definition": definition}


def open_source(draft: Mapping[str, Any], who: Identity) -> dict[str, Any]:
    """Register somebody who sends records of a dataset for the places below `scope`. With `push`, the answer holds the key of
    the source: it is shown this once, and only its hash is stored.

    Raises Forbidden for whoever registers no sources there, Unknown (no such dataset), Conflict `source-taken`.
    """
    request_key = idempotency.key_of_request()
    # Made from the key of the request, so that a repetition gets the same one although it is stored nowhere.
    key = Hasher("new source key")(request_key) if draft["push"] else None
    made = idempotency.once(None, draft, lambda: _open_source(draft, key, who))
    return {**made, "key": key}


def _open_source(draft: Mapping[str, Any], key: str | None, who: Identity) -> dict[str, Any]:
    row = {
        "id": uuid4(),
        "dataset": draft["dataset"],
        "code": draft["code"],
        "name": draft["name"],
        "scope": draft["scope"],
        "key_hash": key_hash(key) if key else None,
        "at": clock.now(),
        "by": who.actor.person_id,
    }
    try:
        added = db.session.execute(_OPEN, row).rowcount  # type: ignore[attr-defined]
    except DBAPIError as error:
        _refuse(error, _SOURCE_REFUSALS)
        raise
    if not added:
        raise Unknown
    return {"id": row["id"]}


def list_sources(dataset: str | None = None) -> list[dict[str, Any]]:
    """The open sources of the actor's area, each with its last arrival and whether it is late (`degraded`). One statement."""
    return [dict(row) for row in db.session.execute(_SOURCES, {"dataset": dataset}).mappings()]


def degraded_datasets(codes: Iterable[str], places: str) -> set[str]:
    """Of these datasets, those without a source for `places` (digits of a place), or with one that is late: what a rule finds in
    them may be old, and what it does not find says nothing."""
    found = db.session.scalars(_DEGRADED, {"codes": list(codes), "places": places})
    return set(found)


def source_of(source_id: UUID) -> Mapping[str, Any]:
    """The open source of that id that the actor may know of. Raises Unknown."""
    row = db.session.execute(_SOURCE, {"id": source_id}).mappings().one_or_none()
    if row is None:
        raise Unknown
    return row
