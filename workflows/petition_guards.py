"""The questions that the petition chart asks before it moves.

A guard answers for one record, one actor and the facts known so far: without side effects, without raising, and with
yes while the fact it asks about has not been sent. `now` is such a fact: without a clock every window counts as open.
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING
from uuid import UUID

from workflows.actor import Actor, Label, Role
from workflows.base import Demand, Facts, Guard, MissingFact, guard

if TYPE_CHECKING:
    from workflows.petition_record import PetitionRecord

# Bounds of every counter. Each loop of the chart spends one of them, so that no case can go round for ever.
LIMITS = {
    "returns": 3,
    "merges": 2,
    "co_org_ids": 5,
    "extension_requests": 2,
    "parked": 6,
    "reply_returns": 3,
    "rating_changes": 2,
    "reviews": 1,
    "rechecks": 1,
    "urgings": 3,
    "recusals": 1,
    "reopened_rounds": 5,
}
EXTENSION_CAP_DAYS = 30  # 信访工作条例 Art 34; a provincial preset sends its own as the fact `extension_cap`.
SUSPENSION_DAYS = 30  # Each parking; six of them make the 180 days of PT-24.

PROVINCE, COUNTY, EXTERNAL = 1, 3, 0

INTAKE = frozenset(
    {
        Role.PETITION_OFFICE,
        Role.COUNTY_DISCIPLINE,
        Role.UPPER_DISCIPLINE,
        Role.TOWNSHIP_OFFICE,
        Role.TOWNSHIP_DISCIPLINE,
    }
)
HANDLERS = frozenset(
    {
        Role.TOWNSHIP_OFFICE,
        Role.TOWNSHIP_DISCIPLINE,
        Role.DEPARTMENT_HANDLER,
        Role.DISPATCHED_GROUP,
        Role.COUNTY_DISCIPLINE,
        Role.VILLAGE_SUPERVISOR,
    }
)
APPROVING_BODIES = HANDLERS - {Role.VILLAGE_SUPERVISOR}
SUPERVISORS = frozenset({Role.PETITION_OFFICE, Role.COUNTY_DISCIPLINE, Role.UPPER_DISCIPLINE})
PROVINCIAL_DESKS = frozenset({Role.PETITION_OFFICE, Role.UPPER_DISCIPLINE})

REFUSALS: dict[str, Label] = {
    "wrong-role": Label("您的角色不能办理此操作", "your role may not do this"),
    "wrong-level": Label("须由现负责层级或其上级办理", "only the level in charge or one above it may do this"),
    "not-your-case": Label("此件不由您的单位办理", "another body handles this case"),
    "recused": Label("您须回避此件", "you must withdraw from this case"),
    "separation-of-duties": Label("经办与审核不得为同一人或同一单位", "whoever asked or wrote may not decide"),
    "head-needed": Label("须由单位负责人办理", "the head of the body must do this"),
    "county-needed": Label("再次延期须由县级以上批准", "a second extension needs the county"),
    "first-handler-excluded": Label(
        "前次办理的单位和人员不得再次办理", "whoever handled it before may not do so again"
    ),
    "accused-body": Label("不得交由被反映单位办理", "the case may not go to a body it names"),
    "designated-may-not-return": Label("指定承办单位不得退单", "a designated body may not return the case"),
    "return-limit": Label("退单次数已满", "the case was returned too often"),
    "merge-limit": Label("并案次数已满", "the case was merged too often"),
    "co-limit": Label("协办单位已满或已在其中", "no room for this co-handler, or it is one already"),
    "extension-limit": Label("延期申请次数已满", "extensions were asked too often"),
    "extension-too-long": Label("延期总天数超过上限", "the extensions together pass the longest allowed"),
    "extension-not-provided": Label("重办期限不得延长", "the time for handling a case again cannot be extended"),
    "suspension-limit": Label("挂账次数已满", "the case was parked too often"),
    "suspension-too-long": Label("每次挂账不超过30日", "one parking lasts at most 30 days"),
    "reply-return-limit": Label("答复退回次数已满", "the reply was sent back too often"),
    "rating-change-limit": Label("修改评价次数已满", "the rating was changed too often"),
    "review-used": Label("已申请过复查", "a review was asked already"),
    "recheck-used": Label("已申请过复核", "a re-review was asked already"),
    "urging-limit": Label("催办次数已满", "the authority was urged three times"),
    "urgings-left": Label("尚可催办", "the authority can still be urged"),
    "round-limit": Label("重新办理次数已满", "the case was reopened too often"),
    "already-requested": Label("已有待批申请", "a request is waiting already"),
    "nothing-requested": Label("没有待批申请", "nothing was requested"),
    "outside-window": Label("已超过期限", "the time for this has passed"),
    "co-reports-missing": Label("协办单位尚未全部反馈", "not every co-handler has reported"),
    "already-answered": Label("已答复,不能撤回", "the case was answered and cannot be withdrawn"),
    "not-answered-yet": Label("尚未答复,不能解释办结", "the case was never answered and cannot be explained away"),
    "not-an-accusation": Label("不是检举控告类事项", "the case is not an accusation"),
    "must-be-routed": Label("无管辖权的应当转送,不得不予受理", "a case without jurisdiction is routed, not refused"),
    "other-branch": Label("不适用", "does not apply"),
}

Who = Actor | None


def _is_staff(actor: Who, roles: frozenset[Role]) -> bool:
    return actor is not None and actor.kind == "staff" and actor.role in roles


# --- who ---------------------------------------------------------------------------------------------------------


@guard("wrong-role", who={Role.SYSTEM})
def is_system(p: PetitionRecord, actor: Who, facts: Facts) -> bool:
    return actor is not None and actor.kind == "system"


@guard("wrong-role", who={Role.PETITIONER})
def is_petitioner(p: PetitionRecord, actor: Who, facts: Facts) -> bool:
    return actor is not None and actor.kind == "petitioner"


@guard("wrong-role", who=INTAKE)
def is_intake(p: PetitionRecord, actor: Who, facts: Facts) -> bool:
    return _is_staff(actor, INTAKE)


@guard("wrong-role", who=HANDLERS)
def is_handler(p: PetitionRecord, actor: Who, facts: Facts) -> bool:
    """A village supervision committee handles simple items only."""
    return _is_staff(actor, HANDLERS) and (p.simple or actor is None or actor.role != Role.VILLAGE_SUPERVISOR)


@guard("wrong-role", who=APPROVING_BODIES | SUPERVISORS)
def is_approver(p: PetitionRecord, actor: Who, facts: Facts) -> bool:
    """The head of the handling body, or an office at or above the level in charge that does not itself handle."""
    if actor is None or not _is_staff(actor, APPROVING_BODIES | SUPERVISORS):
        return False
    if actor.org_id is not None and actor.org_id == p.main_org_id:
        return actor.head and actor.role in APPROVING_BODIES
    return actor.role in SUPERVISORS and actor.org_level is not None and actor.org_level <= p.level


@guard("wrong-role", who=INTAKE | HANDLERS)
def is_intake_or_main_body(p: PetitionRecord, actor: Who, facts: Facts) -> bool:
    """Who hands over a printed reply and reports an urgent matter: an intake office, or the body that handles the case."""
    return _is_staff(actor, INTAKE) or (_is_staff(actor, HANDLERS) and is_of_main_body.ask(p, actor, facts))


@guard("wrong-role", who=SUPERVISORS)
def is_supervisor(p: PetitionRecord, actor: Who, facts: Facts) -> bool:
    return _is_staff(actor, SUPERVISORS)


@guard("wrong-role", who=PROVINCIAL_DESKS)
def is_provincial_desk(p: PetitionRecord, actor: Who, facts: Facts) -> bool:
    """Above the province nobody has an account: its desks keep the file of what the authority does."""
    return actor is not None and _is_staff(actor, PROVINCIAL_DESKS) and actor.org_level in (EXTERNAL, PROVINCE)


@guard("wrong-level", above=True)
def is_at_or_above(p: PetitionRecord, actor: Who, facts: Facts) -> bool:
    return actor is not None and actor.org_level is not None and actor.org_level <= p.level


@guard("wrong-level", above=True)
def is_at_the_level_in_charge(p: PetitionRecord, actor: Who, facts: Facts) -> bool:
    """Exactly that level: review and re-review belong to one level each, so that no body can give both opinions."""
    return actor is not None and actor.org_level == p.level


@guard("head-needed")
def is_head(p: PetitionRecord, actor: Who, facts: Facts) -> bool:
    return actor is not None and actor.head


@guard("not-your-case")
def is_of_main_body(p: PetitionRecord, actor: Who, facts: Facts) -> bool:
    return actor is not None and actor.org_id is not None and actor.org_id == p.main_org_id


@guard("not-your-case")
def is_of_waiting_co_body(p: PetitionRecord, actor: Who, facts: Facts) -> bool:
    return actor is not None and actor.org_id in p.co_waiting_org_ids


@guard("recused")
def is_not_recused(p: PetitionRecord, actor: Who, facts: Facts) -> bool:
    """The door sends `recused` when the actor is petitioner, accused, kin, or works where the accused works (Art 28)."""
    return not facts.get("recused")


@guard("first-handler-excluded")
def is_new_to_case(p: PetitionRecord, actor: Who, facts: Facts) -> bool:
    """Neither the person nor the body handled an earlier round."""
    if actor is None:
        return False
    return actor.person_id not in p.past_handler_ids and actor.org_id not in p.past_org_ids


@guard("first-handler-excluded")
def did_not_handle(p: PetitionRecord, actor: Who, facts: Facts) -> bool:
    """A body does not supervise or review its own handling, neither this round's nor an earlier one's."""
    if actor is None or not is_new_to_case.ask(p, actor, facts):
        return False
    mine = actor.org_id is not None and (actor.org_id == p.main_org_id or actor.org_id in p.co_org_ids)
    return not mine and (actor.person_id is None or actor.person_id not in (p.main_handler_id, p.reply_author_id))


@guard("separation-of-duties")
def is_not_of_main_body(p: PetitionRecord, actor: Who, facts: Facts) -> bool:
    return not is_of_main_body.ask(p, actor, facts)


@guard("separation-of-duties")
def did_not_write_reply(p: PetitionRecord, actor: Who, facts: Facts) -> bool:
    return actor is not None and (actor.person_id is None or actor.person_id != p.reply_author_id)


@guard("separation-of-duties")
def did_not_ask_extension(p: PetitionRecord, actor: Who, facts: Facts) -> bool:
    return actor is not None and actor.person_id != p.extension_requested_by


@guard("separation-of-duties")
def did_not_ask_suspension(p: PetitionRecord, actor: Who, facts: Facts) -> bool:
    return actor is not None and actor.person_id != p.suspended_requested_by


@guard("county-needed")
def is_county_for_second_extension(p: PetitionRecord, actor: Who, facts: Facts) -> bool:
    if p.extension_requests < 2:
        return True
    return actor is not None and actor.org_level is not None and actor.org_level <= COUNTY


# --- to whom -----------------------------------------------------------------------------------------------------


def _targets(facts: Facts) -> list[UUID]:
    named = [facts.get("main_org_id"), *(facts.get("co_org_ids") or ()), facts.get("co_org_id")]
    return [org for org in named if org is not None]


@guard("accused-body")
def target_is_not_accused(p: PetitionRecord, actor: Who, facts: Facts) -> bool:
    """The door sends `excluded_org_ids`: the bodies that the petition names, with everything below them."""
    return not set(_targets(facts)) & set(facts.get("excluded_org_ids") or ())


@guard("first-handler-excluded")
def target_is_not_past(p: PetitionRecord, actor: Who, facts: Facts) -> bool:
    return not set(_targets(facts)) & set(p.past_org_ids)


@guard("first-handler-excluded", new_body=True)
def target_is_new(p: PetitionRecord, actor: Who, facts: Facts) -> bool:
    """The body of an earlier round does not come back, neither alone nor beside another."""
    return not set(_targets(facts)) & {*p.past_org_ids, p.main_org_id}


@guard("co-limit", counter="co_org_ids")
def may_add_co_handler(p: PetitionRecord, actor: Who, facts: Facts) -> bool:
    return len(p.co_org_ids) < LIMITS["co_org_ids"] and facts.get("co_org_id") not in (p.main_org_id, *p.co_org_ids)


# --- how often, and until when -----------------------------------------------------------------------------------


def _below(counter: str, code: str) -> Guard:
    """A guard that is open while the record's counter is below its limit."""

    def ask(p: PetitionRecord, actor: Who, facts: Facts) -> bool:
        return bool(getattr(p, counter) < LIMITS[counter])

    ask.__name__ = f"{counter}_left"
    return Guard(ask, code, counter=counter)


