"""Scheduled pulls: the worker fetches what is new in somebody else's database or interface, and folds it.

What is pulled from where stands in a file of the operator (RECORDS_PULLS), because it holds addresses with passwords. The
watermark, the greatest value of one column, is stored together with the rows that it stands for: whatever is cut off comes again,
and what comes again is folded.
"""

import itertools
import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from urllib.parse import quote, urljoin, urlsplit
from uuid import UUID

import orjson
import requests
from flask import current_app
from marshmallow import ValidationError, fields, validate
from sqlalchemy import NullPool, create_engine, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import ArgumentError, SQLAlchemyError

from app import clock
from app.database import SYSTEM, transaction
from app.errors import Invalid
from app.extensions import db
from app.records import headers, store
from app.records.arriving import summed, take_rows
from app.records.loading import LoadingReport
from app.records.models import RecordPull
from app.web import Schema

CHUNK = 1000
MOST_PAGES = 10_000
MOST_BYTES = 50 * 2**20
TIMEOUT = (10, 60)
log = logging.getLogger("mingjian.worker")

Row = Mapping[str, object]
_SOURCE = text(
    """
    SELECT s.id, s.dataset, s.code, s.scope, p.watermark, p.pulled_at FROM record_sources s LEFT JOIN record_pulls p ON p.source_id = s.id
     WHERE s.dataset = :dataset AND s.code = :code AND s.closed_at IS NULL
    """
)


class PullFailed(Exception):
    """A pull did not come to its end; the text is a slug."""


class PullSchema(Schema):
    """One entry of the file."""

    dataset = fields.String(required=True)
    source = fields.String(required=True)
    kind = fields.String(required=True, validate=validate.OneOf(("sql", "http")))
    url = fields.String(required=True)
    every_minutes = fields.Integer(load_default=60, validate=validate.Range(1, 7 * 24 * 60))
    watermark = fields.String(required=True)
    begin = fields.String(required=True)
    # SQL: one SELECT with :watermark in it, in the order of the watermark.
    query = fields.String(load_default="")
    # HTTP: headers to send, the path of the list in the answer, and how the next page is found.
    headers = fields.Dict(keys=fields.String(), values=fields.String(), load_default=dict)
    items = fields.String(load_default="items")
    next = fields.String(load_default=None, allow_none=True)
    page = fields.String(load_default=None, allow_none=True)
    first_page = fields.Integer(load_default=1)


@dataclass(frozen=True, slots=True)
class _Pull:
    """A pull that is due, and the source that it is for."""

    told: Mapping[str, Any]
    source_id: UUID
    scope: str
    watermark: str


def pull_due(*, stopping: Callable[[], bool] = lambda: False) -> LoadingReport:
    """Pull from every source whose time has come. For the worker: a transaction for each handful of rows; safe to cut short and to
    run twice at once."""
    report = LoadingReport()
    for told in _entries(current_app.config["SETTINGS"].records_pulls):
        if stopping():
            break
        pull = _due(told)
        if pull is None:
            continue
        try:
            _pull(pull, stopping)
            report.done += 1
        except PullFailed as error:
            log.warning("the pull of %s from %s failed: %s", told["dataset"], told["source"], error)
            _note(pull, None, {}, str(error))
            report.failed += 1
    return report


def _entries(path: Any) -> Sequence[Mapping[str, Any]]:
    if path is None:
        return ()
    try:
        entries: list[dict[str, Any]] = PullSchema(many=True).load(orjson.loads(path.read_bytes()))
    except OSError as error:
        log.error("RECORDS_PULLS can not be read: %s", error.strerror)
        return ()
    except orjson.JSONDecodeError:
        log.error("RECORDS_PULLS is not JSON")
        return ()
    except ValidationError as error:
        log.error("RECORDS_PULLS is not usable: %s", error.messages)
        return ()
    return entries


def _due(told: Mapping[str, Any]) -> _Pull | None:
    with transaction(SYSTEM):
        row = db.session.execute(_SOURCE, {"dataset": told["dataset"], "code": told["source"]}).one_or_none()
    if row is None:
        log.warning("RECORDS_PULLS names no open source: %s of %s", told["source"], told["dataset"])
        return None
    if row.pulled_at is not None and row.pulled_at + timedelta(minutes=told["every_minutes"]) > clock.now():
        return None
    return _Pull(told, row.id, row.scope, row.watermark or told["begin"])


