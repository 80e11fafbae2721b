"""The questions that the alert chart asks before a step, each with the code of its refusal.

A guard answers with yes while the fact it asks about has not been sent, so that a page can offer the step; what a step needs is
demanded when it is sent. `today` is such a fact: the day in Shanghai.
"""

from __future__ import annotations

from collections.abc import Iterable

from workflows.actor import Actor, Role
from workflows.alert_record import (
    CLEARANCE_MONTHS,
    CLEARANCE_PAPERS,
    COLOURS,
    COUNTY,
    FORMS,
    LIMITS,
    MAY_FOLLOW,
    MONEY,
    PROVINCE,
    SERIOUS,
    TOWNSHIP,
    VERDICTS_OF,
    AlertRecord,
)
from workflows.base import Demand, Facts, Guard, MissingFact, guard
from workflows.calendar import months_after

DISCIPLINE = frozenset({Role.TOWNSHIP_DISCIPLINE, Role.DISPATCHED_GROUP, Role.COUNTY_DISCIPLINE, Role.UPPER_DISCIPLINE})
# Whoever may check an alert of a colour; a township office checks no suspicion of a violation.
CHECKERS = {
    "red": DISCIPLINE,
    "orange": DISCIPLINE,
    "yellow": DISCIPLINE | {Role.TOWNSHIP_OFFICE},
    "blue": DISCIPLINE | {Role.TOWNSHIP_OFFICE, Role.VILLAGE_SUPERVISOR},
}
IN_CHARGE = CHECKERS["blue"]
UNIT = frozenset({Role.VILLAGE_CLERK, Role.VILLAGE_SUPERVISOR, Role.TOWNSHIP_OFFICE, Role.DEPARTMENT_HANDLER})
OWNERS = frozenset({Role.COUNTY_DISCIPLINE, Role.UPPER_DISCIPLINE})
# Everybody who may ever do something to an alert.
MAY_ACT = IN_CHARGE | UNIT

Who = Actor | None


def _staff(actor: Who, roles: Iterable[str]) -> bool:
    return actor is not None and actor.kind == "staff" and actor.role in roles


def _level(actor: Who) -> int:
    """The level of the actor's body, below everything when it has none."""
    return 9 if actor is None or actor.org_level is None else actor.org_level


def _in_charge(a: AlertRecord, actor: Who) -> bool:
    return _staff(actor, IN_CHARGE) and actor is not None and actor.org_id is not None and actor.org_id == a.org_id


def _above(a: AlertRecord, actor: Who) -> bool:
    """Of a discipline body at the level in charge or above it."""
    return _staff(actor, DISCIPLINE) and _level(actor) <= a.level


# --- who ---------------------------------------------------------------------------------------------------------


@guard("wrong-role", who={Role.SYSTEM})
def is_system(a: AlertRecord, actor: Who, facts: Facts) -> bool:
    return actor is not None and actor.kind == "system"


@guard("not-in-charge", who=IN_CHARGE)
def is_in_charge(a: AlertRecord, actor: Who, facts: Facts) -> bool:
    return _in_charge(a, actor)


@guard("not-in-charge", who=IN_CHARGE)
def is_in_charge_or_above(a: AlertRecord, actor: Who, facts: Facts) -> bool:
    """Of the body in charge, or of a discipline body at its level or above."""
    return _in_charge(a, actor) or _above(a, actor)


@guard("not-the-decider", who=IN_CHARGE)
def is_decider(a: AlertRecord, actor: Who, facts: Facts) -> bool:
    """Head of the body in charge, or of a discipline body at its level or above."""
    return actor is not None and actor.head and (_in_charge(a, actor) or _above(a, actor))


@guard("wrong-role", who=DISCIPLINE)
def is_discipline(a: AlertRecord, actor: Who, facts: Facts) -> bool:
    return _staff(actor, DISCIPLINE)


