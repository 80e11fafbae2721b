"""Publishing the figures of a closed month: once, for good, and so that they betray no case (docs/adr/0018)."""

import hashlib
import hmac
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import NamedTuple

from flask import current_app
from sqlalchemy import insert, text
from sqlalchemy.dialects.postgresql import insert as insert_or_leave

from app import calendar_store, clock
from app.database import SYSTEM, transaction
from app.extensions import db
from app.statistics.models import Publication, PublishedFigure
from app.statistics.suppression import Cell, Shape, add_up, blur, floors, hidden_cells
from workflows.calendar import start_of_day


@dataclass(frozen=True, slots=True)
class Terms:
    """When and from which number on figures are published.

    least: no smaller figure is shown, and for each one that is hidden at least so many values stay possible. In a village
    people know each other: with five or fewer a name is soon guessed, so it is the stricter of the usual thresholds.
    settling: days after the end of a month before it is counted. Within 15 days a petition is routed (信访工作条例 Art 22), and
    the longest run of rest days can put that off by nine: then what belongs to the discipline side has left.
    """

    least: int = 10
    settling: int = 25


TERMS = Terms()
# Of discipline nothing is published: neither accusations, wherever they are, nor what is about the conduct of cadres.
CATEGORIES = ("land", "works", "assets", "labour_pay", "procurement", "relief", "seals", "funds", "other")
TABLES = {
    "filed": CATEGORIES,
    "answered": ("on_time", "late"),
    "rated": ("satisfied", "basic", "dissatisfied"),
}
_OPEN_MATTER = "p.item_type <> 'accusation' AND p.category <> 'conduct' AND p.state <> 'sealed'"
COUNTS = {
    "filed": f"""
        SELECT left(p.division_code, 6) AS place, p.category AS name, count(*) AS number
          FROM petitions p
         WHERE p.filed_at >= :since AND p.filed_at < :until AND {_OPEN_MATTER}
         GROUP BY 1, 2
    """,
    # The first answer of a case; late when a limit for handling had passed before it.
    "answered": f"""
        SELECT left(p.division_code, 6) AS place, CASE WHEN EXISTS (
                 SELECT 1 FROM deadlines d WHERE d.petition_id = p.id AND d.breached AND d.policy_id = ANY (:limits) AND d.due_at <= e.at
               ) THEN 'late' ELSE 'on_time' END AS name, count(*) AS number
          FROM petition_events e JOIN petitions p ON p.id = e.petition_id
         WHERE e.event IN ('deliver', 'follow_parent') AND e.at >= :since AND e.at < :until AND {_OPEN_MATTER}
           AND NOT EXISTS (SELECT 1 FROM petition_events b WHERE b.petition_id = e.petition_id AND b.seq < e.seq
                              AND b.event IN ('deliver', 'follow_parent'))
         GROUP BY 1, 2
    """,
    # Of several ratings of a case in the month the last one: who changes their mind speaks once.
    "rated": f"""
        SELECT left(p.division_code, 6) AS place, r.body_grade AS name, count(*) AS number
          FROM ratings r JOIN petitions p ON p.id = r.petition_id
         WHERE r.at >= :since AND r.at < :until AND {_OPEN_MATTER}
           AND NOT EXISTS (SELECT 1 FROM ratings l WHERE l.petition_id = r.petition_id AND l.at > r.at AND l.at < :until)
         GROUP BY 1, 2
    """,
}
_PLACES = text("SELECT code, parent_code FROM divisions WHERE level <= 3 AND (withdrawn_on IS NULL OR withdrawn_on >= :first)")
_OLDEST = text("SELECT min(filed_at) FROM petitions")
_DONE = text("SELECT period FROM publications")