returns_left = _below("returns", "return-limit")
merges_left = _below("merges", "merge-limit")
extension_requests_left = _below("extension_requests", "extension-limit")
parkings_left = _below("parked", "suspension-limit")
reply_returns_left = _below("reply_returns", "reply-return-limit")
rating_changes_left = _below("rating_changes", "rating-change-limit")
reviews_left = _below("reviews", "review-used")
rechecks_left = _below("rechecks", "recheck-used")
urgings_left = _below("urgings", "urging-limit")
recusals_left = _below("recusals", "other-branch")


@guard("urgings-left")
def urgings_are_spent(p: PetitionRecord, actor: Who, facts: Facts) -> bool:
    return p.urgings >= LIMITS["urgings"]


@guard("round-limit", counter="round")
def rounds_left(p: PetitionRecord, actor: Who, facts: Facts) -> bool:
    return p.round < LIMITS["reopened_rounds"]


def _is_open(until: datetime | None, facts: Facts) -> bool:
    now = facts.get("now")
    return now is None or until is None or now <= until


@guard("outside-window")
def return_window_is_open(p: PetitionRecord, actor: Who, facts: Facts) -> bool:
    return _is_open(p.return_until, facts)


@guard("outside-window")
def rating_window_is_open(p: PetitionRecord, actor: Who, facts: Facts) -> bool:
    return _is_open(p.rating_until, facts)