@guard("not-model-owner", who=OWNERS)
def is_model_owner(a: AlertRecord, actor: Who, facts: Facts) -> bool:
    """Of a body that keeps rules, at the level where the alert waits or above it."""
    return _staff(actor, OWNERS) and _level(actor) <= min(a.level, COUNTY)


@guard("not-the-checker", who=IN_CHARGE)
def is_checker(a: AlertRecord, actor: Who, facts: Facts) -> bool:
    return _staff(actor, IN_CHARGE) and actor is not None and actor.person_id in a.checker_ids


def _of_unit(a: AlertRecord, actor: Who) -> bool:
    return _staff(actor, UNIT) and actor is not None and actor.org_id is not None and actor.org_id == a.unit_org_id


@guard("not-the-unit", who=UNIT)
def is_of_unit(a: AlertRecord, actor: Who, facts: Facts) -> bool:
    """Of the unit that the alert is about: it explains and proves, and sees no more than that asks for."""
    return _of_unit(a, actor)


@guard("not-the-unit", who=MAY_ACT)
def is_of_unit_or_checker(a: AlertRecord, actor: Who, facts: Facts) -> bool:
    return _of_unit(a, actor) or is_checker.ask(a, actor, facts)


@guard("colour-too-serious")
def colour_fits_role(a: AlertRecord, actor: Who, facts: Facts) -> bool:
    return actor is not None and actor.role in CHECKERS[a.colour]


@guard("discipline-needed", who=DISCIPLINE)
def is_clearance_approver(a: AlertRecord, actor: Who, facts: Facts) -> bool:
    """Head of a discipline body at the level in charge or above, and never below the township."""
    return actor is not None and actor.head and _staff(actor, DISCIPLINE) and _level(actor) <= min(a.level, TOWNSHIP)


@guard("one-level-up-needed")
def is_one_level_up_if_serious(a: AlertRecord, actor: Who, facts: Facts) -> bool:
    """A red alert by a body above the one in charge, at the county or above; above the province nobody is left to ask."""
    return a.colour not in SERIOUS or _level(actor) <= max(PROVINCE, min(a.level - 1, COUNTY))


@guard("wrong-role", who=[Role.UPPER_DISCIPLINE])
def is_provincial_desk(a: AlertRecord, actor: Who, facts: Facts) -> bool:
    """Above the province nobody has an account: its discipline commission keeps the file of what the authority does."""
    return _staff(actor, [Role.UPPER_DISCIPLINE]) and _level(actor) <= PROVINCE


@guard("county-needed", above=True)
def is_county_or_above(a: AlertRecord, actor: Who, facts: Facts) -> bool:
    """Head of a discipline body at the county or above, and not below the level in charge."""
    return actor is not None and actor.head and _staff(actor, DISCIPLINE) and _level(actor) <= min(a.level, COUNTY)


@guard("county-needed")
def may_extend(a: AlertRecord, actor: Who, facts: Facts) -> bool:
    """AL-06: the county for red and orange, the township for yellow and blue."""
    return _staff(actor, DISCIPLINE) and _level(actor) <= (COUNTY if a.colour in SERIOUS else TOWNSHIP)


@guard("cadre-authority")
def has_cadre_authority(a: AlertRecord, actor: Who, facts: Facts) -> bool:
    """A case against a cadre is filed by the level that manages the cadre, or above it; not known, by the county."""
    return _level(actor) <= (COUNTY if a.cadre_level is None else a.cadre_level)


@guard("wrong-level", above=True)
def is_above_in_charge(a: AlertRecord, actor: Who, facts: Facts) -> bool:
    """A sample is examined one level up; in the province by another person of the province."""
    return _level(actor) <= max(PROVINCE, a.level - 1)


@guard("head-needed")
def is_head(a: AlertRecord, actor: Who, facts: Facts) -> bool:
    return actor is not None and actor.head


@guard("recused")
def is_not_recused(a: AlertRecord, actor: Who, facts: Facts) -> bool:
    """The door sends `recused`: kin of a subject, a subject, or somebody under a subject's orders (监察法 Art 67)."""
    return not facts.get("recused")


