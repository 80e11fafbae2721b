"""The petition chart: what can happen to a petition, who may do it, and what forces the next step.

Every change of a petition's state is one transition of this chart. The questions stand in `petition_guards`, the
changes of the record in `petition_effects`, states, events and record in `petition_record`, the limits in `policies`.
"""

from __future__ import annotations

from collections.abc import Mapping

from statemachine import State
from statemachine.states import States

from workflows import petition_effects as do
from workflows import petition_guards as ask
from workflows.base import HouseChart, StepTable, needs
from workflows.petition_record import (
    EVENT_LABELS,
    GRADES,
    OUTCOMES,
    RECHECK_OUTCOMES,
    RESTS,
    REVIEW_OUTCOMES,
    STATE_LABELS,
    PetitionEvent,
    PetitionRecord,
    PetitionState,
)

__all__ = [
    "EVENT_LABELS",
    "GRADES",
    "OUTCOMES",
    "RECHECK_OUTCOMES",
    "RESTS",
    "REVIEW_OUTCOMES",
    "STATE_LABELS",
    "TABLE",
    "TIMED",
    "PetitionChart",
    "PetitionEvent",
    "PetitionRecord",
    "PetitionState",
]

_FINALS = ("final", "withdrawn", "not_accepted", "redirected", "sealed", "ended")

# Lists of guards that go together.
_INTAKE = [ask.is_intake, ask.is_not_recused]
_HANDLER = [ask.is_handler, ask.is_of_main_body, ask.is_new_to_case, ask.is_not_recused]
_APPROVER = [ask.is_approver, ask.is_not_recused]
_SUPERVISOR = [ask.is_supervisor, ask.is_at_or_above, ask.did_not_handle, ask.is_not_recused]
_REVIEWER = [ask.is_supervisor, ask.is_at_the_level_in_charge, ask.did_not_handle, ask.is_not_recused]
_TARGET = [ask.target_is_new, ask.target_is_not_accused]
_PETITIONER = [ask.is_petitioner]

_RATING = ask.one_of("grade", GRADES, {"dissatisfied": "reason"})
_REVIEW_OPINION = [ask.one_of("outcome", REVIEW_OUTCOMES, {"redo": "main_org_id"}), needs("opinion")]


