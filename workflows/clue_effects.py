"""What changes on a clue with a step."""

from __future__ import annotations

from typing import Any

from workflows.actor import Actor
from workflows.base import Facts, effect

Who = Actor | None


@effect(raises=True)
def go_up(c: Any, actor: Who, facts: Facts) -> None:
    c.level = facts.get("above_level") or c.level - 1
    c.org_id = facts.get("above_org_id")


@effect()
def go_down(c: Any, actor: Who, facts: Facts) -> None:
    c.level, c.org_id = facts["below_level"], facts["below_org_id"]
    c.transfers += 1


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
    """Everything that was found is found anew; what was before stands in the timeline."""
    c.takes += 1
    c.disposal = c.proposer_id = c.outcome = None
    c.false_accusation = c.false_proposer_id = c.clarification = c.clarification_proposer_id = None
    c.result_reported = False


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
def note_report(c: Any, actor: Who, facts: Facts) -> None:
    c.result_reported = True


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