@guard("outside-window")
def review_window_is_open(p: PetitionRecord, actor: Who, facts: Facts) -> bool:
    return _is_open(p.review_until, facts)


@guard("outside-window")
def is_before_due(p: PetitionRecord, actor: Who, facts: Facts) -> bool:
    return _is_open(p.due_at, facts)


# --- what the record allows --------------------------------------------------------------------------------------


@guard("designated-may-not-return")
def is_not_designated(p: PetitionRecord, actor: Who, facts: Facts) -> bool:
    return not p.designated


@guard("not-an-accusation")
def is_accusation(p: PetitionRecord, actor: Who, facts: Facts) -> bool:
    return p.item_type == "accusation"


@guard("must-be-routed")
def is_not_about_jurisdiction(p: PetitionRecord, actor: Who, facts: Facts) -> bool:
    return facts.get("reason_code") != "no-jurisdiction"


@guard("already-requested")
def no_request_waits(p: PetitionRecord, actor: Who, facts: Facts) -> bool:
    """One request at a time: a parked case could not decide an extension that still waits."""
    return p.extension_requested_by is None and p.suspended_requested_by is None


@guard("nothing-requested", counter="extension_requests")
def extension_waits(p: PetitionRecord, actor: Who, facts: Facts) -> bool:
    """Counted: only a counted request makes it true, and deciding it makes it false."""
    return p.extension_requested_by is not None