class PetitionChart(HouseChart):
    """The life of a petition. Of several branches of one event the first whose guards agree is taken."""

    s = States(
        {
            state.value: State(
                name=f"{label.zh} {label.en}", value=state.value, initial=state == "filed", final=state in _FINALS
            )
            for state, label in STATE_LABELS.items()
        }
    )

    # Intake.
    register = s.filed.to(s.registered, cond=_INTAKE, on=do.take_charge)
    auto_register = s.filed.to(s.registered, cond=ask.is_system, on=do.take_charge)
    merge = s.registered.to(
        s.merged, cond=[*_INTAKE, ask.merges_left], validators=needs("parent_id"), on=do.join_parent
    )
    unmerge = s.merged.to(s.registered, cond=_INTAKE, validators=needs("reason"), on=do.leave_parent)
    redirect = s.registered.to(s.redirected, cond=_INTAKE, validators=needs("route_code"))
    route_to_discipline = s.registered.to(s.sealed, cond=[*_INTAKE, ask.is_accusation])
    reject = s.registered.to(
        s.not_accepted, cond=[*_INTAKE, ask.is_not_about_jurisdiction], validators=needs("reason_code")
    )
    accept = s.registered.to(s.accepted, cond=_INTAKE, on=do.take_charge)
    dispatch = s.accepted.to(
        s.dispatched,
        cond=[*_INTAKE, ask.target_is_not_past, ask.target_is_not_accused],
        validators=needs("main_org_id"),
        on=[do.take_charge, do.give_out],
    )
    _co_handler = {
        "cond": [*_INTAKE, ask.target_is_not_past, ask.target_is_not_accused, ask.may_add_co_handler],
        "validators": needs("co_org_id"),
        "on": do.add_co_body,
    }
    add_co_handler = (
        s.dispatched.to(s.dispatched, **_co_handler)
        | s.signed.to(s.signed, **_co_handler)
        | s.handling.to(s.handling, **_co_handler)
    )

    # An urgent or major matter, whenever it shows itself, is reported at once to those above (Art 25). Neither moves the case.
    _urgent = {"cond": [ask.is_intake_or_main_body, ask.is_not_recused]}
    _mark = {**_urgent, "validators": needs("reason"), "on": do.raise_priority}
    mark_urgent = (
        s.registered.to(s.registered, **_mark)
        | s.accepted.to(s.accepted, **_mark)
        | s.dispatched.to(s.dispatched, **_mark)
        | s.return_requested.to(s.return_requested, **_mark)
        | s.signed.to(s.signed, **_mark)
        | s.handling.to(s.handling, **_mark)
        | s.suspended.to(s.suspended, **_mark)
        | s.investigated.to(s.investigated, **_mark)
    )
    _report = {**_urgent, "validators": needs("note")}
    report_urgent = (
        s.registered.to(s.registered, **_report)
        | s.accepted.to(s.accepted, **_report)
        | s.dispatched.to(s.dispatched, **_report)
        | s.return_requested.to(s.return_requested, **_report)
        | s.signed.to(s.signed, **_report)
        | s.handling.to(s.handling, **_report)
        | s.suspended.to(s.suspended, **_report)
        | s.investigated.to(s.investigated, **_report)
    )

    # The body that received the case.
    sign = s.dispatched.to(s.signed, cond=_HANDLER, on=do.take_in_hand)
    auto_sign = s.dispatched.to(s.signed, cond=ask.is_system, on=do.sign_by_default)
    _ask_return = {
        "cond": [*_HANDLER, ask.is_not_designated, ask.returns_left, ask.return_window_is_open],
        "validators": needs("reason", "suggested_org"),
        "on": do.count_return,
    }
    request_return = s.dispatched.to(s.return_requested, **_ask_return) | s.signed.to(s.return_requested, **_ask_return)
    approve_return = s.return_requested.to(s.registered, cond=[*_INTAKE, ask.is_not_of_main_body], on=do.take_back)
    refuse_return = s.return_requested.to(
        s.signed, cond=[*_INTAKE, ask.is_not_of_main_body], validators=needs("reason"), on=do.designate
    )
    expire_return = s.return_requested.to(s.dispatched, cond=ask.is_system, on=do.designate)
    start = s.signed.to(s.handling, cond=_HANDLER, validators=needs("note"), on=do.take_in_hand)

    # Handling.
    request_extension = s.handling.to(
        s.handling,
        cond=[
            *_HANDLER,
            ask.limit_can_be_extended,
            ask.no_request_waits,
            ask.extension_requests_left,
            ask.extension_fits,
            ask.is_before_due,
        ],
        validators=needs("days", "reason"),
        on=do.ask_extension,
    )
    approve_extension = s.handling.to(
        s.handling,
        cond=[
            *_APPROVER,
            ask.extension_waits,
            ask.did_not_ask_extension,
            ask.is_county_for_second_extension,
            ask.extension_fits,
            ask.is_before_due,
        ],
        validators=needs("days"),
        on=do.grant_extension,
    )
    refuse_extension = s.handling.to(
        s.handling,
        cond=[*_APPROVER, ask.extension_waits, ask.did_not_ask_extension],
        validators=needs("reason"),
        on=do.drop_extension_request,
    )
    request_suspension = s.handling.to(
        s.handling,
        cond=[*_HANDLER, ask.no_request_waits, ask.parkings_left, ask.suspension_fits],
        validators=needs("reason_code", "plan", "days"),
        on=do.ask_suspension,
    )
    approve_suspension = s.handling.to(
        s.suspended,
        cond=[*_APPROVER, ask.suspension_waits, ask.did_not_ask_suspension, ask.suspension_fits],
        validators=needs("days"),
        on=do.grant_suspension,
    )
    refuse_suspension = s.handling.to(
        s.handling,
        cond=[*_APPROVER, ask.suspension_waits, ask.did_not_ask_suspension],
        validators=needs("reason"),
        on=do.drop_suspension_request,
    )
    resume = s.suspended.to(s.handling, cond=_HANDLER)
    resume_expired = s.suspended.to(s.handling, cond=ask.is_system)
    hold_hearing = s.handling.to(s.handling, cond=_HANDLER, validators=needs("minutes")) | s.rechecking.to(
        s.rechecking, cond=_REVIEWER, validators=needs("minutes")
    )
    mediate = s.handling.to(s.handling, cond=_HANDLER, validators=needs("agreement"))
    _co_report = {
        "cond": [ask.is_handler, ask.is_of_waiting_co_body, ask.is_new_to_case, ask.is_not_recused],
        "validators": needs("report"),
        "on": do.receive_co_report,
    }
    co_report = (
        s.dispatched.to(s.dispatched, **_co_report)
        | s.signed.to(s.signed, **_co_report)
        | s.handling.to(s.handling, **_co_report)
        | s.suspended.to(s.suspended, **_co_report)
        | s.investigated.to(s.investigated, **_co_report)
    )

    # The reply.
    submit_reply = s.handling.to(
        s.investigated,
        cond=_HANDLER,
        validators=[needs("findings", "legal_basis"), ask.one_of("outcome", OUTCOMES)],
        on=do.write_reply,
    )
    return_reply = s.investigated.to(
        s.handling,
        cond=[*_APPROVER, ask.did_not_write_reply, ask.reply_returns_left],
        validators=needs("reason"),
        on=do.send_reply_back,
    )
    approve_reply = s.investigated.to(
        s.replied, cond=[*_APPROVER, ask.did_not_write_reply, ask.co_reports_are_in], on=do.count_answer
    )
    deliver = s.replied.to(s.resolved, cond=ask.is_system) | s.replied.to(
        s.resolved, cond=[ask.is_intake_or_main_body, ask.is_not_recused], validators=needs("proof")
    )

    # A bad rating goes up, and never to whoever gave the answer.
    rate = (
        s.resolved.to(
            s.external,
            cond=[*_PETITIONER, ask.rating_window_is_open, ask.is_dissatisfied, ask.is_at_the_top],
            validators=_RATING,
            on=[do.count_dissatisfied, do.go_up_to_county],
        )
        | s.resolved.to(
            s.escalated,
            cond=[*_PETITIONER, ask.rating_window_is_open, ask.is_dissatisfied, ask.is_second_round],
            validators=_RATING,
            on=[do.count_dissatisfied, do.go_up_to_county],
        )
        | s.resolved.to(
            s.dissatisfied,
            cond=[*_PETITIONER, ask.rating_window_is_open, ask.is_dissatisfied],
            validators=_RATING,
            on=[do.count_dissatisfied, do.go_up],
        )
        | s.resolved.to(s.rated, cond=[*_PETITIONER, ask.rating_window_is_open], validators=_RATING)
    )
    _change = [*_PETITIONER, ask.rating_window_is_open, ask.rating_changes_left]
    change_rating = (
        s.rated.to(
            s.external,
            cond=[*_change, ask.is_dissatisfied, ask.is_at_the_top],
            validators=_RATING,
            on=[do.count_rating_change, do.count_dissatisfied, do.go_up_to_county],
        )
        | s.rated.to(
            s.escalated,
            cond=[*_change, ask.is_dissatisfied, ask.is_second_round],
            validators=_RATING,
            on=[do.count_rating_change, do.count_dissatisfied, do.go_up_to_county],
        )
        | s.rated.to(
            s.dissatisfied,
            cond=[*_change, ask.is_dissatisfied],
            validators=_RATING,
            on=[do.count_rating_change, do.count_dissatisfied, do.go_up],
        )
        | s.rated.to(s.rated, cond=_change, validators=_RATING, on=do.count_rating_change)
    )
    lapse_rating = s.resolved.to(s.closed, cond=ask.is_system)

    # Supervision one level up.
    _rehandle = {
        "cond": [*_SUPERVISOR, *_TARGET],
        "validators": needs("main_org_id"),
        "on": do.begin_new_round,
    }
    rehandle = (
        s.dissatisfied.to(s.handling, **_rehandle)
        | s.escalated.to(s.handling, **_rehandle)
        | s.reviewed.to(s.handling, **_rehandle)
    )
    _explain = {
        "cond": [*_SUPERVISOR, ask.is_head, ask.was_answered],
        "validators": needs("reason", "legal_basis"),
        "on": do.take_charge,
    }
    explain = s.dissatisfied.to(s.explained, **_explain) | s.escalated.to(s.explained, **_explain)
    _reopen = {
        "cond": [*_SUPERVISOR, ask.rounds_left, *_TARGET],
        "validators": needs("main_org_id", "reason"),
        "on": do.begin_new_round,
    }
    reopen = (
        s.rated.to(s.handling, **_reopen) | s.closed.to(s.handling, **_reopen) | s.explained.to(s.handling, **_reopen)
    )

    # Review and re-review, each by the next higher body (Arts 35 and 36).
    _review_to_top = {
        "cond": [*_PETITIONER, ask.review_window_is_open, ask.reviews_left, ask.is_at_the_top],
        "validators": needs("reason"),
        "on": [do.count_review, do.go_up],
    }
    _review = {**_review_to_top, "cond": [*_PETITIONER, ask.review_window_is_open, ask.reviews_left]}
    ask_review = (
        s.resolved.to(s.external, **_review_to_top)
        | s.resolved.to(s.reviewing, **_review)
        | s.rated.to(s.external, **_review_to_top)
        | s.rated.to(s.reviewing, **_review)
        | s.closed.to(s.external, **_review_to_top)
        | s.closed.to(s.reviewing, **_review)
        | s.explained.to(s.external, **_review_to_top)
        | s.explained.to(s.reviewing, **_review)
    )
    give_review_opinion = s.reviewing.to(
        s.handling,
        cond=[*_REVIEWER, ask.orders_redo, *_TARGET],
        validators=_REVIEW_OPINION,
        on=do.begin_new_round,
    ) | s.reviewing.to(
        s.reviewed, cond=[*_REVIEWER, ask.does_not_order_redo], validators=_REVIEW_OPINION, on=do.take_charge
    )
    _recheck = [*_PETITIONER, ask.review_window_is_open, ask.rechecks_left]
    ask_recheck = s.reviewed.to(
        s.external,
        cond=[*_recheck, ask.is_at_the_top],
        validators=needs("reason"),
        on=[do.count_recheck, do.go_up],
    ) | s.reviewed.to(s.rechecking, cond=_recheck, validators=needs("reason"), on=[do.count_recheck, do.go_up])
    lapse_review = s.reviewed.to(s.closed, cond=ask.is_system)
    give_recheck_opinion = s.rechecking.to(
        s.final,
        cond=_REVIEWER,
        validators=[ask.one_of("outcome", RECHECK_OUTCOMES), needs("opinion")],
        on=do.take_charge,
    )

    # Above the province.
    acknowledge_external = s.external.to(
        s.external, cond=[ask.is_provincial_desk, ask.is_not_recused], validators=needs("note")
    )
    record_external_end = s.external.to(
        s.ended, cond=[ask.is_provincial_desk, ask.is_not_recused], validators=needs("note")
    )
    urge_external = s.external.to(s.external, cond=[ask.is_system, ask.urgings_left], on=do.count_urging)
    end_external = s.external.to(s.ended, cond=[ask.is_system, ask.urgings_are_spent])

    # A merged case follows its parent, but keeps its own rating.
    follow_parent = s.merged.to(s.resolved, cond=ask.is_system, validators=needs("main_org_id"), on=do.share_answer)
    split_from_parent = s.merged.to(s.registered, cond=ask.is_system, on=do.leave_parent)

    withdraw = s.withdrawn.from_(
        *(s.filed, s.registered, s.accepted, s.dispatched, s.signed, s.return_requested),
        *(s.handling, s.suspended, s.investigated, s.merged),
        cond=[*_PETITIONER, ask.was_never_answered],
    )

    # A limit has passed: one level up, and from the province to the authority above it.
    _expire_to_top = {"cond": [ask.is_system, ask.is_at_the_top], "on": [do.go_up, do.mark_overdue]}
    _expire = {"cond": ask.is_system, "on": [do.go_up, do.mark_overdue]}
    expire = (
        s.external.from_(
            *(s.registered, s.accepted, s.signed, s.handling, s.suspended, s.investigated),
            *(s.dissatisfied, s.escalated, s.reviewing, s.rechecking),
            **_expire_to_top,
        )
        | s.escalated.from_(
            *(s.registered, s.accepted, s.signed, s.handling, s.suspended, s.investigated),
            *(s.dissatisfied, s.escalated),
            **_expire,
        )
        | s.reviewing.to(s.reviewing, **_expire)
        | s.rechecking.to(s.rechecking, **_expire)
    )

    # A body that must withdraw loses the case by itself (Art 28): before it began, to another body of the level; afterwards,
    # and where a level has nobody left, one level up. Answers stand, and no clock of the law begins anew.
    _unseat = [ask.is_system, ask.main_is_excluded]
    _unseat_to_top = {"cond": [*_unseat, ask.is_at_the_top], "on": [do.leave_body, do.go_up]}
    _spent_to_top = {"cond": [*_unseat, ask.level_is_exhausted, ask.is_at_the_top], "on": [do.leave_body, do.go_up]}
    _unseat_up = {"cond": [*_unseat, ask.level_is_exhausted], "on": [do.leave_body, do.go_up]}
    _unseat_here = {"cond": [*_unseat, ask.recusals_left], "on": [do.leave_body, do.count_recusal]}
    _no_office_to_top = {"cond": [ask.is_system, ask.office_is_excluded, ask.is_at_the_top], "on": do.go_up}
    _no_office = {"cond": [ask.is_system, ask.office_is_excluded, ask.is_below_the_top], "on": do.go_up}
    recuse_body = (
        s.external.from_(s.dispatched, s.return_requested, s.signed, **_spent_to_top)
        | s.accepted.from_(s.dispatched, s.return_requested, s.signed, **_unseat_up)
        | s.accepted.from_(s.dispatched, s.return_requested, s.signed, **_unseat_here)
        | s.external.from_(s.handling, s.suspended, s.investigated, **_unseat_to_top)
        | s.escalated.from_(*(s.handling, s.suspended, s.investigated), cond=_unseat, on=[do.leave_body, do.go_up])
        | s.external.from_(
            *(s.registered, s.accepted, s.dissatisfied, s.escalated, s.reviewing, s.rechecking), **_no_office_to_top
        )
        | s.filed.to(s.filed, **_no_office)
        | s.registered.to(s.registered, **_no_office)
        | s.accepted.to(s.accepted, **_no_office)
        | s.dispatched.to(s.dispatched, **_no_office)
        | s.return_requested.to(s.return_requested, **_no_office)
        | s.signed.to(s.signed, **_no_office)
        | s.handling.to(s.handling, **_no_office)
        | s.suspended.to(s.suspended, **_no_office)
        | s.investigated.to(s.investigated, **_no_office)
        | s.dissatisfied.to(s.dissatisfied, **_no_office)
        | s.escalated.to(s.escalated, **_no_office)
        | s.reviewing.to(s.reviewing, **_no_office)
        | s.rechecking.to(s.rechecking, **_no_office)
    )


