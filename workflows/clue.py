"""The sealed clue track (问题线索): what can happen to an accusation once it has left the general flow, and what forces it on.

Rules: 纪检监察机关处理检举控告工作规则 and 监督执纪工作规则. A clue that nobody works on goes up, level by level, and never to nobody.
Words and record stand in `clue_record`, the limits in `clue_limits`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from statemachine import State
from statemachine.states import States

from workflows.actor import Actor, Role
from workflows.base import Facts, Guard, HouseChart, StepTable, effect, guard, needs
from workflows.clue_limits import CLUE_LIMITS
from workflows.clue_record import (
    CITY,
    CLUE_EVENT_LABELS,
    CLUE_LABELS,
    CLUE_REFUSALS,
    DISPOSALS,
    LIMITS,
    METHODS,
    OUTCOMES,
    PROVINCE,
    ClueEvent,
    ClueRecord,
    ClueState,
)
from workflows.petition_guards import is_system, one_of

__all__ = [
    "CLUE_EVENT_LABELS",
    "CLUE_LABELS",
    "CLUE_LIMITS",
    "CLUE_REFUSALS",
    "DISPOSALS",
    "MAY_KNOW",
    "METHODS",
    "OPEN_STATES",
    "OUTCOMES",
    "TABLE",
    "TIMED",
    "ClueChart",
    "ClueEvent",
    "ClueRecord",
    "ClueState",
]

BODIES = frozenset({Role.TOWNSHIP_DISCIPLINE, Role.COUNTY_DISCIPLINE, Role.UPPER_DISCIPLINE})
# Who may ever stand on a need-to-know list.
MAY_KNOW = BODIES | {Role.DISPATCHED_GROUP}

Who = Actor | None


@guard("not-on-the-list", who=MAY_KNOW)
def is_on_the_list(c: ClueRecord, actor: Who, facts: Facts) -> bool:
    """The door sends `on_list`: whether the person stands on the need-to-know list of this clue."""
    return actor is not None and actor.role in MAY_KNOW and bool(facts.get("on_list", True))


@guard("not-head-in-charge", who=BODIES)
def is_head_in_charge(c: ClueRecord, actor: Who, facts: Facts) -> bool:
    """Head of the discipline body in charge."""
    return actor is not None and actor.role in BODIES and actor.head and actor.org_id == c.org_id


@guard("not-the-handler", who=MAY_KNOW)
def is_handler(c: ClueRecord, actor: Who, facts: Facts) -> bool:
    return actor is not None and actor.role in MAY_KNOW and actor.person_id == c.handler_id


@guard("city-level-needed", who=[Role.UPPER_DISCIPLINE])
def is_city_head(c: ClueRecord, actor: Who, facts: Facts) -> bool:
    """Head of a discipline body of a city or the province (检举控告工作规则: a false accusation is found by nobody below)."""
    return (
        actor is not None
        and actor.role == Role.UPPER_DISCIPLINE
        and actor.head
        and actor.org_level is not None
        and actor.org_level <= CITY
    )


@guard("recused")
def is_not_recused(c: ClueRecord, actor: Who, facts: Facts) -> bool:
    """监察法 Art 67. The door says who has an interest: everybody of a body that the clue names, or below it."""
    return not facts.get("recused")


def _somebody_else(field: str, code: str = "separation-of-duties") -> Guard:
    def ask(c: ClueRecord, actor: Who, facts: Facts) -> bool:
        return actor is not None and actor.person_id is not None and actor.person_id != getattr(c, field)

    ask.__name__ = f"is_not_{field.removesuffix('_id')}"
    return Guard(ask, code)


@guard("separation-of-duties")
def is_no_head(c: ClueRecord, actor: Who, facts: Facts) -> bool:
    """What a head decides somebody else proposes; otherwise nobody could decide it."""
    return actor is not None and not actor.head


@guard("separation-of-duties")
def names_somebody_else(c: ClueRecord, actor: Who, facts: Facts) -> bool:
    return actor is not None and facts.get("handler_id") != actor.person_id


is_not_proposer = _somebody_else("proposer_id")
is_not_handler = _somebody_else("handler_id")
is_not_false_proposer = _somebody_else("false_proposer_id")
is_not_clarification_proposer = _somebody_else("clarification_proposer_id")


def _below(counter: str) -> Guard:
    def ask(c: ClueRecord, actor: Who, facts: Facts) -> bool:
        return bool(getattr(c, counter) < LIMITS[counter])

    ask.__name__ = f"{counter}_left"
    return Guard(ask, f"{counter}-spent", counter=counter)


returns_left, takes_left, assignments_left = _below("returns"), _below("takes"), _below("assignments")
reports_left, answers_left, urgings_left = _below("reports"), _below("answers"), _below("urgings")


def _above(c: ClueRecord, facts: Facts) -> bool:
    return c.level > PROVINCE and facts.get("above_org_id", True) is not None


@guard("nobody-above")
def has_a_body_above(c: ClueRecord, actor: Who, facts: Facts) -> bool:
    """The door sends `above_org_id`: the next body above whose head may know, or None."""
    return _above(c, facts)


@guard("other-branch")
def is_at_the_top(c: ClueRecord, actor: Who, facts: Facts) -> bool:
    return not _above(c, facts)


@guard("not-named")
def is_named(c: ClueRecord, actor: Who, facts: Facts) -> bool:
    return c.named


@guard("no-real-name")
def is_real_name(c: ClueRecord, actor: Who, facts: Facts) -> bool:
    """检举控告工作规则 Art 25: a real-name reporter is answered; of an anonymous one nobody asks who it was."""
    return c.real_name


@guard("feedback-is-due")
def owes_no_feedback(c: ClueRecord, actor: Who, facts: Facts) -> bool:
    return not c.real_name


@guard("not-unfounded")
def is_unfounded(c: ClueRecord, actor: Who, facts: Facts) -> bool:
    return c.outcome in ("unfounded", "mistaken")


@guard("mistaken-report")
def may_be_false(c: ClueRecord, actor: Who, facts: Facts) -> bool:
    """A report that was merely mistaken (错告) is no false accusation, whoever is annoyed."""
    return c.outcome == "unfounded"


def _fact(field: str, value: str | None, code: str, counter: str | None = None) -> Guard:
    def ask(c: ClueRecord, actor: Who, facts: Facts) -> bool:
        return bool(getattr(c, field) == value)

    ask.__name__ = f"{field}_{value or 'not_proposed'}"
    return Guard(ask, code, counter=counter)


false_not_proposed = _fact("false_accusation", None, "already-proposed", "false_accusation")
false_waits = _fact("false_accusation", "proposed", "nothing-proposed", "false_accusation")
clarification_not_proposed = _fact("clarification", None, "already-proposed", "clarification")
clarification_waits = _fact("clarification", "proposed", "nothing-proposed", "clarification")


@guard("decision-waits")
def nothing_waits(c: ClueRecord, actor: Who, facts: Facts) -> bool:
    return "proposed" not in (c.false_accusation, c.clarification)


def _disposes(disposal: str) -> Guard:
    def ask(c: ClueRecord, actor: Who, facts: Facts) -> bool:
        return c.disposal == disposal

    ask.__name__ = f"disposal_is_{disposal}"
    return Guard(ask, "other-branch")


@effect(raises=True)
def go_up(c: Any, actor: Who, facts: Facts) -> None:
    c.level = facts.get("above_level") or c.level - 1
    c.org_id = facts.get("above_org_id")


@effect()
def leave(c: Any, actor: Who, facts: Facts) -> None:
    """Nobody here is in charge any more."""
    c.org_id = None


@effect()
def mark_overdue(c: Any, actor: Who, facts: Facts) -> None:
    c.overdue = True


@effect()
def note_real_name(c: Any, actor: Who, facts: Facts) -> None:
    c.real_name = True


@effect()
def note_anonymous(c: Any, actor: Who, facts: Facts) -> None:
    c.named = c.real_name = False


@effect()
def note_handler(c: Any, actor: Who, facts: Facts) -> None:
    c.handler_id = facts["handler_id"]
    c.assignments += 1


@effect()
def note_proposal(c: Any, actor: Any, facts: Facts) -> None:
    c.disposal = facts["disposal"]
    c.proposer_id = actor.person_id


@effect()
def count_return(c: Any, actor: Who, facts: Facts) -> None:
    c.returns += 1
    c.disposal = c.proposer_id = None


@effect()
def count_take(c: Any, actor: Who, facts: Facts) -> None:
    c.takes += 1
    c.disposal = c.proposer_id = None


@effect()
def count_report(c: Any, actor: Who, facts: Facts) -> None:
    c.reports += 1


@effect()
def count_answer(c: Any, actor: Who, facts: Facts) -> None:
    c.answers += 1


@effect()
def count_urging(c: Any, actor: Who, facts: Facts) -> None:
    c.urgings += 1
    c.overdue = True


@effect()
def note_outcome(c: Any, actor: Who, facts: Facts) -> None:
    c.outcome = facts["outcome"]


@effect()
def propose_false(c: Any, actor: Any, facts: Facts) -> None:
    c.false_accusation, c.false_proposer_id = "proposed", actor.person_id


@effect()
def find_false(c: Any, actor: Who, facts: Facts) -> None:
    c.false_accusation = "found"


@effect()
def refuse_false(c: Any, actor: Who, facts: Facts) -> None:
    c.false_accusation = "refused"


@effect()
def propose_clearing(c: Any, actor: Any, facts: Facts) -> None:
    c.clarification, c.clarification_proposer_id = "proposed", actor.person_id


@effect()
def approve_clearing(c: Any, actor: Who, facts: Facts) -> None:
    c.clarification = "approved"


@effect()
def refuse_clearing(c: Any, actor: Who, facts: Facts) -> None:
    c.clarification = "refused"


@effect()
def let_lapse(c: Any, actor: Who, facts: Facts) -> None:
    """What nobody decided is not decided against anybody."""
    for field in ("false_accusation", "clarification"):
        if getattr(c, field) == "proposed":
            setattr(c, field, "lapsed")


_HEAD = [is_head_in_charge, is_not_recused]
_READER = [is_on_the_list, is_not_recused]
_HANDLER = [is_handler, is_on_the_list, is_not_recused]
_FINALS = ("archived", "outside")


def _every(states: Iterable[State], facts: Mapping[str, Any]) -> Any:
    """The same note, which leaves the state as it is, in each of the states."""
    notes = [state.to(state, **facts) for state in states]
    found = notes[0]
    for note in notes[1:]:
        found |= note
    return found


class ClueChart(HouseChart):
    """The life of a clue. Of several branches of one event the first whose guards agree is taken."""

    s = States(
        {
            state.value: State(
                name=f"{label.zh} {label.en}", value=state.value, initial=state == "sealed", final=state in _FINALS
            )
            for state, label in CLUE_LABELS.items()
        }
    )

    # Whose matter it is.
    receive = s.sent_up.to(s.sealed, cond=_HEAD)
    verify_realname = s.sealed.to(
        s.verified_realname, cond=[*_READER, is_named], validators=needs("note"), on=note_real_name
    )
    mark_anonymous = s.sealed.to(s.anonymous, cond=_READER, on=note_anonymous)
    send_up = s.sent_up.from_(
        *(s.sealed, s.verified_realname, s.anonymous, s.sent_up),
        cond=[*_HEAD, has_a_body_above],
        validators=needs("reason"),
        on=go_up,
    )
    hand_outside = s.outside.from_(
        *(s.sealed, s.verified_realname, s.anonymous, s.sent_up),
        cond=[*_HEAD, is_at_the_top],
        validators=needs("note"),
        on=leave,
    )
    accept = s.accepted.from_(s.verified_realname, s.anonymous, cond=_READER)

    # What is to be done with it: proposed by one, decided by another after collective study.
    _assign = {"validators": needs("handler_id"), "on": note_handler}
    _assign_anew = {"cond": [*_HEAD, assignments_left, names_somebody_else], **_assign}
    assign = (
        s.accepted.to(s.assigned, cond=[*_HEAD, names_somebody_else], **_assign)
        | s.assigned.to(s.assigned, **_assign_anew)
        | s.talk_inquiry.to(s.talk_inquiry, **_assign_anew)
        | s.preliminary_verification.to(s.preliminary_verification, **_assign_anew)
        | s.case_filed.to(s.case_filed, **_assign_anew)
    )
    propose_disposal = s.assigned.to(
        s.disposal_proposed,
        cond=_HANDLER,
        validators=[one_of("disposal", DISPOSALS), needs("opinion")],
        on=note_proposal,
    )
    return_disposal = s.disposal_proposed.to(
        s.assigned, cond=[*_HEAD, is_not_proposer, returns_left], validators=needs("reason"), on=count_return
    )
    _approve = {"validators": needs("study")}
    approve_disposal = (
        s.disposal_proposed.to(s.talk_inquiry, cond=[*_HEAD, is_not_proposer, _disposes("talk_inquiry")], **_approve)
        | s.disposal_proposed.to(
            s.preliminary_verification, cond=[*_HEAD, is_not_proposer, _disposes("preliminary_verification")], **_approve
        )
        | s.disposal_proposed.to(s.kept, cond=[*_HEAD, is_not_proposer, _disposes("kept")], **_approve)
        | s.disposal_proposed.to(s.closed_clue, cond=[*_HEAD, is_not_proposer, _disposes("closed_clue")], **_approve)
    )

    # The work.
    record_answer = s.talk_inquiry.to(
        s.talk_inquiry, cond=[*_HANDLER, answers_left], validators=needs("answer"), on=count_answer
    )
    _report = {"cond": [*_HANDLER, reports_left], "validators": needs("report"), "on": count_report}
    report = (
        s.talk_inquiry.to(s.talk_inquiry, **_report)
        | s.preliminary_verification.to(s.preliminary_verification, **_report)
        | s.case_filed.to(s.case_filed, **_report)
    )
    _decide = {"cond": [*_HEAD, is_not_handler], "validators": needs("reason")}
    verify_further = s.talk_inquiry.to(s.preliminary_verification, **_decide)
    keep = s.kept.from_(s.talk_inquiry, s.preliminary_verification, **_decide)
    close = s.closed_clue.from_(s.talk_inquiry, s.preliminary_verification, **_decide)
    take_up = s.kept.to(s.assigned, cond=[*_HEAD, takes_left], validators=needs("reason"), on=count_take)
    file_case = s.preliminary_verification.to(s.case_filed, **_decide)
    conclude = s.concluded.from_(
        *(s.talk_inquiry, s.preliminary_verification, s.case_filed, s.kept, s.closed_clue),
        cond=[*_HEAD, is_not_handler],
        validators=[one_of("outcome", OUTCOMES), needs("findings")],
        on=note_outcome,
    )
    give_feedback = s.concluded.to(s.fed_back, cond=[*_READER, is_real_name], validators=needs("feedback"))

    # Beside it: false accusation, and clearing the name of somebody who did nothing.
    _propose_false = {
        "cond": [*_READER, is_no_head, may_be_false, false_not_proposed],
        "validators": needs("reason"),
        "on": propose_false,
    }
    propose_false_accusation = s.concluded.to(s.concluded, **_propose_false) | s.fed_back.to(s.fed_back, **_propose_false)
    _find = {
        "cond": [is_city_head, is_on_the_list, is_not_false_proposer, is_not_recused, false_waits],
        "validators": needs("reason"),
    }
    approve_false_accusation = s.concluded.to(s.concluded, on=find_false, **_find) | s.fed_back.to(
        s.fed_back, on=find_false, **_find
    )
    refuse_false_accusation = s.concluded.to(s.concluded, on=refuse_false, **_find) | s.fed_back.to(
        s.fed_back, on=refuse_false, **_find
    )
    _propose_clearing = {
        "cond": [*_READER, is_no_head, is_unfounded, clarification_not_proposed],
        "validators": [one_of("method", METHODS), needs("text")],
        "on": propose_clearing,
    }
    propose_clarification = s.concluded.to(s.concluded, **_propose_clearing) | s.fed_back.to(
        s.fed_back, **_propose_clearing
    )
    _clear = [*_HEAD, is_not_clarification_proposer, clarification_waits]
    approve_clarification = s.concluded.to(s.concluded, cond=_clear, on=approve_clearing) | s.fed_back.to(
        s.fed_back, cond=_clear, on=approve_clearing
    )
    _not_clear = {"cond": _clear, "validators": needs("reason"), "on": refuse_clearing}
    refuse_clarification = s.concluded.to(s.concluded, **_not_clear) | s.fed_back.to(s.fed_back, **_not_clear)

    archive = s.concluded.to(s.archived, cond=[*_HEAD, owes_no_feedback, nothing_waits]) | s.fed_back.to(
        s.archived, cond=[*_HEAD, nothing_waits]
    )
    auto_archive = s.concluded.to(s.archived, cond=[is_system, owes_no_feedback], on=let_lapse) | s.fed_back.to(
        s.archived, cond=is_system, on=let_lapse
    )

    # A limit has passed: the body above takes charge; at the top it is urged three times, then it leaves the system.
    lapse_answer = s.talk_inquiry.to(s.preliminary_verification, cond=is_system)
    _up = {"cond": [is_system, has_a_body_above], "on": [go_up, mark_overdue]}
    _urge = {"cond": [is_system, urgings_left], "on": count_urging}
    _open = (
        *(s.sealed, s.sent_up, s.verified_realname, s.anonymous, s.accepted, s.assigned, s.disposal_proposed),
        *(s.talk_inquiry, s.preliminary_verification, s.kept, s.closed_clue, s.case_filed, s.concluded),
    )
    # Whoever was left in charge must withdraw: never to nobody.
    _recused = (*_open, s.fed_back)
    recuse = _every(_recused, {"cond": [is_system, has_a_body_above], "on": go_up}) | s.outside.from_(
        *_recused, cond=is_system, on=leave
    )
    rise = _every(_open, _up) | _every(_open, _urge) | s.outside.from_(*_open, cond=is_system, on=[leave, mark_overdue])


TABLE = ClueChart.table = StepTable.of(ClueChart)
OPEN_STATES = tuple(state.value for state in ClueState if state not in _FINALS)

# What forces the next step, read from the limits: state → (limit, event that the system sends when it passes).
TIMED: Mapping[str, tuple[tuple[str, str | None], ...]] = {
    state: tuple((row.id, row.breach) for row in CLUE_LIMITS if state in row.states) for state in OPEN_STATES
}
