"""The questions that the clue chart asks before a step, each with the code of its refusal."""

from __future__ import annotations

from workflows.actor import Actor, Role
from workflows.base import Facts, Guard, guard
from workflows.clue_record import CITY, LIMITS, PROVINCE, ClueRecord

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
transfers_left = _below("transfers")
reports_left, answers_left, urgings_left = _below("reports"), _below("answers"), _below("urgings")


def _above(c: ClueRecord, facts: Facts) -> bool:
    return c.level > PROVINCE and facts.get("above_org_id", True) is not None


@guard("nobody-above")
def has_a_body_above(c: ClueRecord, actor: Who, facts: Facts) -> bool:
    """The door sends `above_org_id`: the next body above whose head may know, or None."""
    return _above(c, facts)


@guard("nobody-below")
def has_a_body_below(c: ClueRecord, actor: Who, facts: Facts) -> bool:
    """The door sends `below_org_id`: the next body below that manages all of the accused and whose head may know, or None."""
    return facts.get("below_org_id") is not None


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


@guard("result-reported", counter="result_reported")
def has_not_reported(c: ClueRecord, actor: Who, facts: Facts) -> bool:
    return not c.result_reported


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


def disposes(disposal: str) -> Guard:
    def ask(c: ClueRecord, actor: Who, facts: Facts) -> bool:
        return c.disposal == disposal

    ask.__name__ = f"disposal_is_{disposal}"
    return Guard(ask, "other-branch")