@guard("extension-not-provided")
def limit_can_be_extended(p: PetitionRecord, actor: Who, facts: Facts) -> bool:
    """Art 34 extends the first handling; a body that handles the case again has PT-21, which nothing lengthens."""
    return p.round == 1


@guard("extension-too-long")
def extension_fits(p: PetitionRecord, actor: Who, facts: Facts) -> bool:
    """While no number of days has been sent, whether a single one is left."""
    return bool(p.extension_days + (facts.get("days") or 1) <= (facts.get("extension_cap") or EXTENSION_CAP_DAYS))


@guard("nothing-requested", counter="parked")
def suspension_waits(p: PetitionRecord, actor: Who, facts: Facts) -> bool:
    """Counted: only a counted request makes it true, and deciding it makes it false."""
    return p.suspended_requested_by is not None


@guard("suspension-too-long")
def suspension_fits(p: PetitionRecord, actor: Who, facts: Facts) -> bool:
    return bool((facts.get("days") or 0) <= SUSPENSION_DAYS)


@guard("co-reports-missing")
def co_reports_are_in(p: PetitionRecord, actor: Who, facts: Facts) -> bool:
    return not p.co_waiting_org_ids


@guard("already-answered")
def was_never_answered(p: PetitionRecord, actor: Who, facts: Facts) -> bool:
    return p.answers == 0


