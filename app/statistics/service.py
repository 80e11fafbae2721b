"""Figures for staff, under their own right of sight, and what was published for everybody."""

from collections.abc import Mapping
from datetime import date, timedelta
from typing import Any

from sqlalchemy import Row, text

from app import calendar_store, clock
from app.auth import Identity
from app.database import AREA_ROLES, ASSIGNED_ROLES, reach_of
from app.directory.codes import pad
from app.errors import Forbidden, Invalid, Unknown
from app.extensions import db
from workflows.calendar import WorkCalendar, start_of_day
from workflows.petition import STATE_LABELS, PetitionState

# Who sees cases at all sees how many they are. A count is made of nothing but rows that the same reader could list.
READERS = AREA_ROLES | ASSIGNED_ROLES
LONGEST = 366
EARLIEST, LATEST = date(2005, 1, 1), date(2100, 1, 1)  # nothing can have been filed here before or after
BELOW = {2: 4, 4: 6, 6: 9, 9: 12, 12: 12}  # significant digits of a place → of the places right below it

GROUPS = ("division", "state", "category", "month")
MEASURES = (
    "filed", "answered", "on_time", "on_time_rate", "rated", "satisfied", "satisfaction_rate", "median_workdays",
)  # fmt: skip
# One statement: the cases first, with the indexes of place and day, then for each of them its first answer, whether a limit
# for handling had passed before that, and its last rating, each by the index of the case.
_COUNT = """
    WITH days AS (SELECT CAST(:workdays AS date[]) AS worked),
    cases AS MATERIALIZED (
      SELECT p.id, left(p.division_code, :digits) AS place, p.state, p.category, to_char(p.filed_on, 'YYYY-MM') AS month, p.filed_on
        FROM petitions p
       WHERE p.division_code >= :lo AND p.division_code < :hi AND p.filed_at >= :since AND p.filed_at < :until
    ),
    counted AS (
      SELECT c.place, c.state, c.category, c.month, reply.at IS NOT NULL AS answered, coalesce(late.so, false) AS late, last.grade,
             width_bucket(CAST(reply.at AT TIME ZONE 'Asia/Shanghai' AS date), days.worked) - width_bucket(c.filed_on, days.worked) AS workdays
        FROM cases c CROSS JOIN days
        LEFT JOIN LATERAL (SELECT e.at FROM petition_events e WHERE e.petition_id = c.id AND e.event IN ('deliver', 'follow_parent')
                            ORDER BY e.seq LIMIT 1) reply ON true
        LEFT JOIN LATERAL (SELECT true AS so FROM deadlines d WHERE d.petition_id = c.id AND d.breached AND d.policy_id = ANY (:limits)
                              AND d.due_at <= reply.at LIMIT 1) late ON true
        LEFT JOIN LATERAL (SELECT r.body_grade AS grade FROM ratings r WHERE r.petition_id = c.id ORDER BY r.at DESC LIMIT 1) last ON true
    ),
    grouped AS (
      SELECT grouping(place, state, category, month) AS kind, place, state, category, month, count(*) AS filed,
             count(*) FILTER (WHERE answered) AS answered, count(*) FILTER (WHERE answered AND NOT late) AS on_time, count(grade) AS rated,
             count(*) FILTER (WHERE grade IN ('satisfied', 'basic')) AS satisfied,
             percentile_cont(0.5) WITHIN GROUP (ORDER BY workdays) FILTER (WHERE answered) AS median_workdays
        FROM counted GROUP BY GROUPING SETS ((), (place), (state), (category), (month))
    )
    SELECT g.*, d.name FROM grouped g LEFT JOIN divisions d ON d.code = rpad(g.place, 12, '0')
     ORDER BY g.kind, g.place, g.state, g.category, g.month
"""
# What `grouping` says of a row: a bit for each column that it is not grouped by, the last column in the lowest.
_KINDS = {15: "total", 7: "division", 11: "state", 13: "category", 14: "month"}