@guard("subject-may-not-decide")
def is_not_of_subject(a: AlertRecord, actor: Who, facts: Facts) -> bool:
    return actor is not None and actor.org_id not in {a.unit_org_id, *a.subject_org_ids} - {None}


def _nobody_of(*fields: str) -> Guard:
    """A person whom none of the record's fields names."""

    def ask(a: AlertRecord, actor: Who, facts: Facts) -> bool:
        return (
            actor is not None
            and actor.person_id is not None
            and actor.person_id not in [getattr(a, field) for field in fields]
        )

    ask.__name__ = "is_not_" + "_or_".join(field.removesuffix("_by") for field in fields)
    return Guard(ask, "separation-of-duties")


is_not_clearance = _nobody_of("clearance_by")
is_not_findings = _nobody_of("findings_by")
is_not_extension = _nobody_of("extension_by")
is_not_freeze = _nobody_of("freeze_by")
is_not_proof = _nobody_of("proof_by")
is_not_decided_or_proof = _nobody_of("decided_by", "proof_by")
is_not_decided_or_verdict_or_clearance = _nobody_of("decided_by", "verdict_by", "clearance_by")
is_not_verdict = _nobody_of("verdict_by")


@guard("separation-of-duties")
def does_not_check(a: AlertRecord, actor: Who, facts: Facts) -> bool:
    return actor is not None and actor.person_id is not None and actor.person_id not in a.checker_ids


@guard("separation-of-duties")
def is_not_rule_author(a: AlertRecord, actor: Who, facts: Facts) -> bool:
    """The door sends `rule_author_id`: whoever wrote the rule does not make its false alerts disappear."""
    return actor is not None and facts.get("rule_author_id", False) != actor.person_id


# --- to whom -----------------------------------------------------------------------------------------------------


@guard("subject-body")
def target_is_not_subject(a: AlertRecord, actor: Who, facts: Facts) -> bool:
    org = facts.get("org_id") or a.org_id
    return org is None or org not in {a.unit_org_id, *a.subject_org_ids, *(facts.get("excluded_org_ids") or ())}


@guard("two-people-needed")
def checkers_are_enough(a: AlertRecord, actor: Who, facts: Facts) -> bool:
    named = facts.get("checker_ids")
    return not named or len(set(named)) >= (2 if a.colour == "red" else 1)


@guard("recused-checkers")
def checkers_are_not_recused(a: AlertRecord, actor: Who, facts: Facts) -> bool:
    """The door sends `excluded_person_ids`: everybody who must withdraw from this alert."""
    return not set(facts.get("checker_ids") or ()) & set(facts.get("excluded_person_ids") or ())


# --- how often ---------------------------------------------------------------------------------------------------


def _below(counter: str) -> Guard:
    def ask(a: AlertRecord, actor: Who, facts: Facts) -> bool:
        return bool(getattr(a, counter) < LIMITS[counter])

    ask.__name__ = f"{counter}_left"
    return Guard(ask, f"{counter}-spent", counter=counter)


assignments_left, explanations_left, freezes_left = _below("assignments"), _below("explanations"), _below("freezes")
extensions_left, clearances_left = _below("extensions"), _below("clearances")
findings_returns_left, take_backs_left = _below("findings_returns"), _below("take_backs")
proof_returns_left, stages_left = _below("proof_returns"), _below("stages")
verdict_changes_left, reopenings_left, urgings_left = _below("verdict_changes"), _below("reopenings"), _below("urgings")


@guard("urgings-left")
def urgings_are_spent(a: AlertRecord, actor: Who, facts: Facts) -> bool:
    return a.urgings >= LIMITS["urgings"]


# --- clearance ---------------------------------------------------------------------------------------------------


@guard("evidence-only")
def scope_fits_colour(a: AlertRecord, actor: Who, facts: Facts) -> bool:
    return a.colour in CLEARANCE_MONTHS or facts.get("scope", "evidence") == "evidence" and not facts.get("until")