TABLE = PetitionChart.table = StepTable.of(PetitionChart)

# What forces the next step: state → (time limit, event that the system sends when it passes; None = reminder or card).
# Beside PT-05 the Zhejiang preset has PT-12, shorter and with the same effect.
TIMED: Mapping[PetitionState, tuple[tuple[str, PetitionEvent | None], ...]] = {
    PetitionState.FILED: (("PT-00", PetitionEvent.AUTO_REGISTER),),
    PetitionState.REGISTERED: (
        *(("PT-16", None), ("PT-25", None)),
        *(("PT-01", PetitionEvent.EXPIRE), ("PT-16a", PetitionEvent.EXPIRE)),
    ),
    PetitionState.ACCEPTED: (
        *(("PT-16", None), ("PT-25", None)),
        *(("PT-01", PetitionEvent.EXPIRE), ("PT-16a", PetitionEvent.EXPIRE)),
    ),
    PetitionState.DISPATCHED: (("PT-15", PetitionEvent.AUTO_SIGN),),
    PetitionState.RETURN_REQUESTED: (("PT-04a", PetitionEvent.EXPIRE_RETURN),),
    PetitionState.SIGNED: (("PT-14", None), ("PT-05", PetitionEvent.EXPIRE)),
    PetitionState.HANDLING: (("PT-17", None), ("PT-05", PetitionEvent.EXPIRE), ("PT-21", PetitionEvent.EXPIRE)),
    PetitionState.SUSPENDED: (("PT-05", PetitionEvent.EXPIRE), ("PT-24", PetitionEvent.RESUME_EXPIRED)),
    PetitionState.INVESTIGATED: (("PT-05", PetitionEvent.EXPIRE), ("PT-21", PetitionEvent.EXPIRE)),
    PetitionState.REPLIED: (("PT-26", PetitionEvent.DELIVER),),
    PetitionState.RESOLVED: (("PT-13", PetitionEvent.LAPSE_RATING),),
    PetitionState.DISSATISFIED: (("PT-20", PetitionEvent.EXPIRE),),
    PetitionState.ESCALATED: (("PT-22", PetitionEvent.EXPIRE), ("PT-16b", PetitionEvent.EXPIRE)),
    PetitionState.EXTERNAL: (("PT-27", PetitionEvent.URGE_EXTERNAL), ("PT-27", PetitionEvent.END_EXTERNAL)),
    PetitionState.REVIEWING: (("PT-08", PetitionEvent.EXPIRE),),
    PetitionState.REVIEWED: (("PT-09", PetitionEvent.LAPSE_REVIEW),),
    PetitionState.RECHECKING: (("PT-10", PetitionEvent.EXPIRE),),
    PetitionState.MERGED: (("PT-05m", PetitionEvent.SPLIT_FROM_PARENT),),
}
