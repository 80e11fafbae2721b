"""The petition chart made ready for the explorer: its description, and a small world in which every step is tried.

The world has one handling body for each round, one co-handler, and at each level the offices that intake, approve and
supervise, each with an ordinary person and a head. Persons and bodies of the past try to come back and must fail.
Within a kind they are interchangeable, so a configuration keeps the kind and forgets the name.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import cache
from typing import Any

from workflows import explorer, petition_guards
from workflows.actor import SYSTEM_ACTOR, Actor, Role
from workflows.base import Facts, StepTable
from workflows.explorer import ChartDescription, Finding, Move, WalkReport, edges_of, impersonal, inspect, walk
from workflows.petition import RESTS, TABLE, TIMED, PetitionState

HANDLING_STATES = frozenset({"dispatched", "return_requested", "signed", "handling", "suspended", "investigated"})
ANSWERED_STATES = frozenset(
    {"replied", "resolved", "dissatisfied", "escalated", "rated", "closed", "explained", "reviewing", "reviewed"}
)
UNASSIGNED_STATES = frozenset({"filed", "registered", "accepted"})
STATUTORY_ENDS = frozenset({"ended"})
HUMAN_ROLES = frozenset(role.value for role in Role if role is not Role.SYSTEM)
REST_STATES = frozenset(state.value for state in RESTS)
# Sent by the system, but only when somebody must withdraw: no case may depend on it to move on.
FORCED_FROM_OUTSIDE = frozenset({"recuse_body"})


def describe(table: StepTable = TABLE, timed: dict[str, tuple[str, ...]] | None = None) -> ChartDescription:
    """The petition chart, or a changed copy of it, as data for `explorer.inspect`."""
    return ChartDescription(
        name="petition",
        initial=table.initial,
        states=frozenset(state.value for state in PetitionState),
        edges=edges_of(table),
        timed=timed_events() if timed is None else timed,
        finals=table.finals,
        roles=HUMAN_ROLES,
        rests=REST_STATES,
        work=HANDLING_STATES,
        answered=ANSWERED_STATES,
        unassigned=UNASSIGNED_STATES,
        statutory_ends=STATUTORY_ENDS,
    )


def timed_events() -> dict[str, tuple[str, ...]]:
    """State → events that the clock sends there, without the mere reminders."""
    return {
        state.value: tuple(event.value for _, event in entries if event is not None) for state, entries in TIMED.items()
    }


class Sketch:
    """A petition with nothing but what the chart reads and changes. Ids are words."""

    def __init__(self, **given: Any):
        self.state = "filed"
        self.level = 4
        self.owner_org_id: Any = None
        self.main_org_id: Any = None
        self.main_handler_id: Any = None
        self.co_org_ids: list[Any] = []
        self.co_waiting_org_ids: list[Any] = []
        self.past_org_ids: list[Any] = []
        self.past_handler_ids: list[Any] = []
        self.returned_org_ids: list[Any] = []
        self.reply_author_id: Any = None
        self.round = 1
        self.designated = False
        self.returns = 0
        self.merges = 0
        self.parent_id: Any = None
        self.extension_days = 0
        self.extension_requests = 0
        self.extension_requested_by: Any = None
        self.parked = 0
        self.suspension_days = 0
        self.suspended_requested_by: Any = None
        self.reply_returns = 0
        self.answers = 0
        self.rating_changes = 0
        self.dissatisfied = 0
        self.reviews = 0
        self.rechecks = 0
        self.urgings = 0
        self.recusals = 0
        self.item_type = "appeal"
        self.priority = "P2"
        self.simple = False
        self.colour: str | None = None
        self.supervised = False
        self.due_at: Any = None
        self.return_until: Any = None
        self.rating_until: Any = None
        self.review_until: Any = None
        self.__dict__.update(given)

    def copy(self) -> Sketch:
        """An equal sketch; lists are shared because effects never edit one in place."""
        twin = object.__new__(Sketch)
        twin.__dict__.update(self.__dict__)
        return twin


# Every window of the world ends at the same instant; the clock stands before or after it.
WINDOW_END, BEFORE, AFTER = 10, 5, 15


def starts() -> Iterator[Sketch]:
    """A petition as filed: with each level in charge, an ordinary one and an accusation."""
    windows = dict.fromkeys(("due_at", "return_until", "rating_until", "review_until"), WINDOW_END)
    for level in (4, 3, 2, 1):
        for item_type in ("appeal", "accusation"):
            yield Sketch(level=level, item_type=item_type, **windows)


PETITIONER = Actor("petitioner", "petitioner", Role.PETITIONER.value, None, None, False, "")  # type: ignore[arg-type]
OFFICES = (
    (Role.TOWNSHIP_OFFICE, 4),
    (Role.TOWNSHIP_DISCIPLINE, 4),
    (Role.COUNTY_DISCIPLINE, 3),
    (Role.PETITION_OFFICE, 3),
    (Role.PETITION_OFFICE, 2),
    (Role.PETITION_OFFICE, 1),
    (Role.UPPER_DISCIPLINE, 2),
    (Role.UPPER_DISCIPLINE, 1),
)
CO_BODY = "co-body"


def staff(role: Role, org: str, level: int, head: bool = False, person: str | None = None) -> Actor:
    """A person of the world; without a name of his own he is the head or the ordinary person of his body."""
    name: Any = person or f"{org} {'head' if head else 'staff'}"
    where: Any = org
    return Actor("staff", name, role.value, where, level, head, "")


@cache
def cast(main: str | None, past: str | None) -> dict[str, list[Actor]]:
    """Everybody who may try something, by role: offices, the main body, the co-handler, and who handled before."""
    people = [SYSTEM_ACTOR, PETITIONER]
    for head in (False, True):
        people += [staff(role, f"{role.value} {level}", level, head) for role, level in OFFICES]
        for role in petition_guards.HANDLERS:
            level = 3 if role in (Role.COUNTY_DISCIPLINE, Role.DISPATCHED_GROUP) else 4
            people += [staff(role, body, level, head) for body in (main, CO_BODY) if body is not None]
            if past is not None and main is not None:
                people.append(staff(role, past, level, head))
                people.append(staff(role, main, level, head, person=f"{past} {'head' if head else 'staff'}"))
    by_role: dict[str, list[Actor]] = {}
    for actor in people:
        by_role.setdefault(actor.role, []).append(actor)
    return by_role


# Every fact that some event demands.
COMPLETE: dict[str, Any] = {
    **dict.fromkeys(("reason", "note", "route_code", "minutes", "agreement", "report", "proof", "plan"), "given"),
    **dict.fromkeys(("findings", "legal_basis", "suggested_org", "opinion", "reason_code"), "given"),
    "parent_id": "parent",
    "days": 30,
    "outcome": "explained",
    "co_org_id": CO_BODY,
    "main_org_id": "parent body",
    "main_handler_id": "parent body staff",
}


def facts_for(record: Sketch, event: str) -> list[dict[str, Any]]:
    """Complete facts in every variant that makes a difference, the forbidden ones among them."""
    fresh = f"body {len(record.past_org_ids) + len(record.returned_org_ids) + 1}"
    if record.main_org_id == fresh:
        fresh += "a"
    bodies = [fresh, *filter(None, (record.main_org_id, *record.past_org_ids[:1], *record.returned_org_ids[:1]))]
    sent = [{**COMPLETE, "main_org_id": body} for body in bodies]
    if event in ("dispatch", "rehandle", "reopen"):
        return [*sent, {**sent[0], "co_org_ids": [CO_BODY]}, {**sent[0], "co_org_ids": bodies[1:]}]
    if event == "give_review_opinion":
        return [{**COMPLETE, "outcome": "uphold"}, *({**each, "outcome": "redo"} for each in sent)]
    if event == "give_recheck_opinion":
        return [{**COMPLETE, "outcome": "uphold"}]
    if event == "submit_reply":
        return [{**COMPLETE, "outcome": "not_supported"}]
    if event in ("rate", "change_rating"):
        return [{**COMPLETE, "grade": grade} for grade in ("satisfied", "basic", "dissatisfied")]
    if event == "recuse_body":
        return [
            {"main_excluded": main, "office_excluded": office}
            for main, office in ((True, False), (True, True), (False, True), (False, False))
        ]
    if event == "approve_extension":
        return [{**COMPLETE, "days": days} for days in (15, 30)]
    if event == "request_extension":
        return [{**COMPLETE, "days": 15}]
    return [COMPLETE]


def moves(record: Sketch, table: StepTable = TABLE) -> Iterator[Move[Sketch]]:
    """Every step that anybody can take from here, before or after the windows have closed, as the guards decide."""
    people = cast(record.main_org_id, record.past_org_ids[-1] if record.past_org_ids else None)
    for event in {step.event: None for step in table.steps_from(record.state)}:
        steps = table.steps_from(record.state, event)
        clocks = (BEFORE, AFTER) if any(each.code == "outside-window" for s in steps for each in s.guards) else (AFTER,)
        # Whoever is in no guard's `who` is refused by that guard; another test asks them one by one.
        actors = [actor for role in {r: None for s in steps for r in sorted(s.who)} for actor in people.get(role, ())]
        for facts in facts_for(record, event):
            for now in clocks:
                sent = {**facts, "now": now}
                possible = [step for step in steps if all(each.ask(record, None, sent) for each in impersonal(step))]
                # One ordinary person, one head and the clock are enough: what changes depends on no more than that.
                tried: set[tuple[str, bool]] = set()
                for actor in actors if possible else ():
                    if (actor.kind, actor.head) in tried:
                        continue
                    step = next((each for each in possible if each.refusal(record, actor, sent) is None), None)
                    if step is None:
                        continue
                    tried.add((actor.kind, actor.head))
                    after = record.copy()
                    step.take(after, actor, sent)
                    human = None if event in FORCED_FROM_OUTSIDE else actor.kind != "system"
                    yield Move(event, human, after, _fault(record, after, sent, event))


def _fault(before: Sketch, after: Sketch, facts: Facts, event: str) -> str | None:
    if after.main_org_id is not None and after.main_org_id in after.past_org_ids:
        return "same-body-again"
    if set(after.co_org_ids) & set(after.past_org_ids):
        return "same-body-again"
    if after.level > before.level:
        return "level-went-down"
    bad_rating = event in ("rate", "change_rating") and facts.get("grade") == "dissatisfied"
    if bad_rating and not (after.level < before.level or after.state in STATUTORY_ENDS):
        return "rating-does-not-go-up"
    return None


# By whom a case was handled before never opens anything to the people of this world, and windows never change.
FORGOTTEN = {"past_org_ids", "past_handler_ids", "main_handler_id", "returned_org_ids"} | {
    *("due_at", "return_until", "rating_until", "review_until", "state")
}


def live_fields(table: StepTable) -> dict[str, tuple[str, ...]]:
    """As `explorer.live_fields`, for the petition chart or a changed copy of it."""
    return explorer.live_fields(
        table,
        set(Sketch().__dict__) - FORGOTTEN,
        # The supervising offices of this world are never handlers, so that this guard has nothing to remember.
        unread=[petition_guards.did_not_handle],
        # Whether a body returned the case before decides whether it is designated now.
        besides={"dispatch": {"returned"}},
    )


def _kind(record: Sketch, name: str) -> object:
    """A field's value with the names of people and bodies forgotten."""
    if name == "returned":
        return bool(record.returned_org_ids)
    value = getattr(record, name)
    if name == "answers":
        return value > 0
    if name == "round":
        return min(value, petition_guards.LIMITS["reopened_rounds"])
    if name in ("extension_requested_by", "suspended_requested_by", "reply_author_id"):
        return value and value.rpartition(" ")[2]
    if name in ("main_org_id", "parent_id", "owner_org_id"):
        return value is not None
    return tuple(value) if isinstance(value, list) else value


def prove(table: StepTable = TABLE, limit: int = 500_000, begin: Iterable[Sketch] | None = None) -> WalkReport:
    """Walk the whole petition chart, or a changed copy of it: half a minute from all `starts` with the real `LIMITS`.

    Guards only compare a counter with its limit, so a walk with smaller limits shows the same kinds of defect sooner.
    """
    live = live_fields(table)

    def key(record: Sketch) -> tuple[object, ...]:
        return (record.state, *(_kind(record, name) for name in live[record.state]))

    return walk(
        starts() if begin is None else begin,
        lambda record: moves(record, table),
        key=key,
        state=lambda record: record.state,
        ends=table.finals,
        rests=REST_STATES,
        limit=limit,
    )


def findings() -> Iterable[Finding]:
    """Everything wrong with the petition chart by both searches: nothing."""
    return [*inspect(describe()), *prove().findings]
