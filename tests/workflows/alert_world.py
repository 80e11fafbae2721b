"""An alert with nothing but what the chart reads, and the people around it."""

from dataclasses import dataclass, field
from datetime import date
from typing import Any
from uuid import UUID

from workflows.actor import Actor, Role
from workflows.alert import TABLE

VILLAGE, TOWN, COUNTY, CITY, PROVINCE, UNIT = (UUID(int=n) for n in (5, 4, 3, 2, 1, 9))
ABOVE = {5: (TOWN, 4), 4: (COUNTY, 3), 3: (CITY, 2), 2: (PROVINCE, 1), 1: (None, None)}
TODAY = date(2026, 3, 2)


@dataclass
class Alert:
    """A red alert at the township, about a village."""

    state: str = "filed"
    colour: str = "red"
    level: int = 4
    org_id: UUID | None = TOWN
    unit_org_id: UUID | None = UNIT
    subject_org_ids: list[UUID] = field(default_factory=list)
    cadre_level: int | None = 3
    parent_id: UUID | None = None
    flood: bool = False
    checker_ids: list[UUID] = field(default_factory=list)
    assignments: int = 0
    explanations: int = 0
    unexplained: bool = False
    freeze: str | None = None
    freeze_by: UUID | None = None
    freezes: int = 0
    extensions: int = 0
    extension_by: UUID | None = None
    findings_by: UUID | None = None
    findings_returns: int = 0
    clearance_by: UUID | None = None
    clearance_reason: str | None = None
    clearance_scope: str | None = None
    clearance_until: date | None = None
    clearances: int = 0
    clearance_live: bool = False
    papers_due: bool = False
    sampled: bool = False
    decided_by: UUID | None = None
    disposed: bool = False
    proof_by: UUID | None = None
    proof_returns: int = 0
    stages: int = 0
    take_backs: int = 0
    resolution: str | None = None
    verdict: str | None = None
    verdict_by: UUID | None = None
    verdict_changes: int = 0
    reopenings: int = 0
    urgings: int = 0
    overdue: bool = False


def staff(role: Role, org: UUID, level: int, person: int, *, head: bool = False) -> Actor:
    return Actor("staff", UUID(int=person), role.value, org, level, head, "")


CHECKER = staff(Role.TOWNSHIP_DISCIPLINE, TOWN, 4, 41)
SECOND = staff(Role.TOWNSHIP_DISCIPLINE, TOWN, 4, 42)
CLERK = staff(Role.TOWNSHIP_DISCIPLINE, TOWN, 4, 43)
HEAD = staff(Role.TOWNSHIP_DISCIPLINE, TOWN, 4, 40, head=True)
OFFICE = staff(Role.TOWNSHIP_OFFICE, UUID(int=14), 4, 44, head=True)
SUPERVISOR = staff(Role.VILLAGE_SUPERVISOR, VILLAGE, 5, 50, head=True)
UNIT_CLERK = staff(Role.VILLAGE_CLERK, UNIT, 5, 90)
COUNTY_HEAD = staff(Role.COUNTY_DISCIPLINE, COUNTY, 3, 30, head=True)
COUNTY_CLERK = staff(Role.COUNTY_DISCIPLINE, COUNTY, 3, 31)
CITY_HEAD = staff(Role.UPPER_DISCIPLINE, CITY, 2, 20, head=True)
PROVINCE_HEAD = staff(Role.UPPER_DISCIPLINE, PROVINCE, 1, 10, head=True)
PETITION_OFFICE = staff(Role.PETITION_OFFICE, COUNTY, 3, 33, head=True)
TWO = [CHECKER.person_id, SECOND.person_id]

WORDS: dict[str, Any] = {
    **dict.fromkeys("reason question explanation basis opinion proof note findings minutes".split(), "x"),
    "shown": ["amount"], "department_org_id": UUID(int=77), "parent_id": UUID(int=88), "checker_ids": TWO, "days": 5,
    "persons": [], "amount": 0, "recovered": 0, "returned": 0, "items_left": 0, "kind": "recovered", "fen": 100,
    "items": [{"task": "t", "owner": "o", "due": "2026-04-01"}], "scope": "evidence",
}
CLEAR = {"reason_code": "lawful_exception", "papers": ["approval"]}


def send(alert: Alert, event: str, actor: Actor | None, **facts: Any) -> None:
    above, level = ABOVE[alert.level]
    TABLE.send(alert, event, actor, **{"above_org_id": above, "above_level": level, "today": TODAY, **WORDS, **facts})


def checking(**given: Any) -> Alert:
    """An alert that two people of the township check."""
    return Alert(**{"state": "checking", "checker_ids": list(TWO), **given})
