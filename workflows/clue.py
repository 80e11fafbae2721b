"""The sealed clue track (问题线索): what can happen to an accusation once it has left the general flow, and what forces it on.

Rules: 纪检监察机关处理检举控告工作规则 and 监督执纪工作规则. A clue that nobody works on goes up, level by level, and never to nobody.
The questions stand in `clue_guards`, the changes of the record in `clue_effects`, words and record in `clue_record`, the limits in
`clue_limits`.
"""

from __future__ import annotations

from collections.abc import Mapping

from statemachine import State
from statemachine.states import States

from workflows import clue_effects as do
from workflows import clue_guards as ask
from workflows.base import HouseChart, StepTable, every, needs
from workflows.clue_guards import MAY_KNOW
from workflows.clue_limits import CLUE_LIMITS
from workflows.clue_record import (
    CLUE_EVENT_LABELS,
    CLUE_LABELS,
    CLUE_REFUSALS,
    DISPOSALS,
    METHODS,
    OUTCOMES,
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
    "RESTS",
    "TABLE",
    "TIMED",
    "ClueChart",
    "ClueEvent",
    "ClueRecord",
    "ClueState",
]

_HEAD = [ask.is_head_in_charge, ask.is_not_recused]
_READER = [ask.is_on_the_list, ask.is_not_recused]
_HANDLER = [ask.is_handler, ask.is_on_the_list, ask.is_not_recused]
_FINALS = ("outside",)
# Closed: nothing forces it on. The result is still to be reported (Art 18), and new evidence takes it up again.
RESTS = frozenset({"archived"})


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
    receive = s.sealed.from_(s.sent_up, s.sent_down, cond=_HEAD)
    verify_realname = s.sealed.to(
        s.verified_realname, cond=[*_READER, ask.is_named], validators=needs("note"), on=do.note_real_name
    )
    mark_anonymous = s.sealed.to(s.anonymous, cond=_READER, on=do.note_anonymous)
    send_up = s.sent_up.from_(
        *(s.sealed, s.verified_realname, s.anonymous, s.sent_up, s.sent_down),
        cond=[*_HEAD, ask.has_a_body_above],
        validators=needs("reason"),
        on=do.go_up,
    )
    # Art 16: what belongs to a body below goes there without delay, and may go on from there.
    send_down = s.sent_down.from_(
        *(s.sealed, s.verified_realname, s.anonymous, s.sent_down),
        cond=[*_HEAD, ask.has_a_body_below, ask.transfers_left],
        validators=needs("reason"),
        on=do.go_down,
    )
    hand_outside = s.outside.from_(
        *(s.sealed, s.verified_realname, s.anonymous, s.sent_up, s.sent_down),
        cond=[*_HEAD, ask.is_at_the_top],
        validators=needs("note"),
        on=do.leave,
    )
    accept = s.accepted.from_(s.verified_realname, s.anonymous, cond=_READER)

    # What is to be done with it: proposed by one, decided by another after collective study.
    _assign = {"validators": needs("handler_id"), "on": do.note_handler}
    _assign_anew = {"cond": [*_HEAD, ask.assignments_left, ask.names_somebody_else], **_assign}
    assign = (
        s.accepted.to(s.assigned, cond=[*_HEAD, ask.names_somebody_else], **_assign)
        | s.assigned.to(s.assigned, **_assign_anew)
        | s.talk_inquiry.to(s.talk_inquiry, **_assign_anew)
        | s.preliminary_verification.to(s.preliminary_verification, **_assign_anew)
        | s.case_filed.to(s.case_filed, **_assign_anew)
    )
    propose_disposal = s.assigned.to(
        s.disposal_proposed,
        cond=_HANDLER,
        validators=[one_of("disposal", DISPOSALS), needs("opinion")],
        on=do.note_proposal,
    )
    return_disposal = s.disposal_proposed.to(
        s.assigned, cond=[*_HEAD, ask.is_not_proposer, ask.returns_left], validators=needs("reason"), on=do.count_return
    )
    _approve = {"validators": needs("study")}
    approve_disposal = (
        s.disposal_proposed.to(
            s.talk_inquiry, cond=[*_HEAD, ask.is_not_proposer, ask.disposes("talk_inquiry")], **_approve
        )
        | s.disposal_proposed.to(
            s.preliminary_verification,
            cond=[*_HEAD, ask.is_not_proposer, ask.disposes("preliminary_verification")],
            **_approve,
        )
        | s.disposal_proposed.to(s.kept, cond=[*_HEAD, ask.is_not_proposer, ask.disposes("kept")], **_approve)
        | s.disposal_proposed.to(
            s.closed_clue, cond=[*_HEAD, ask.is_not_proposer, ask.disposes("closed_clue")], **_approve
        )
    )

    # The work.
    record_answer = s.talk_inquiry.to(
        s.talk_inquiry, cond=[*_HANDLER, ask.answers_left], validators=needs("answer"), on=do.count_answer
    )
    _report = {"cond": [*_HANDLER, ask.reports_left], "validators": needs("report"), "on": do.count_report}
    report = (
        s.talk_inquiry.to(s.talk_inquiry, **_report)
        | s.preliminary_verification.to(s.preliminary_verification, **_report)
        | s.case_filed.to(s.case_filed, **_report)
    )
    _decide = {"cond": [*_HEAD, ask.is_not_handler], "validators": needs("reason")}
    verify_further = s.talk_inquiry.to(s.preliminary_verification, **_decide)
    keep = s.kept.from_(s.talk_inquiry, s.preliminary_verification, **_decide)
    close = s.closed_clue.from_(s.talk_inquiry, s.preliminary_verification, **_decide)
    # New evidence is checked, also after the reporter had an answer.
    take_up = s.assigned.from_(
        *(s.kept, s.fed_back, s.archived), cond=[*_HEAD, ask.takes_left], validators=needs("reason"), on=do.count_take
    )
    file_case = s.preliminary_verification.to(s.case_filed, **_decide)
    conclude = s.concluded.from_(
        *(s.talk_inquiry, s.preliminary_verification, s.case_filed, s.kept, s.closed_clue),
        cond=[*_HEAD, ask.is_not_handler],
        validators=[one_of("outcome", OUTCOMES), needs("findings")],
        on=do.note_outcome,
    )
    give_feedback = s.concluded.to(s.fed_back, cond=[*_READER, ask.is_real_name], validators=needs("feedback"))

    # Art 18: each quarter the report office hears what became of its accusations.
    _report_result = {"cond": [*_READER, ask.has_not_reported], "on": do.note_report}
    report_result = (
        s.concluded.to(s.concluded, **_report_result)
        | s.fed_back.to(s.fed_back, **_report_result)
        | s.archived.to(s.archived, **_report_result)
    )

    # Beside it: false accusation, and clearing the name of somebody who did nothing.
    _propose_false = {
        "cond": [*_READER, ask.is_no_head, ask.may_be_false, ask.false_not_proposed],
        "validators": needs("reason"),
        "on": do.propose_false,
    }
    propose_false_accusation = s.concluded.to(s.concluded, **_propose_false) | s.fed_back.to(
        s.fed_back, **_propose_false
    )
    _find = {
        "cond": [ask.is_city_head, ask.is_on_the_list, ask.is_not_false_proposer, ask.is_not_recused, ask.false_waits],
        "validators": needs("reason"),
    }
    approve_false_accusation = s.concluded.to(s.concluded, on=do.find_false, **_find) | s.fed_back.to(
        s.fed_back, on=do.find_false, **_find
    )
    refuse_false_accusation = s.concluded.to(s.concluded, on=do.refuse_false, **_find) | s.fed_back.to(
        s.fed_back, on=do.refuse_false, **_find
    )
    _propose_clearing = {
        "cond": [*_READER, ask.is_no_head, ask.is_unfounded, ask.clarification_not_proposed],
        "validators": [one_of("method", METHODS), needs("text")],
        "on": do.propose_clearing,
    }
    propose_clarification = s.concluded.to(s.concluded, **_propose_clearing) | s.fed_back.to(
        s.fed_back, **_propose_clearing
    )
    _clear = [*_HEAD, ask.is_not_clarification_proposer, ask.clarification_waits]
    approve_clarification = s.concluded.to(s.concluded, cond=_clear, on=do.approve_clearing) | s.fed_back.to(
        s.fed_back, cond=_clear, on=do.approve_clearing
    )
    _not_clear = {"cond": _clear, "validators": needs("reason"), "on": do.refuse_clearing}
    refuse_clarification = s.concluded.to(s.concluded, **_not_clear) | s.fed_back.to(s.fed_back, **_not_clear)

    archive = s.concluded.to(s.archived, cond=[*_HEAD, ask.owes_no_feedback, ask.nothing_waits]) | s.fed_back.to(
        s.archived, cond=[*_HEAD, ask.nothing_waits]
    )
    auto_archive = s.concluded.to(s.archived, cond=[is_system, ask.owes_no_feedback], on=do.let_lapse) | s.fed_back.to(
        s.archived, cond=is_system, on=do.let_lapse
    )

    # A limit has passed: the body above takes charge; at the top it is urged three times, then it leaves the system.
    lapse_answer = s.talk_inquiry.to(s.preliminary_verification, cond=is_system)
    _up = {"cond": [is_system, ask.has_a_body_above], "on": [do.go_up, do.mark_overdue]}
    _urge = {"cond": [is_system, ask.urgings_left], "on": do.count_urging}
    _open = (
        *(s.sealed, s.sent_up, s.sent_down, s.verified_realname, s.anonymous, s.accepted, s.assigned, s.disposal_proposed),
        *(s.talk_inquiry, s.preliminary_verification, s.kept, s.closed_clue, s.case_filed, s.concluded),
    )
    # Whoever was left in charge must withdraw: never to nobody.
    _recused = (*_open, s.fed_back, s.archived)
    recuse = every(_recused, {"cond": [is_system, ask.has_a_body_above], "on": do.go_up}) | s.outside.from_(
        *_recused, cond=is_system, on=do.leave
    )
    rise = (
        every(_open, _up)
        | every(_open, _urge)
        | s.outside.from_(*_open, cond=is_system, on=[do.leave, do.mark_overdue])
    )


TABLE = ClueChart.table = StepTable.of(ClueChart)
OPEN_STATES = tuple(state.value for state in ClueState if state not in (*_FINALS, *RESTS))

# What forces the next step, read from the limits: state → (limit, event that the system sends when it passes).
TIMED: Mapping[str, tuple[tuple[str, str | None], ...]] = {
    state: tuple((row.id, row.breach) for row in CLUE_LIMITS if state in row.states) for state in OPEN_STATES
}
