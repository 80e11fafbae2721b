"""The alert chart made ready for the explorer: its description, and a small world in which every step is tried.

The world has one body at each level with two checkers, two further persons and two heads in each role of that level, and the
unit that the alert is about. Whoever asked, checked or decided tries the next step too, and must fail where two are needed; a
configuration keeps that somebody did it and forgets who, because there is always somebody else.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, fields, replace
from datetime import date
from functools import cache
from typing import Any

from workflows import explorer
from workflows.actor import SYSTEM_ACTOR, Actor, Role
from workflows.alert import RESTS, TABLE, TIMED, AlertState
from workflows.alert_guards import MAY_ACT
from workflows.alert_record import COLOURS, PROVINCE
from workflows.base import StepTable
from workflows.explorer import ChartDescription, Move, WalkReport, edges_of, impersonal, walk

UNASSIGNED_STATES = frozenset({"filed", "held", "muted", "dispatched", "escalated"})
# Sent by the system, but only when something outside happens: no alert may depend on it to move on.
FORCED_FROM_OUTSIDE = frozenset({"recuse", "add_evidence", "push_again", "follow_parent", "mute", "hold"})
# Sent by the clock, but what they end is not the waiting of the alert itself.
NOTED_BY_CLOCK = frozenset({"lapse_freeze", "expire_clearance"})
TODAY, LATER = date(2026, 3, 2), date(2026, 4, 1)


@dataclass
class Sketch:
    """An alert with nothing but what the chart reads and changes. Ids may be words."""

    state: str = "filed"
    colour: str = "red"
    level: int = 4
    org_id: Any = "body 4"
    unit_org_id: Any = "unit"
    subject_org_ids: list[Any] = field(default_factory=list)
    cadre_level: int | None = 3
    parent_id: Any = None
    flood: bool = False
    checker_ids: list[Any] = field(default_factory=list)
    assignments: int = 0
    explanations: int = 0
    unexplained: bool = False
    freeze: str | None = None
    freeze_by: Any = None
    freezes: int = 0
    extensions: int = 0
    extension_by: Any = None
    findings_by: Any = None
    findings_returns: int = 0
    clearance_by: Any = None
    clearance_reason: str | None = None
    clearance_scope: str | None = None
    clearance_until: date | None = None
    clearances: int = 0
    clearance_live: bool = False
    papers_due: bool = False
    sampled: bool = False
    decided_by: Any = None
    disposed: bool = False
    proof_by: Any = None
    proof_returns: int = 0
    stages: int = 0
    take_backs: int = 0
    resolution: str | None = None
    verdict: str | None = None
    verdict_by: Any = None
    verdict_changes: int = 0
    reopenings: int = 0
    urgings: int = 0
    overdue: bool = False


def describe(table: StepTable = TABLE, timed: dict[str, tuple[str, ...]] | None = None) -> ChartDescription:
    """The alert chart, or a changed copy of it, as data for `explorer.inspect`."""
    return ChartDescription(
        name="alert",
        initial=table.initial,
        states=frozenset(state.value for state in AlertState),
        edges=edges_of(table),
        timed=timed_events() if timed is None else timed,
        finals=table.finals,
        roles=frozenset(role.value for role in MAY_ACT),
        rests=RESTS,
        unassigned=UNASSIGNED_STATES,
        statutory_ends=frozenset({"ended"}),
    )


def timed_events() -> dict[str, tuple[str, ...]]:
    """State → events that the clock sends there and that move the alert, without reminders and notes."""
    return {
        state: tuple(dict.fromkeys(event for _, event in sent if event and event not in NOTED_BY_CLOCK))
        for state, sent in TIMED.items()
    }


def starts() -> Iterator[Sketch]:
    """An alert as generated: each colour at its first receiver, and a red one that begins further up."""
    for colour, level in (("red", 4), ("orange", 4), ("yellow", 4), ("blue", 5), ("red", 3), ("red", 1)):
        yield Sketch(colour=colour, level=level, org_id=f"body {level}")
    # Generated for a body that the alert is about, and for one that takes no alert of this colour.
    yield Sketch(colour="yellow", subject_org_ids=["body 4"])
    yield Sketch(level=5, org_id="body 5")


ROLES_AT = {
    5: (Role.VILLAGE_SUPERVISOR,),
    4: (Role.TOWNSHIP_OFFICE, Role.TOWNSHIP_DISCIPLINE),
    3: (Role.COUNTY_DISCIPLINE, Role.DISPATCHED_GROUP),
    2: (Role.UPPER_DISCIPLINE,),
    1: (Role.UPPER_DISCIPLINE,),
}


@cache
def cast() -> dict[str, list[Actor]]:
    """Everybody who may try something, by role."""
    people = [SYSTEM_ACTOR, _person(Role.VILLAGE_CLERK, "unit", 5, "clerk")]
    for level, roles in ROLES_AT.items():
        people += [_person(role, f"body {level}", level, who) for role in roles for who in ("a", "b", "c", "d")]
        people += [
            _person(role, f"body {level}", level, who, head=True) for role in roles for who in ("head", "deputy")
        ]
    by_role: dict[str, list[Actor]] = {}
    for actor in people:
        by_role.setdefault(actor.role, []).append(actor)
    return by_role


def _person(role: Role, org: Any, level: int, who: str, head: bool = False) -> Actor:
    name: Any = f"{org} {who}"
    return Actor("staff", name, role.value, org, level, head, "")


COMPLETE: dict[str, Any] = {
    **dict.fromkeys(("reason", "question", "explanation", "basis", "opinion", "proof", "note", "findings"), "given"),
    **dict.fromkeys(("minutes", "department_org_id", "parent_id", "source_field"), "given"),
    "shown": ["amount"],
    "days": 5,
    "persons": [],
    "amount": 0,
    "recovered": 0,
    "returned": 0,
    "kind": "recovered",
    "fen": 1,
    "items": [{"task": "given", "owner": "given", "due": "given"}],
    "today": TODAY,
}


def facts_for(record: Sketch, event: str) -> list[dict[str, Any]]:
    """Complete facts in every variant that makes a difference, the forbidden ones among them."""
    checkers = [f"{record.org_id} a", f"{record.org_id} b"]
    above = record.level - 1
    base = {
        **COMPLETE,
        "checker_ids": checkers,
        "above_org_id": f"body {above}" if record.level > PROVINCE else None,
        "above_level": above,
    }
    many: dict[str, list[dict[str, Any]]] = {
        "hold": [{"reason_code": one} for one in ("new_rule", "flood")],
        "withdraw": [{"reason_code": "rule_fault"}],
        # Somebody may choose another receiver.
        "dispatch": [{}, {"org_id": "body 4", "level": 4}, {"org_id": "body 3", "level": 3}],
        "add_evidence": [{}, {"colour": "red"}],
        "push_again": [{"colour": one} for one in COLOURS],
        "start_check": [{}, {"checker_ids": checkers[:1]}],
        "assign_checkers": [{}, {"checker_ids": checkers[:1]}],
        "request_clearance": [
            {"reason_code": "lawful_exception", "scope": "evidence", "papers": ["approval"]},
            {"reason_code": "emergency_works", "scope": "evidence", "papers": ["emergency_report"]},
            {"reason_code": "data_error", "scope": "contract", "papers": ["source_record"], "until": LATER},
        ],
        "approve_clearance": [{}, {"sampled": True}],
        "record_disposal": [{}, {"persons": [{"person": "somebody", "form": "FORM_4"}]}],
        "strike_off": [{"items_left": left} for left in (0, 1)],
        **dict.fromkeys(("rate", "revise_verdict", "re_examine"), [{"verdict": one} for one in "ACD"]),
        "reopen": [{"reason_code": "new_evidence"}],
    }
    return [{**base, **more} for more in many.get(event, [{}])]


def moves(record: Sketch, table: StepTable = TABLE) -> Iterator[Move[Sketch]]:
    """Every step that anybody can take from here, as the guards decide; the clock sends what the limits of the state say."""
    sent_by_clock = timed_events().get(record.state, ())
    for event in {step.event: None for step in table.steps_from(record.state)}:
        steps = table.steps_from(record.state, event)
        actors = [actor for role in {r: None for s in steps for r in sorted(s.who)} for actor in cast().get(role, ())]
        for facts in facts_for(record, event):
            possible = [step for step in steps if all(each.ask(record, None, facts) for each in impersonal(step))]
            # What changes depends on no more than clock or person, and the level of the body.
            tried: set[tuple[str, int | None]] = set()
            for actor in actors if possible else ():
                if (actor.kind, actor.org_level) in tried:
                    continue
                step = next((each for each in possible if each.refusal(record, actor, facts) is None), None)
                if step is None:
                    continue
                tried.add((actor.kind, actor.org_level))
                after = replace(record)
                step.take(after, actor, facts)
                if actor.kind == "system":
                    human = False if event in sent_by_clock and event not in FORCED_FROM_OUTSIDE else None
                else:
                    human = True
                yield Move(event, human, after, _fault(record, after, event))


def _fault(before: Sketch, after: Sketch, event: str) -> str | None:
    """What no step may ever do to an alert."""
    if after.level > before.level and event != "dispatch":
        return "level-went-down"
    if COLOURS.index(after.colour) > COLOURS.index(before.colour) and event != "strike_off":
        return "colour-stepped-down"
    if (
        event in ("start_check", "report_findings", "confirm")
        and after.colour == "red"
        and len(set(after.checker_ids)) < 2
    ):
        return "one-checks-a-red-alert"
    if after.state == "resolved" and after.resolution is None:
        return "resolved-without-a-reason"
    if after.resolution == "cleared" and after.colour in ("red", "orange") and after.clearance_scope != "evidence":
        return "red-beyond-its-evidence"
    return None


# Persons of this world who may not decide are never the only ones, so that who they were opens nothing. What nobody reads later
# is forgotten too.
FORGOTTEN = {
    "state",
    "org_id",
    "unit_org_id",
    "subject_org_ids",
    "cadre_level",
    "parent_id",
    "overdue",
    "unexplained",
} | {*("freeze_by", "clearance_by", "decided_by", "proof_by", "verdict_by", "clearance_reason")}


def live_fields(table: StepTable = TABLE) -> dict[str, tuple[str, ...]]:
    """As `explorer.live_fields`, for the alert chart or a changed copy of it."""
    return explorer.live_fields(table, {each.name for each in fields(Sketch)} - FORGOTTEN)


def _kind(record: Sketch, name: str) -> object:
    """A field's value with the names of people forgotten."""
    value = getattr(record, name)
    if name in ("findings_by", "extension_by", "clearance_until"):
        return value is not None
    return len(set(value)) if isinstance(value, list) else value


def prove(table: StepTable = TABLE, limit: int = 500_000, begin: Iterable[Sketch] | None = None) -> WalkReport:
    """Walk the whole alert chart, or a changed copy of it.

    Guards only compare a counter with its limit, so a walk with smaller limits shows the same kinds of defect sooner.
    """
    live = live_fields(table)

    def key(record: Sketch) -> tuple[object, ...]:
        return (record.state, record.level, *(_kind(record, name) for name in live[record.state]))

    return walk(
        starts() if begin is None else begin,
        lambda record: moves(record, table),
        key=key,
        state=lambda record: record.state,
        ends=table.finals,
        rests=RESTS,
        limit=limit,
    )