@guard("not-answered-yet")
def was_answered(p: PetitionRecord, actor: Who, facts: Facts) -> bool:
    return p.answers > 0


# --- which branch ------------------------------------------------------------------------------------------------


@guard("other-branch")
def is_at_the_top(p: PetitionRecord, actor: Who, facts: Facts) -> bool:
    """Nobody stands above but the external authority."""
    return p.level <= PROVINCE


@guard("other-branch")
def is_below_the_top(p: PetitionRecord, actor: Who, facts: Facts) -> bool:
    return p.level > PROVINCE


@guard("other-branch")
def main_is_excluded(p: PetitionRecord, actor: Who, facts: Facts) -> bool:
    """The door sends `main_excluded`: the handling body must withdraw (Art 28), or nobody is left in it."""
    return bool(facts.get("main_excluded", True))


@guard("other-branch")
def office_is_excluded(p: PetitionRecord, actor: Who, facts: Facts) -> bool:
    """The door sends `office_excluded`: at this level no office is left that may be in charge."""
    return bool(facts.get("office_excluded", True))


@guard("other-branch")
def level_is_exhausted(p: PetitionRecord, actor: Who, facts: Facts) -> bool:
    """No office at this level may look for another body, or enough bodies of the level have withdrawn."""
    return office_is_excluded.ask(p, actor, facts) or not recusals_left.ask(p, actor, facts)


@guard("other-branch", dissatisfied=True)
def is_dissatisfied(p: PetitionRecord, actor: Who, facts: Facts) -> bool:
    return facts.get("grade") == "dissatisfied"


@guard("other-branch")
def is_second_round(p: PetitionRecord, actor: Who, facts: Facts) -> bool:
    return p.round >= 2


@guard("other-branch")
def orders_redo(p: PetitionRecord, actor: Who, facts: Facts) -> bool:
    return facts.get("outcome") == "redo"


@guard("other-branch")
def does_not_order_redo(p: PetitionRecord, actor: Who, facts: Facts) -> bool:
    return facts.get("outcome") != "redo"


# --- facts with a closed list ------------------------------------------------------------------------------------


def one_of(field: str, values: tuple[str, ...], then: dict[str, str] | None = None) -> Demand:
    """Demand a value of a closed list; `then` names a further field that one of the values asks for."""

    def check(facts: Facts) -> None:
        if facts.get(field) not in values:
            raise MissingFact(field)
        further = (then or {}).get(facts[field])
        if further is not None and not facts.get(further):
            raise MissingFact(further)

    return Demand(f"one_of_{field}", (field, *(f"{name} (if {value})" for value, name in (then or {}).items())), check)