@guard("expiry-too-long")
def expiry_fits_colour(a: AlertRecord, actor: Who, facts: Facts) -> bool:
    """Fails closed: an end that can not be compared with today is too long."""
    until, today = facts.get("until"), facts.get("today")
    if until is None:
        return True
    months = CLEARANCE_MONTHS.get(a.colour)
    return months is not None and today is not None and bool(today < until <= months_after(today, months))


@guard("clearance-over")
def expiry_is_ahead(a: AlertRecord, actor: Who, facts: Facts) -> bool:
    today = facts.get("today")
    return a.clearance_until is None or today is None or bool(today < a.clearance_until)


@guard("evidence-only")
def scope_still_fits(a: AlertRecord, actor: Who, facts: Facts) -> bool:
    """The colour may have risen since the clearance was asked for."""
    return a.colour in CLEARANCE_MONTHS or a.clearance_scope == "evidence"


@guard("papers-missing")
def papers_are_complete(a: AlertRecord, actor: Who, facts: Facts) -> bool:
    reason = str(facts.get("reason_code"))
    if reason not in CLEARANCE_PAPERS or "papers" not in facts:
        return True
    return CLEARANCE_PAPERS[reason] - MAY_FOLLOW.get(reason, frozenset()) <= set(facts["papers"] or ())


@guard("nothing-owed", counter="papers_due")
def papers_are_due(a: AlertRecord, actor: Who, facts: Facts) -> bool:
    return a.papers_due


@guard("other-branch", counter="clearance_live")
def clearance_runs(a: AlertRecord, actor: Who, facts: Facts) -> bool:
    return a.clearance_live and a.clearance_until is not None


# --- what the record allows --------------------------------------------------------------------------------------


@guard("nothing-reported")
def findings_wait(a: AlertRecord, actor: Who, facts: Facts) -> bool:
    return a.findings_by is not None


@guard("findings-wait", counter="findings_returns")
def no_findings_wait(a: AlertRecord, actor: Who, facts: Facts) -> bool:
    return a.findings_by is None


@guard("nothing-requested", counter="extensions")
def extension_waits(a: AlertRecord, actor: Who, facts: Facts) -> bool:
    return a.extension_by is not None


@guard("frozen")
def is_not_frozen(a: AlertRecord, actor: Who, facts: Facts) -> bool:
    return a.freeze not in ("requested", "confirmed")


@guard("nothing-frozen", counter="freezes")
def is_frozen(a: AlertRecord, actor: Who, facts: Facts) -> bool:
    return a.freeze in ("requested", "confirmed")


@guard("nothing-frozen", counter="freezes")
def freeze_waits(a: AlertRecord, actor: Who, facts: Facts) -> bool:
    return a.freeze == "requested"


@guard("form-4-needs-case")
def fourth_form_has_case(a: AlertRecord, actor: Who, facts: Facts) -> bool:
    persons = facts.get("persons") or ()
    return a.state == "case_filed" or all(one.get("form") != "FORM_4" for one in persons)


@guard("not-disposed")
def is_disposed(a: AlertRecord, actor: Who, facts: Facts) -> bool:
    return a.disposed


@guard("verdict-contradicts")
def verdict_fits(a: AlertRecord, actor: Who, facts: Facts) -> bool:
    """A resolved alert has a resolution; one without it would have no verdict that fits."""
    verdict = facts.get("verdict")
    return verdict is None or verdict in VERDICTS_OF.get(a.resolution or "", frozenset())


@guard("not-sampled", counter="sampled")
def is_sampled(a: AlertRecord, actor: Who, facts: Facts) -> bool:
    return a.sampled


@guard("other-branch", counter="sampled")
def is_not_sampled(a: AlertRecord, actor: Who, facts: Facts) -> bool:
    return not a.sampled


@guard("not-struck-off")
def was_disposed(a: AlertRecord, actor: Who, facts: Facts) -> bool:
    return a.resolution == "disposed"


