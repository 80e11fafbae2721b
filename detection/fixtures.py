"""A rule's fixtures: small worlds in which it must hit, must not, stands on a boundary, or cannot judge.

Each case lives in a village, township and county of its own, so that all cases of a rule are judged in one run without touching each
other. In texts, `{place}`, `{township}` and `{county}` stand for the own ones, and `~` for a mark that keeps persons and keys of cases apart.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from detection.bounds import require_bounded
from detection.conditions import base_type, is_day
from detection.definitions import Dataset, Name
from detection.documents import COLOURS
from detection.problems import Findings

KINDS_OF_CASE = ("hit", "near", "boundary", "unjudged")
# What a rule needs before it may run on live data.
LEAST = {"hit": 2, "near": 3, "boundary": 1, "unjudged": 1}
# What a case may say of a record beside its fields.
_GIVEN = frozenset({"place", "event_on", "arrived_at", "unreadable", "withdrawn"})
_ARRIVED = "2020-01-01 00:00:00+00"


@dataclass(frozen=True)
class Case:
    """One small world. `alerts`: the expected keys with the colour of each; `unjudged`: how many records nobody can judge."""

    kind: str
    name: Name
    rows: Mapping[str, Sequence[Mapping[str, Any]]]
    alerts: tuple[tuple[str, str], ...]
    unjudged: int


@dataclass(frozen=True)
class Fixtures:
    """The cases of a rule, and the day on which they are judged."""

    as_of: date
    cases: tuple[Case, ...]


def read_fixtures(raw: object, datasets: Mapping[str, Dataset]) -> Fixtures:
    """The fixtures of a rule's document. Raises Invalid: unknown datasets or fields, too few cases of a kind, a hit without an alert."""
    require_bounded(raw)
    found = Findings()
    if not isinstance(raw, Mapping) or not is_day(raw.get("asof")) or not isinstance(raw.get("cases"), list):
        found.add("fixtures", "as-of-and-cases")
        found.done()
    assert isinstance(raw, Mapping)
    if not "2000" < raw["asof"] < "2200":
        found.add("fixtures.asof", "out-of-range", least="2000", most="2200")
    cases = [_case(each, f"fixtures.cases.{i}", datasets, found) for i, each in enumerate(raw["cases"])]
    for kind, least in LEAST.items():
        if sum(c.kind == kind for c in cases) < least:
            found.add("fixtures.cases", "too-few", kind=kind, least=least)
    if len(cases) > 99:
        found.add("fixtures.cases", "too-many", most=99)
    found.done()
    return Fixtures(date.fromisoformat(raw["asof"]), tuple(cases))


def world(fixtures: Fixtures, datasets: Mapping[str, Dataset]) -> dict[str, list[dict[str, Any]]]:
    """Rows with every column, for each dataset that a case fills. Row ids count up from 1 over all datasets."""
    filled: dict[str, list[dict[str, Any]]] = {}
    row_id = 0
    for index, case in enumerate(fixtures.cases, start=1):
        own = _own(index)
        for code, rows in case.rows.items():
            dataset = datasets[code]
            for given in rows:
                row_id += 1
                row: dict[str, Any] = dict.fromkeys(dataset.columns)
                row |= {
                    "row_id": row_id,
                    "source": "fixture",
                    "source_key": str(row_id),
                    "version": 1,
                    "withdrawn": False,
                }
                row |= {"arrived_at": _ARRIVED, "unreadable": "", "place": own["place"]}
                row |= {name: _filled(value, own) for name, value in given.items()}
                if dataset.event_date and "event_on" not in given:
                    row["event_on"] = (row[dataset.event_date] or "")[:10] or None
                filled.setdefault(code, []).append(row)
    return filled


def differences(
    fixtures: Fixtures, evidence: Iterable[Mapping[str, Any]], unjudged: Iterable[Mapping[str, Any]]
) -> list[str]:
    """What a run over `world` gave otherwise than the cases say; empty when all is as expected. Each line names its case."""
    seen: dict[str, dict[str, str]] = {}
    for row in evidence:
        alerts = seen.setdefault(row["place"][:6], {})
        alerts[row["alert_key"]] = _graver(alerts.get(row["alert_key"]), row["colour"])
    doubts: dict[str, set[int]] = {}
    for row in unjudged:
        doubts.setdefault(row["place"][:6], set()).add(row["row_id"])
    lines = []
    for index, case in enumerate(fixtures.cases, start=1):
        own = _own(index)
        wanted = {_filled(key, own): colour for key, colour in case.alerts}
        got = seen.pop(own["county"], {})
        if got != wanted:
            lines.append(f"{index} {case.kind} {case.name.zh}: alerts {got}, not {wanted}")
        if len(doubts.get(own["county"], ())) != case.unjudged:
            lines.append(
                f"{index} {case.kind} {case.name.zh}: {len(doubts.get(own['county'], ()))} unjudged, not {case.unjudged}"
            )
    return lines + [f"alerts in a county of no case: {left}" for left in seen]


