"""The alert chart (预警): what can happen to a hit of a rule, who may do it, and what forces the next step.

What a shell uses of it, all importable from here:

- `TABLE` (`send`, `open_events`, `refusal`, as for a petition), `AlertChart`, `AlertState`, `AlertEvent`, and the record's
  attributes, `AlertRecord`. A new alert is `filed`, with colour, `org_id` and `level` of its first receiver, and the unit.
- `ALERT_LABELS`, `ALERT_EVENT_LABELS`, `ALERT_REFUSALS`: words for states, events and codes of refusal, Chinese first.
- `ALERT_LIMITS` for `deadlines`, `TIMED`, `OPEN_STATES`, `RESTS`; `clock_facts` gives the facts to log with every event.
- The closed lists: `COLOURS`, `HOLD_REASONS`, `WITHDRAW_REASONS`, `CLEARANCE_REASONS`, `CLEARANCE_PAPERS`, `SCOPES`, `FORMS`,
  `VERDICTS`, `VERDICTS_OF`, `REOPEN_REASONS`.

Facts that the door sends with every event: `recused`, `today`, `above_org_id`, `above_level`; and where they matter:
`colour` (add_evidence, push_again), `excluded_org_ids` (dispatch), `excluded_person_ids` (start_check, assign_checkers, reopen), `rule_author_id` (withdraw), `sampled`
(approve_clearance), `palette` (strike_off). What a person sends stands in the column "needs" of docs/workflows/alert.md.

The questions stand in `alert_guards`, the changes in `alert_effects`, words and record in `alert_record`, limits in `alert_limits`.
"""

from __future__ import annotations

from collections.abc import Mapping

from statemachine import State
from statemachine.states import States

from workflows import alert_effects as do
from workflows import alert_guards as ask
from workflows.alert_guards import MAY_ACT
from workflows.alert_limits import ALERT_LIMITS
from workflows.alert_record import (
    ALERT_EVENT_LABELS,
    ALERT_LABELS,
    ALERT_REFUSALS,
    CLEARANCE_PAPERS,
    CLEARANCE_REASONS,
    COLOURS,
    FORMS,
    HOLD_REASONS,
    REOPEN_REASONS,
    SCOPES,
    VERDICTS,
    VERDICTS_OF,
    VOCABULARY,
    WITHDRAW_REASONS,
    AlertEvent,
    AlertRecord,
    AlertState,
    clock_facts,
)
from workflows.base import HouseChart, StepTable, every, needs
from workflows.petition_guards import one_of

__all__ = [
    "ALERT_EVENT_LABELS",
    "ALERT_LABELS",
    "ALERT_LIMITS",
    "ALERT_REFUSALS",
    "CLEARANCE_PAPERS",
    "CLEARANCE_REASONS",
    "COLOURS",
    "FORMS",
    "HOLD_REASONS",
    "MAY_ACT",
    "OPEN_STATES",
    "REOPEN_REASONS",
    "RESTS",
    "SCOPES",
    "TABLE",
    "TIMED",
    "VERDICTS",
    "VERDICTS_OF",
    "VOCABULARY",
    "WITHDRAW_REASONS",
    "AlertChart",
    "AlertEvent",
    "AlertRecord",
    "AlertState",
    "clock_facts",
]

_FINALS = ("ended",)
# Done with: nothing forces it on, though new evidence opens it again and a clearance may still run out.
RESTS = frozenset({"closed"})

# Nobody whom the alert concerns takes part, except where the unit is asked.
_FREE = [ask.is_not_recused, ask.is_not_of_subject]
_OWNER = [ask.is_model_owner, *_FREE]
_RECEIVER = [ask.is_in_charge, ask.colour_fits_role, *_FREE]
_CHECKER = [ask.is_checker, ask.colour_fits_role, *_FREE]
_SUPERVISOR = [ask.is_in_charge_or_above, *_FREE]
_DECIDER = [ask.is_decider, *_FREE]
_APPROVER = [
    ask.is_clearance_approver,
    ask.is_one_level_up_if_serious,
    *_FREE,
    ask.is_not_clearance,
    ask.does_not_check,
]
_NAMED = [ask.checkers_are_enough, ask.checkers_are_not_recused]
_VERDICT = one_of("verdict", VERDICTS, {"E": "source_field"})