def count_petitions(query: Mapping[str, Any], who: Identity) -> dict[str, Any]:
    """The cases that the reader may see, filed from `since` to `until` (days, a year at most), in numbers: in all, by the
    places right below `division`, by state, by category and by month. What the reader must not know of is not counted.

    on_time: answered before any limit for handling had passed, of all answered. satisfied: 满意 and 基本满意, by the last
    rating of the handling body, of all rated. median_workdays: from the day of filing to the first answer.
    Raises Forbidden for a role that sees no cases, and Invalid for a place outside the reader's area or an impossible span.
    """
    if who.actor.role not in READERS:
        raise Forbidden()
    prefix = _prefix(query["division"], who.actor.scope)
    until = query["until"] or clock.today()
    if not EARLIEST <= until <= LATEST:
        raise Invalid({"until": [f"a day from {EARLIEST} to {LATEST}"]})
    since = query["since"] or until - timedelta(days=LONGEST - 1)
    if not 0 <= (until - since).days < LONGEST:
        raise Invalid({"since": [f"a span of 1 to {LONGEST} days, until the day of `until`"]})
    calendar, versions = calendar_store.current()
    values = {
        "lo": prefix, "hi": f"{prefix}:", "digits": BELOW[len(prefix)], "workdays": _workdays(calendar, since),
        "since": start_of_day(since), "until": start_of_day(until + timedelta(days=1)),
        "limits": sorted({policy.id for policy in versions if policy.main}),
    }  # fmt: skip
    # A connection keeps the plan of a statement: actors of each size of area have one of their own, as for lists.
    kind = f"/* {reach_of(who.actor, None)} {len(prefix)} */"
    found = db.session.execute(text(kind + _COUNT), values)
    groups: dict[str, list[dict[str, Any]]] = {name: [] for name in ("total", *GROUPS)}
    for row in found:
        groups[_KINDS[row.kind]].append(_line(row))
    return {
        "division": pad(prefix), "since": since, "until": until, "total": groups["total"][0],
        **{f"by_{name}": groups[name] for name in GROUPS},
    }  # fmt: skip


def _prefix(division: str | None, scope: str) -> str:
    """The significant digits of the place that is asked for, the reader's own area without one. Raises Invalid."""
    if division is None:
        return scope
    prefix = next(division[:digits] for digits in BELOW if division[digits:].strip("0") == "")
    if not prefix.startswith(scope):
        raise Invalid({"division": ["outside your area"]})
    return prefix


def _workdays(calendar: WorkCalendar, since: date) -> list[date]:
    """The working days from then on until today."""
    span = range((clock.today() - since).days + 1)
    return [day for day in (since + timedelta(days=n) for n in span) if calendar.is_workday(day)]


def _line(row: Row[Any]) -> dict[str, Any]:
    line: dict[str, Any] = {
        **{name: getattr(row, name) for name in ("filed", "answered", "on_time", "rated", "satisfied", "median_workdays")},
        "on_time_rate": _rate(row.on_time, row.answered),
        "satisfaction_rate": _rate(row.satisfied, row.rated),
    }
    group = _KINDS[row.kind]
    if group == "division":
        return {"code": pad(row.place), "label": row.name, "label_en": row.name, **line}
    if group == "state":
        label = STATE_LABELS[PetitionState(row.state)]
        return {"code": row.state, "label": label.zh, "label_en": label.en, **line}
    return line if group == "total" else {"code": getattr(row, group), **line}


def _rate(part: int, whole: int) -> float | None:
    """A share in percent with one decimal; None of nothing."""
    return round(100 * part / whole, 1) if whole else None


def table_of(found: Mapping[str, Any]) -> list[list[Any]]:
    """The answer of `count_petitions` as rows for a spreadsheet, a header first."""
    rows: list[list[Any]] = [["group", "code", "label", *MEASURES]]
    rows.append(["total", found["division"], "", *(found["total"][name] for name in MEASURES)])
    for group in GROUPS:
        for line in found[f"by_{group}"]:
            rows.append([group, line["code"], line.get("label") or "", *(line[name] for name in MEASURES)])
    return rows


_PUBLICATIONS = text("SELECT period, published_at, least FROM publications ORDER BY period DESC LIMIT 240")
# Without a place the topmost one, whose code sorts before all that are below it.
_FIGURES = text(
    """
    WITH top AS (SELECT coalesce(:place, (SELECT min(division_code) FROM published_figures WHERE period = :period)) AS code)
    SELECT d.code, d.name, f.figures FROM top, published_figures f JOIN divisions d ON d.code = f.division_code
     WHERE f.period = :period AND (d.code = top.code OR d.parent_code = top.code)
     ORDER BY d.level, d.code
    """
)


def published(period: str | None, place: str | None) -> dict[str, Any]:
    """What was published of a month (the newest without one) for a place (the province without one) and the places right
    below it, and which months there are. Raises Unknown for a month or place of which nothing was published.
    """
    known = list(db.session.execute(_PUBLICATIONS))
    row = next((one for one in known if one.period == (period or one.period)), None)
    shown: dict[str, Any] = {
        "periods": [one.period for one in known], "period": None, "published_at": None, "least": None, "place": None, "below": [],
    }  # fmt: skip
    if row is None:
        if period or place:
            raise Unknown()
        return shown
    found = [one._asdict() for one in db.session.execute(_FIGURES, {"period": row.period, "place": place})]
    if not found or (place is not None and found[0]["code"] != place):
        raise Unknown()
    return {**shown, "period": row.period, "published_at": row.published_at, "least": row.least, "place": found[0], "below": found[1:]}