def _graver(one: str | None, other: str) -> str:
    order = ("red", "yellow", "blue")
    return other if one is None else min(one, other, key=order.index)


def _own(index: int) -> dict[str, str]:
    county = f"33{index:02d}01"
    return {"place": f"{county}100201", "township": f"{county}100", "county": county}


def _filled(value: Any, own: Mapping[str, str]) -> Any:
    """A text with the case's own codes in it. A person, company or account is kept apart from those of other cases by `~`."""
    if not isinstance(value, str):
        return value
    for name, code in own.items():
        value = value.replace("{" + name + "}", code)
    return value.replace("~", own["county"] + "-")


def _case(raw: object, at: str, datasets: Mapping[str, Dataset], found: Findings) -> Case:
    if not isinstance(raw, Mapping) or set(raw) - {"is", "name", "rows", "alerts", "unjudged"}:
        found.add(at, "not-a-case")
        raw = {}
    kind, name, rows, alerts = raw.get("is"), raw.get("name"), raw.get("rows", {}), raw.get("alerts", [])
    if kind not in KINDS_OF_CASE:
        found.add(f"{at}.is", "not-a-choice", choices=",".join(KINDS_OF_CASE))
    if not (isinstance(name, Mapping) and set(name) == {"zh", "en"} and all(isinstance(v, str) for v in name.values())):
        found.add(f"{at}.name", "name-in-both-languages")
        name = {"zh": "", "en": ""}
    if not isinstance(rows, Mapping):
        found.add(f"{at}.rows", "not-an-object")
        rows = {}
    for code, given in rows.items():
        dataset = datasets.get(code)
        if dataset is None or not isinstance(given, list):
            found.add(f"{at}.rows.{code}", "unknown-dataset", value=code)
            continue
        own = {name: kind for f in dataset.fields for name, kind in f.columns.items()}
        known = own | {name: dataset.columns[name] for name in _GIVEN}
        for i, row in enumerate(given):
            if not isinstance(row, Mapping):
                found.add(f"{at}.rows.{code}.{i}", "not-an-object")
                continue
            for column, value in row.items():
                if column not in known:
                    found.add(f"{at}.rows.{code}.{i}.{column}", "unknown-column", value=column)
                elif value is None if column in _GIVEN - {"event_on"} else value is not None and not _fits(value, known[column]):
                    found.add(f"{at}.rows.{code}.{i}.{column}", "value-does-not-fit", type=known[column])
    if not isinstance(alerts, list) or not all(isinstance(a, Mapping) and _is_alert(a) for a in alerts):
        found.add(f"{at}.alerts", "not-an-alert")
        alerts = []
    expected = tuple((a["key"], a["colour"]) for a in alerts)
    count = raw.get("unjudged", 0)
    if not isinstance(count, int) or isinstance(count, bool) or count < 0:
        found.add(f"{at}.unjudged", "not-a-count")
        count = 0
    if (kind == "hit") and not expected:
        found.add(f"{at}.alerts", "a-hit-has-an-alert")
    if kind == "near" and expected:
        found.add(f"{at}.alerts", "a-near-miss-has-none")
    if kind == "unjudged" and not count:
        found.add(f"{at}.unjudged", "nothing-unjudged")
    return Case(str(kind), Name(name["zh"], name["en"]), rows, expected, count)


def _is_alert(raw: Mapping[str, Any]) -> bool:
    return set(raw) == {"key", "colour"} and isinstance(raw["key"], str) and raw["colour"] in COLOURS


def _fits(value: object, kind: str) -> bool:
    """True for a value that a column of this type takes."""
    match base_type(kind):
        case "string":
            return isinstance(value, str)
        case "boolean":
            return isinstance(value, bool)
        case "int64" | "int32":
            return isinstance(value, int) and not isinstance(value, bool)
        case "float64":
            return isinstance(value, int | float) and not isinstance(value, bool)
        case "date":
            return is_day(value)
        case _:
            return isinstance(value, str) and _is_instant(value)


def _is_instant(value: str) -> bool:
    try:
        datetime.fromisoformat(value)
    except ValueError:
        return False
    return True