class AlertChart(HouseChart):
    """The life of an alert. Of several branches of one event the first whose guards agree is taken."""

    s = States(
        {
            state.value: State(
                name=f"{label.zh} {label.en}", value=state.value, initial=state == "filed", final=state in _FINALS
            )
            for state, label in ALERT_LABELS.items()
        }
    )
    _waiting = (s.filed, s.held, s.muted)
    _unconfirmed = (s.dispatched, s.signed, s.checking, s.explaining, s.clear_requested, s.escalated)
    _confirmed = (s.investigated, s.rectifying, s.clue_filed, s.case_filed, s.disposed, s.verifying)
    _done = (s.resolved, s.rated, s.closed)

    # Before anybody hears of it.
    _hold = {"validators": one_of("reason_code", HOLD_REASONS), "on": do.hold}
    hold = s.filed.to(s.held, cond=ask.is_system, **_hold) | s.filed.to(s.held, cond=_OWNER, **_hold)
    mute = s.filed.to(s.muted, cond=ask.is_system, validators=needs("parent_id"), on=do.join_parent)
    follow_parent = s.muted.to(s.resolved, cond=ask.is_system, on=do.follow)
    withdraw = s.held.to(
        s.resolved,
        cond=[*_OWNER, ask.is_head, ask.is_not_rule_author],
        validators=[one_of("reason_code", WITHDRAW_REASONS), needs("reason")],
        on=do.withdraw,
    )
    dispatch = s.dispatched.from_(*_waiting, cond=[*_OWNER, ask.target_is_not_subject], on=do.give_out)
    auto_dispatch = s.dispatched.from_(
        *_waiting, cond=[ask.is_system, ask.is_no_flood, ask.target_is_not_subject], on=do.give_out
    )
    # New rows of the same fingerprint. What becomes graver before it is confirmed goes to whoever takes that colour, with new time.
    push_again = s.dispatched.from_(
        *_unconfirmed, cond=[ask.is_system, ask.colour_rises], on=[do.raise_colour, do.push_again, do.begin_anew]
    )
    add_evidence = every((*_waiting, *_confirmed, s.external), {"cond": ask.is_system, "on": do.raise_colour}) | every(
        _unconfirmed, {"cond": [ask.is_system, ask.colour_stays]}
    )

    # The body that received it.
    sign = s.signed.from_(s.dispatched, s.escalated, cond=_RECEIVER)
    start_check = s.signed.to(
        s.checking, cond=[*_RECEIVER, *_NAMED], validators=needs("checker_ids"), on=do.name_checkers
    )
    assign_checkers = s.checking.to(
        s.checking,
        cond=[*_SUPERVISOR, *_NAMED, ask.assignments_left],
        validators=needs("checker_ids", "reason"),
        on=[do.name_checkers, do.count_assignment],
    )
    # `shown`: the facts that the unit is to see, chosen one by one; the rule and other subjects are never among them.
    ask_explanation = s.checking.to(
        s.explaining,
        cond=[*_CHECKER, ask.explanations_left],
        validators=needs("question", "shown"),
        on=do.count_explanation,
    )
    explain = s.explaining.to(s.checking, cond=ask.is_of_unit, validators=needs("explanation"))
    drop_question = s.explaining.to(s.checking, cond=_CHECKER)
    lapse_explanation = s.explaining.to(s.checking, cond=ask.is_system, on=do.note_no_explanation)

    # The competent department stops payment or approval; confirmed by a second person within five working days, or it falls.
    request_freeze = every(
        (s.dispatched, s.signed, s.checking, s.explaining, s.escalated),
        {
            "cond": [*_RECEIVER, ask.is_not_frozen, ask.freezes_left],
            "validators": needs("department_org_id", "reason"),
            "on": [do.ask_freeze, do.count_freeze],
        },
    )
    confirm_freeze = every(
        (*_unconfirmed, *_confirmed),
        {
            "cond": [*_DECIDER, ask.freeze_waits, ask.is_not_freeze],
            "validators": needs("reason"),
            "on": do.confirm_freeze,
        },
    )
    lift_freeze = every(
        (*_unconfirmed, *_confirmed),
        {"cond": [*_SUPERVISOR, ask.is_frozen], "validators": needs("reason"), "on": do.lift_freeze},
    )
    lapse_freeze = every(
        (*_unconfirmed, *_confirmed), {"cond": [ask.is_system, ask.freeze_waits], "on": do.lapse_freeze}
    )

    request_extension = s.checking.to(
        s.checking,
        cond=[*_CHECKER, ask.extensions_left],
        validators=needs("days", "reason"),
        on=[do.ask_extension, do.count_extension],
    )
    _extend = [*_DECIDER, ask.may_extend, ask.extension_waits, ask.is_not_extension]
    approve_extension = s.checking.to(s.checking, cond=_extend, validators=needs("days"), on=do.decide_extension)
    refuse_extension = s.checking.to(s.checking, cond=_extend, validators=needs("reason"), on=do.decide_extension)

    # Clearance (预警消除申请): asked by unit or checker, decided by another person of another body.
    request_clearance = s.checking.to(
        s.clear_requested,
        cond=[
            *(ask.is_of_unit_or_checker, ask.clearances_left, ask.scope_fits_colour, ask.expiry_fits_colour),
            ask.papers_are_complete,
        ],
        validators=[
            one_of("reason_code", CLEARANCE_REASONS),
            one_of("scope", SCOPES, {"contract": "until", "person_rule": "until"}),
            needs("basis", "papers"),
        ],
        on=[do.ask_clearance, do.count_clearance],
    )
    approve_clearance = s.clear_requested.to(
        s.resolved,
        cond=[*_APPROVER, ask.scope_still_fits, ask.expiry_is_ahead],
        validators=needs("opinion"),
        on=[do.clear, do.end_freeze],
    )
    refuse_clearance = s.clear_requested.to(
        s.checking, cond=_APPROVER, validators=needs("reason"), on=do.drop_clearance
    )
    lapse_clearance = s.clear_requested.to(s.checking, cond=ask.is_system, on=do.drop_clearance)
    file_papers = every(
        (s.clear_requested, *_done),
        {
            "cond": [ask.is_of_unit_or_checker, ask.papers_are_due],
            "validators": needs("minutes"),
            "on": do.settle_papers,
        },
    )
    reopen_unproved = s.checking.from_(*_done, cond=[ask.is_system, ask.papers_are_due], on=do.unclear)
    expire_clearance = every(_done, {"cond": [ask.is_system, ask.clearance_runs], "on": do.end_clearance})

    # Confirmed by two: who checked reports, the head of the body in charge confirms.
    report_findings = s.checking.to(
        s.checking,
        cond=[*_CHECKER, ask.no_findings_wait],
        validators=ask.findings_persons_and_amount,
        on=do.report_findings,
    )
    _review = [*_DECIDER, ask.findings_wait, ask.is_not_findings, ask.does_not_check]
    return_findings = s.checking.to(
        s.checking,
        cond=[*_review, ask.findings_returns_left],
        validators=needs("reason"),
        on=[do.drop_findings, do.count_findings_return],
    )
    confirm = s.checking.to(s.investigated, cond=_review, validators=needs("opinion"))

    # What follows from it.
    order_rectification = s.investigated.to(s.rectifying, cond=_DECIDER, validators=ask.items_with_owner_and_date)
    send_as_clue = s.investigated.to(s.clue_filed, cond=[ask.is_discipline, *_DECIDER], validators=needs("reason"))
    file_case = s.case_filed.from_(
        *(s.investigated, s.clue_filed),
        cond=[ask.is_discipline, *_DECIDER, ask.has_cadre_authority, ask.does_not_check],
        validators=needs("basis"),
    )
    _back = {"cond": [*_DECIDER, ask.take_backs_left], "validators": needs("reason")}
    take_back = s.investigated.from_(s.clue_filed, s.case_filed, **_back, on=do.count_take_back) | s.investigated.to(
        s.checking, **_back, on=[do.count_take_back, do.drop_findings]
    )
    record_disposal = s.disposed.from_(
        *(s.rectifying, s.clue_filed, s.case_filed),
        cond=[ask.is_discipline, *_SUPERVISOR, ask.fourth_form_has_case],
        validators=ask.forms_and_money,
        on=do.dispose,
    )
    record_money = every(
        (s.rectifying, s.disposed, s.verifying, *_done),
        {"cond": [ask.is_discipline, *_SUPERVISOR], "validators": ask.kind_and_fen},
    )
    submit_proof = s.verifying.from_(
        *(s.disposed, s.rectifying),
        cond=[ask.is_of_unit, ask.is_disposed],
        validators=needs("proof"),
        on=do.submit_proof,
    )
    _verifier = [*_SUPERVISOR, ask.is_not_proof]
    return_proof = s.verifying.to(
        s.rectifying, cond=[*_verifier, ask.proof_returns_left], validators=needs("reason"), on=do.count_proof_return
    )
    # The colour steps down here and nowhere else: by one with every accepted part.
    strike_off = s.verifying.to(
        s.rectifying,
        cond=[*_verifier, ask.work_is_left, ask.stages_left],
        validators=[ask.number_of_items_left, needs("note")],
        on=[do.count_stage, do.step_down],
    ) | s.verifying.to(
        s.resolved,
        cond=[*_verifier, ask.nothing_is_left],
        validators=[ask.number_of_items_left, needs("note")],
        on=[do.step_down, do.strike_off, do.end_freeze],
    )

    # The verdict on the rule's hit, apart from what happened to people: from it the precision of the rule is computed.
    rate = s.resolved.to(
        s.rated, cond=[*_SUPERVISOR, ask.is_not_clearance, ask.verdict_fits], validators=_VERDICT, on=do.note_verdict
    )
    revise_verdict = every(
        (s.rated, s.closed),
        {
            "cond": [
                *_SUPERVISOR,
                ask.is_not_clearance,
                ask.is_not_verdict,
                ask.verdict_fits,
                ask.verdict_changes_left,
            ],
            "validators": [_VERDICT, needs("reason")],
            "on": [do.note_verdict, do.count_verdict_change],
        },
    )
    _sample = [
        *(ask.is_discipline, ask.is_above_in_charge, *_FREE, ask.is_sampled, ask.does_not_check),
        ask.is_not_decided_or_verdict_or_clearance,
    ]
    re_examine = s.rated.to(
        s.closed, cond=[*_sample, ask.verdict_agrees], validators=[_VERDICT, needs("opinion")], on=do.end_sample
    ) | s.rated.to(
        s.checking,
        cond=[*_sample, ask.verdict_differs],
        validators=[_VERDICT, needs("opinion")],
        on=[do.unclear, do.dismiss_checkers, do.take_charge],
    )
    pass_look_back = s.rated.to(
        s.closed, cond=[*_SUPERVISOR, ask.was_disposed, ask.is_not_decided_or_proof], validators=needs("note")
    )
    auto_close = s.rated.to(s.closed, cond=[ask.is_system, ask.was_not_disposed, ask.is_not_sampled])
    reopen = s.checking.from_(
        *_done,
        cond=[ask.is_county_or_above, *_FREE, *_NAMED, ask.reopenings_left],
        validators=[one_of("reason_code", REOPEN_REASONS), needs("reason", "checker_ids")],
        on=[do.begin_anew, do.take_charge, do.name_checkers, do.count_reopening],
    )

    # A limit has passed: one level up. Before it is confirmed the body above begins anew, afterwards it takes over as it stands.
    _to_top = {"cond": [ask.is_system, ask.is_at_the_top], "on": [do.leave, do.mark_overdue]}
    _anew = {"cond": ask.is_system, "on": [do.go_up, do.begin_anew, do.mark_overdue]}
    _up = {"cond": ask.is_system, "on": [do.go_up, do.mark_overdue]}
    escalate = (
        s.external.from_(*(s.dispatched, s.signed, s.checking, s.escalated, *_confirmed), **_to_top)
        | s.external.from_(
            s.held, cond=[ask.is_system, ask.is_flood, ask.is_at_the_top], on=[do.leave, do.mark_overdue]
        )
        | s.external.from_(
            s.rated, cond=[ask.is_system, ask.was_disposed, ask.is_at_the_top], on=[do.leave, do.mark_overdue]
        )
        | s.escalated.from_(s.dispatched, s.signed, s.checking, s.escalated, **_anew)
        | s.escalated.from_(
            s.rated, cond=[ask.is_system, ask.was_disposed], on=[do.go_up, do.begin_anew, do.mark_overdue]
        )
        | s.held.to(s.held, cond=[ask.is_system, ask.is_flood], on=[do.go_up, do.mark_overdue])
        | every(_confirmed, _up)
        # Without a verdict at the top too it counts neither for the rule nor against it.
        | s.resolved.to(s.rated, cond=[ask.is_system, ask.is_at_the_top], on=[do.note_no_verdict, do.mark_overdue])
        | s.resolved.to(s.resolved, **_up)
        | s.rated.to(
            s.closed, cond=[ask.is_system, ask.is_sampled, ask.is_at_the_top], on=[do.end_sample, do.mark_overdue]
        )
        | s.rated.to(s.rated, cond=[ask.is_system, ask.is_sampled], on=[do.go_up, do.mark_overdue])
    )
    # The body in charge must withdraw: one level up, and never to nobody.
    recuse = (
        s.external.from_(*(*_unconfirmed, *_confirmed), cond=[ask.is_system, ask.is_at_the_top], on=do.leave)
        | s.escalated.from_(*_unconfirmed, cond=ask.is_system, on=[do.go_up, do.begin_anew])
        | every(_confirmed, {"cond": ask.is_system, "on": do.go_up})
        | every((s.resolved, s.rated), {"cond": [ask.is_system, ask.is_below_the_top], "on": do.go_up})
    )

    # Above the province: the desk of the province keeps the file of what the authority does.
    acknowledge_external = s.external.to(s.external, cond=[ask.is_provincial_desk, *_FREE], validators=needs("note"))
    return_external = s.external.to(
        s.escalated,
        cond=[ask.is_provincial_desk, *_FREE, ask.reopenings_left],
        validators=needs("note"),
        on=[do.begin_anew, do.return_to_province, do.count_reopening],
    )
    record_external_end = s.external.to(s.ended, cond=[ask.is_provincial_desk, *_FREE], validators=needs("note"))
    urge_external = s.external.to(s.external, cond=[ask.is_system, ask.urgings_left], on=do.count_urging)
    end_external = s.external.to(s.ended, cond=[ask.is_system, ask.urgings_are_spent])


TABLE = AlertChart.table = StepTable.of(AlertChart)
OPEN_STATES = tuple(state.value for state in AlertState if state not in (*_FINALS, *RESTS))

# What forces the next step, read from the limits: state → (limit, event that the system sends when it passes).
TIMED: Mapping[str, tuple[tuple[str, str | None], ...]] = {
    state: tuple(
        (row.id, event)
        for row in ALERT_LIMITS
        if state in row.states
        for event in dict.fromkeys((row.breach, row.last_breach or row.breach))
    )
    for state in OPEN_STATES
}