def _pull(pull: _Pull, stopping: Callable[[], bool]) -> None:
    rows = _rows_of_sql(pull) if pull.told["kind"] == "sql" else _rows_of_http(pull)
    reports: list[dict[str, Any]] = []
    watermark = pull.watermark
    while not stopping() and (handful := list(itertools.islice(rows, CHUNK))):
        seen = [str(value) for row in handful if (value := row.get(pull.told["watermark"])) is not None]
        watermark = max([watermark, *seen], key=_order)
        with transaction(SYSTEM):
            reports.append(_fold(pull, handful))
            _store(pull, watermark, summed(reports), None)
    if not reports:
        _note(pull, None, summed([]), None)


def _order(watermark: str) -> tuple[int, str]:
    """Serial numbers in the order of numbers, everything else (days and instants, the year first) in that of texts."""
    return (len(watermark) if watermark.isdecimal() else 0, watermark)


def _fold(pull: _Pull, handful: Sequence[Row]) -> dict[str, Any]:
    dataset = store.dataset_of(pull.told["dataset"])
    names = sorted(set().union(*handful))
    mapping = headers.propose(dataset, names, (), headers.learnt_by(pull.source_id))
    try:
        headers.check(dataset, names, mapping, pull.scope)
    except Invalid:
        raise PullFailed("columns-not-known") from None
    rows = [[row.get(name) for name in names] for row in handful]
    return take_rows(
        dataset, headers.columns_of(names, (), mapping), rows, source=pull.told["source"], scope=pull.scope
    )


def _note(pull: _Pull, watermark: str | None, report: Mapping[str, Any], reason: str | None) -> None:
    with transaction(SYSTEM):
        _store(pull, watermark, report, reason)


def _store(pull: _Pull, watermark: str | None, report: Mapping[str, Any], reason: str | None) -> None:
    row = {
        "source_id": pull.source_id,
        "watermark": watermark,
        "pulled_at": clock.now(),
        "failed_because": reason,
        "report": dict(report),
    }
    kept = {name: value for name, value in row.items() if name != "source_id" and (name != "watermark" or value is not None)}
    adding = insert(RecordPull.__table__).values(row)  # type: ignore[arg-type]
    db.session.execute(adding.on_conflict_do_update(index_elements=["source_id"], set_=kept))


def _rows_of_sql(pull: _Pull) -> Iterator[Row]:
    """The rows of a query, read in a transaction that can not write."""
    try:
        engine = create_engine(pull.told["url"], poolclass=NullPool, hide_parameters=True)
        with engine.connect().execution_options(postgresql_readonly=True, yield_per=CHUNK) as connection:
            for row in connection.execute(text(pull.told["query"]), {"watermark": pull.watermark}).mappings():
                yield dict(row)
    except ArgumentError:
        raise PullFailed("url-not-usable") from None
    except SQLAlchemyError as error:
        # The text of the error may quote the address or rows.
        raise PullFailed(f"database-{getattr(getattr(error, 'orig', None), 'sqlstate', None) or 'no-answer'}") from None


def _rows_of_http(pull: _Pull) -> Iterator[Row]:
    """The rows of an interface that answers with JSON, page after page."""
    told = pull.told
    address = told["url"].replace("{watermark}", quote(pull.watermark, safe=""))
    host = urlsplit(address)[:2]
    with requests.Session() as session:
        session.headers.update(told["headers"])
        for page in itertools.count(told["first_page"]):
            answer = _fetch(session, address, {told["page"]: page} if told["page"] else {})
            rows = _at(answer, told["items"])
            if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
                raise PullFailed("no-list-of-objects")
            yield from rows
            following = _at(answer, told["next"]) if told["next"] else None
            if told["next"]:
                if not following:
                    return
                address = urljoin(address, str(following))
                if urlsplit(address)[:2] != host:
                    # What is sent along is meant for the one that was configured.
                    raise PullFailed("next-page-elsewhere")
            elif not told["page"] or not rows:
                return
            if page - told["first_page"] >= MOST_PAGES:
                raise PullFailed("too-many-pages")


def _fetch(session: requests.Session, address: str, page: Mapping[str, int]) -> Any:
    try:
        with session.get(address, params=page, timeout=TIMEOUT, allow_redirects=False, stream=True) as answer:
            if answer.status_code != 200:
                raise PullFailed(f"http-{answer.status_code}")
            content = bytearray()
            for piece in answer.iter_content(2**16):
                content += piece
                if len(content) > MOST_BYTES:
                    raise PullFailed("answer-too-large")
            return orjson.loads(content)
    except requests.RequestException:
        raise PullFailed("no-answer") from None
    except orjson.JSONDecodeError:
        raise PullFailed("not-json") from None


def _at(answer: Any, path: str) -> Any:
    for step in filter(None, path.split(".")):
        answer = answer.get(step) if isinstance(answer, dict) else None
    return answer