@guard("other-branch")
def was_not_disposed(a: AlertRecord, actor: Who, facts: Facts) -> bool:
    return a.resolution != "disposed"


# --- which branch ------------------------------------------------------------------------------------------------


@guard("other-branch")
def is_at_the_top(a: AlertRecord, actor: Who, facts: Facts) -> bool:
    """The door sends `above_org_id`: the next body above that may know, or None."""
    return a.level <= PROVINCE or facts.get("above_org_id", True) is None


@guard("other-branch")
def is_below_the_top(a: AlertRecord, actor: Who, facts: Facts) -> bool:
    return not is_at_the_top.ask(a, actor, facts)


@guard("other-branch")
def is_no_flood(a: AlertRecord, actor: Who, facts: Facts) -> bool:
    return not a.flood


@guard("other-branch")
def is_flood(a: AlertRecord, actor: Who, facts: Facts) -> bool:
    return a.flood


@guard("other-branch", counter="colour")
def colour_rises(a: AlertRecord, actor: Who, facts: Facts) -> bool:
    sent = facts.get("colour", a.colour)
    return sent in COLOURS and COLOURS.index(sent) < COLOURS.index(a.colour)


@guard("graver-now")
def colour_stays(a: AlertRecord, actor: Who, facts: Facts) -> bool:
    return not colour_rises.ask(a, actor, facts)


@guard("other-branch")
def work_is_left(a: AlertRecord, actor: Who, facts: Facts) -> bool:
    return bool(facts.get("items_left", 1))


@guard("other-branch")
def nothing_is_left(a: AlertRecord, actor: Who, facts: Facts) -> bool:
    return not facts.get("items_left")


@guard("other-branch")
def verdict_agrees(a: AlertRecord, actor: Who, facts: Facts) -> bool:
    return bool(facts.get("verdict", a.verdict) == a.verdict)


@guard("other-branch")
def verdict_differs(a: AlertRecord, actor: Who, facts: Facts) -> bool:
    return bool(facts.get("verdict", "") != a.verdict)


# --- what a step needs -------------------------------------------------------------------------------------------


def _check_items(facts: Facts) -> None:
    items = facts.get("items")
    if not items or not all(item.get("task") and item.get("owner") and item.get("due") for item in items):
        raise MissingFact("items")


def _check_fen(facts: Facts, *names: str) -> None:
    for name in names:
        fen = facts.get(name)
        if not isinstance(fen, int) or isinstance(fen, bool) or fen < 0:
            raise MissingFact(name)


def _check_findings(facts: Facts) -> None:
    """Facts, persons, amount. Nobody and nothing is an answer; silence is none."""
    if not facts.get("findings"):
        raise MissingFact("findings")
    if facts.get("persons") is None:
        raise MissingFact("persons")
    _check_fen(facts, "amount")


def _check_disposal(facts: Facts) -> None:
    """`persons` may be empty, when a defect is mended and nobody is to blame; it is never left out."""
    persons = facts.get("persons")
    if persons is None or not all(one.get("person") and one.get("form") in FORMS for one in persons):
        raise MissingFact("persons")
    _check_fen(facts, *MONEY)


def _check_money(facts: Facts) -> None:
    if facts.get("kind") not in ("recovered", "returned"):
        raise MissingFact("kind")
    _check_fen(facts, "fen")


def _check_items_left(facts: Facts) -> None:
    _check_fen(facts, "items_left")


items_with_owner_and_date = Demand("items_with_owner_and_date", ("items",), _check_items)
forms_and_money = Demand("forms_and_money", ("persons", *MONEY), _check_disposal)
findings_persons_and_amount = Demand("findings_persons_and_amount", ("findings", "persons", "amount"), _check_findings)
number_of_items_left = Demand("number_of_items_left", ("items_left",), _check_items_left)
kind_and_fen = Demand("kind_and_fen", ("kind", "fen"), _check_money)