class Month(NamedTuple):
    """A month of Asia/Shanghai days."""

    year: int
    month: int

    def __str__(self) -> str:
        return f"{self.year:04}-{self.month:02}"

    @property
    def first(self) -> date:
        return date(self.year, self.month, 1)

    def next(self) -> "Month":
        """The month after it."""
        return Month(self.year + self.month // 12, self.month % 12 + 1)


@dataclass(slots=True)
class PublicationReport:
    """One round: months published in it, and the first that is still to come with its day."""

    periods: list[str] = field(default_factory=list)
    next_period: str = ""
    next_on: date = date.max
    failed: int = 0

    @property
    def done(self) -> int:
        """How many months were published."""
        return len(self.periods)


def publish_due(*, stopping: Callable[[], bool] = lambda: False) -> PublicationReport:
    """Publish every month that is closed, has settled and is not published yet, the oldest first, each in a transaction of
    its own. Safe to cut short and to run twice at once: what is published stays as it is.
    """
    report = PublicationReport()
    with transaction(SYSTEM):
        today = clock.today()
        oldest = db.session.scalar(_OLDEST)
        done = set(db.session.scalars(_DONE))
    begin = oldest.astimezone(clock.SHANGHAI) if oldest else None
    month = Month(begin.year, begin.month) if begin else Month(today.year, today.month)
    while _settled_on(month) <= today and not stopping():
        if str(month) not in done:
            with transaction(SYSTEM):
                if _publish(month):
                    report.periods.append(str(month))
        month = month.next()
    report.next_period, report.next_on = str(month), _settled_on(month)
    return report


def _settled_on(month: Month) -> date:
    return month.next().first + timedelta(days=TERMS.settling)


def _publish(month: Month) -> bool:
    """False when somebody else was quicker."""
    row = {"period": str(month), "published_at": clock.now(), "least": TERMS.least}
    taken = insert_or_leave(Publication).values(row).on_conflict_do_nothing().returning(Publication.period)
    if db.session.scalar(taken) is None:
        return False
    parents: dict[str, str | None] = {row.code: row.parent_code for row in db.session.execute(_PLACES, {"first": month.first})}
    figures: dict[str, dict[str, dict[str, int | None]]] = {place: {} for place in parents}
    for table, columns in TABLES.items():
        counted = _count(table, month)
        for (place, column), value in figures_of(parents, table, columns, counted, str(month)).items():
            figures[place].setdefault(table, {})[column] = value
    if figures:
        rows = [{"period": str(month), "division_code": place, "figures": of_it} for place, of_it in figures.items()]
        db.session.execute(insert(PublishedFigure.__table__), rows)
    return True


def _count(table: str, month: Month) -> dict[Cell, int]:
    limits = sorted({policy.id for policy in calendar_store.current()[1] if policy.main})
    span = {"since": start_of_day(month.first), "until": start_of_day(month.next().first)}
    values = {**span, "limits": limits} if table == "answered" else span
    found = db.session.execute(text(COUNTS[table]), values)
    return {(row.place.ljust(12, "0"), row.name): row.number for row in found}


def figures_of(
    parents: dict[str, str | None], table: str, columns: tuple[str, ...], counted: dict[Cell, int], period: str
) -> dict[Cell, int | None]:
    """What is published of the counts of a month: every cell of the table, None where it is hidden."""
    shown: dict[Cell, int | None] = {}
    for places in _trees(parents):
        shape = Shape(places, columns)
        values = add_up(shape, blur(shape, counted, _key(), period, table))
        hidden = hidden_cells(shape, values, TERMS.least, floors(shape, TERMS.least))
        shown |= {cell: None if cell in hidden else value for cell, value in values.items()}
    return shown


def _trees(parents: dict[str, str | None]) -> Iterable[dict[str, str | None]]:
    """A tree for each province. Places whose higher level is not in the list hang on the province."""
    for top in sorted(place for place in parents if place[2:] == "0" * 10):
        inside = sorted(place for place in parents if place[:2] == top[:2] and place != top)
        yield {top: None, **{place: parents[place] if parents[place] in parents else top for place in inside}}


def _key() -> bytes:
    """The key of the noise. Should it ever change, months that are published stay as they are."""
    secret = current_app.config["SETTINGS"].secret_key.encode()
    return hmac.digest(secret, b"noise of published figures", hashlib.sha256)
