"""What the rules are told of their alerts: which items were decided, and how."""

from collections import Counter, defaultdict
from dataclasses import dataclass

from sqlalchemy import text

from app.extensions import db

_DECIDED = text(
    "SELECT serial, alert_key, place, verdict FROM alerts WHERE rule_code = :code AND verdict IS NOT NULL ORDER BY raised_at, id"
)
_COUNTED = text(
    """
    SELECT rule_version, left(place, 6) AS county, verdict, count(*) AS items FROM alerts
     WHERE rule_code = :code AND verdict IS NOT NULL GROUP BY 1, 2, 3 ORDER BY 1, 2, 3
    """
)


@dataclass(frozen=True, slots=True)
class Decided:
    """An item with its verdict, A to F."""

    serial: str
    alert_key: str
    place: str
    verdict: str


def decided_items(rule_code: str) -> list[Decided]:
    """The decided items of a rule that the actor may see, the oldest first. One statement."""
    return [Decided(*row) for row in db.session.execute(_DECIDED, {"code": rule_code})]


def verdicts_by_version(rule_code: str) -> dict[tuple[int, str], Counter[str]]:
    """How many items of a rule had which verdict, by its version and the county, as far as the actor may see. One statement."""
    found: dict[tuple[int, str], Counter[str]] = defaultdict(Counter)
    for row in db.session.execute(_COUNTED, {"code": rule_code}):
        found[row.rule_version, row.county][row.verdict] += row.items
    return found
