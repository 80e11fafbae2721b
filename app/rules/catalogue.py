"""The rules that run now, the datasets they run over, and how far the sources of those have delivered."""

import functools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID

import orjson
from sqlalchemy import text

from app import clock
from app.extensions import db
from app.records import store
from detection.definitions import Dataset
from detection.documents import Rule, read_rule

# The alerts of a rule that nobody has seen at work are let go packet by packet.
NEW_FOR = timedelta(days=30)
# Nothing is known to be complete: absence is waited for.
NEVER = date(1970, 1, 1)
_RULES = text(
    """
    SELECT v.id, v.code, v.scope, v.version, v.state, v.document, r.module,
           v.author_id IS NOT NULL AND coalesce((SELECT min(e.live_at) FROM rule_versions e WHERE e.code = v.code), :now) > :old AS new
      FROM rule_versions v JOIN rules r ON r.code = v.code
     WHERE v.state = ANY (:states) ORDER BY v.code, v.version
    """
)
_DATASETS = text("SELECT code, version, module, definition FROM datasets ORDER BY code")
_SOURCES = text(
    """
    SELECT dataset, scope, coalesce(watermark, CAST(last_arrival_at AT TIME ZONE 'Asia/Shanghai' AS date)) AS until, degraded
      FROM source_freshness
    """
)
_COUNTIES = text("SELECT left(code, 6) FROM divisions WHERE level = 3 ORDER BY code")


@dataclass(frozen=True, slots=True)
class Running:
    """A version of a rule that is to run. `new`: its alerts are held for its owner."""

    id: UUID
    code: str
    version: int
    module: str
    scope: str
    state: str
    document: Mapping[str, Any]
    new: bool

    @property
    def rule(self) -> Rule:
        """What the document says. Raises detection.problems.Invalid."""
        return read(self.document)


@dataclass(frozen=True, slots=True)
class Catalogue:
    """Every dataset in force by code; `stamp` is another one when any of them was defined anew."""

    datasets: Mapping[str, Dataset]
    stamp: int


class Freshness:
    """How far the sources of each dataset have delivered, for each place."""

    def __init__(self, sources: Sequence[tuple[str, str, date | None, bool]], counties: Sequence[str]):
        self._sources, self._counties = sources, counties

    def degraded(self, codes: Iterable[str], scope: str) -> list[str]:
        """Of these datasets, those without a source for the places below `scope`, or with one that is late."""
        late = {code: [late for dataset, at, _, late in self._sources if dataset == code and _meet(at, scope)] for code in codes}
        return [code for code, found in late.items() if any(found) or not found]

    def watermarks(self, codes: Iterable[str], scope: str) -> dict[str, str]:
        """Until when each of these datasets is complete everywhere below `scope`; one without a source is left out."""
        days = {code: [until or NEVER for dataset, at, until, _ in self._sources if dataset == code and _meet(at, scope)] for code in codes}
        return {code: min(found).isoformat() for code, found in days.items() if found}

    def groups(self, codes: Sequence[str], scope: str) -> dict[tuple[tuple[str, date], ...], list[str] | None]:
        """Until when these datasets are complete, and for which counties below `scope`: as pairs (dataset, day), each with its counties.
        None for all counties, where no dataset is asked about."""
        if not codes:
            return {(): None}
        found: dict[tuple[tuple[str, date], ...], list[str] | None] = {}
        for county in self._counties:
            if county.startswith(scope):
                until = tuple((code, self._until(code, county)) for code in codes)
                counties = found.setdefault(until, [])
                assert counties is not None
                counties.append(county)
        return found

    def _until(self, code: str, county: str) -> date:
        days = [until or NEVER for dataset, at, until, _ in self._sources if dataset == code and _meet(at, county)]
        return min(days, default=NEVER)


def _meet(one: str, other: str) -> bool:
    """Whether two scopes have places in common."""
    return one.startswith(other) or other.startswith(one)


@functools.lru_cache(maxsize=2048)
def _read(document: bytes) -> Rule:
    return read_rule(orjson.loads(document))


def read(document: Mapping[str, Any]) -> Rule:
    """The rule of a stored document. Raises detection.problems.Invalid."""
    return _read(orjson.dumps(document))


def running_rules(states: Sequence[str] = ("live",)) -> list[Running]:
    """The versions in these states, by code. One statement."""
    now: datetime = clock.now()
    rows = db.session.execute(_RULES, {"states": list(states), "now": now, "old": now - NEW_FOR})
    return [
        Running(row.id, row.code, row.version, row.module, row.scope, row.state, row.document, row.new) for row in rows
    ]


def catalogue() -> Catalogue:
    """The datasets that the actor may know of. One statement."""
    rows = db.session.execute(_DATASETS).all()
    datasets = {row.code: store.parse(row.module, row.definition) for row in rows}
    return Catalogue(datasets, hash(tuple((row.code, row.version) for row in rows)))


def freshness() -> Freshness:
    """How far the sources have delivered, as the actor may know. Two statements."""
    sources = [tuple(row) for row in db.session.execute(_SOURCES)]
    return Freshness(sources, list(db.session.scalars(_COUNTIES)))
