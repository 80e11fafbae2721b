"""What changes on an alert with a step. A list is assigned anew, never edited in place, so that the database sees the change."""

from __future__ import annotations

from typing import Any

from workflows.actor import Actor
from workflows.alert_record import COLOURS, MAY_FOLLOW
from workflows.base import Effect, Facts, effect

Who = Actor | None

# A body that begins the check anew asks anew; what was before stands in the timeline.
_OF_A_CHECK = {
    "explanations": 0, "findings_by": None, "findings_returns": 0, "clearances": 0, "extensions": 0, "extension_by": None,
    "clearance_by": None, "clearance_reason": None, "clearance_scope": None, "clearance_until": None,
    "clearance_live": False, "papers_due": False, "sampled": False, "decided_by": None, "resolution": None,
    "verdict": None, "verdict_by": None, "disposed": False, "proof_by": None, "unexplained": False,
}  # fmt: skip


def _forget_check(a: Any) -> None:
    for name, value in _OF_A_CHECK.items():
        setattr(a, name, value)


@effect(raises=True)
def go_up(a: Any, actor: Who, facts: Facts) -> None:
    """The door sends the body above, `above_org_id`, and its level: a county may have no townships."""
    a.level = min(facts.get("above_level") or a.level - 1, a.level - 1)
    a.org_id = facts.get("above_org_id")


@effect()
def leave(a: Any, actor: Who, facts: Facts) -> None:
    """Nobody here is in charge any more; a suspension that nobody watches falls."""
    a.org_id = None
    a.freeze = "lapsed" if a.freeze in ("requested", "confirmed") else a.freeze


@effect()
def mark_overdue(a: Any, actor: Who, facts: Facts) -> None:
    a.overdue = True


@effect(resets=_OF_A_CHECK)
def begin_anew(a: Any, actor: Who, facts: Facts) -> None:
    _forget_check(a)
    a.checker_ids = []


@effect()
def hold(a: Any, actor: Who, facts: Facts) -> None:
    a.flood = facts["reason_code"] == "flood"


@effect()
def join_parent(a: Any, actor: Who, facts: Facts) -> None:
    a.parent_id = facts["parent_id"]


@effect(resets={"flood"})
def give_out(a: Any, actor: Who, facts: Facts) -> None:
    """To the body that the facts name, else to the one that stands on the record since the alert was generated."""
    a.org_id = facts.get("org_id") or a.org_id
    a.level = facts.get("level") or a.level
    a.flood = False


@effect()
def raise_colour(a: Any, actor: Who, facts: Facts) -> None:
    """More evidence makes an alert graver, never lighter."""
    colour = facts.get("colour", a.colour)
    if colour in COLOURS and COLOURS.index(colour) < COLOURS.index(a.colour):
        a.colour = colour


@effect()
def push_again(a: Any, actor: Who, facts: Facts) -> None:
    """What became graver goes to whoever takes alerts of that colour, never further down than it is."""
    a.org_id = facts.get("org_id") or a.org_id
    a.level = min(facts.get("level") or a.level, a.level)


@effect()
def take_charge(a: Any, actor: Any, facts: Facts) -> None:
    """The acting body, at the level in charge or above it, is in charge from now on."""
    a.org_id, a.level = actor.org_id, min(a.level, actor.org_level)


@effect()
def return_to_province(a: Any, actor: Any, facts: Facts) -> None:
    a.org_id, a.level = actor.org_id, actor.org_level


@effect()
def name_checkers(a: Any, actor: Who, facts: Facts) -> None:
    a.checker_ids = list(dict.fromkeys(facts["checker_ids"]))


@effect()
def dismiss_checkers(a: Any, actor: Who, facts: Facts) -> None:
    a.checker_ids = []


def _count(counter: str) -> Effect:
    def do(a: Any, actor: Who, facts: Facts) -> None:
        setattr(a, counter, getattr(a, counter) + 1)

    do.__name__ = f"count_{counter}"
    return Effect(do)


count_assignment, count_explanation, count_freeze = _count("assignments"), _count("explanations"), _count("freezes")
count_extension, count_clearance = _count("extensions"), _count("clearances")
count_findings_return, count_take_back = _count("findings_returns"), _count("take_backs")
count_proof_return, count_stage = _count("proof_returns"), _count("stages")
count_verdict_change, count_reopening, count_urging = _count("verdict_changes"), _count("reopenings"), _count("urgings")


@effect()
def note_no_explanation(a: Any, actor: Who, facts: Facts) -> None:
    a.unexplained = True


@effect()
def ask_freeze(a: Any, actor: Any, facts: Facts) -> None:
    a.freeze, a.freeze_by = "requested", actor.person_id


def _freeze(value: str) -> Effect:
    def do(a: Any, actor: Who, facts: Facts) -> None:
        a.freeze = value

    do.__name__ = f"freeze_{value}"
    return Effect(do)


confirm_freeze, lift_freeze, lapse_freeze = _freeze("confirmed"), _freeze("lifted"), _freeze("lapsed")


@effect()
def end_freeze(a: Any, actor: Who, facts: Facts) -> None:
    """A suspension serves the check; it does not outlive it."""
    a.freeze = "lifted" if a.freeze in ("requested", "confirmed") else a.freeze


@effect()
def ask_extension(a: Any, actor: Any, facts: Facts) -> None:
    a.extension_by = actor.person_id


@effect(resets={"extension_by"})
def decide_extension(a: Any, actor: Who, facts: Facts) -> None:
    a.extension_by = None


@effect(resets={"findings_by", "extension_by"})
def ask_clearance(a: Any, actor: Any, facts: Facts) -> None:
    reason = facts["reason_code"]
    a.clearance_by, a.clearance_reason, a.clearance_scope = actor.person_id, reason, facts["scope"]
    a.clearance_until = facts.get("until")
    a.papers_due = not MAY_FOLLOW.get(reason, frozenset()) <= set(facts["papers"])
    a.findings_by = a.extension_by = None


@effect(resets={"clearance_by", "clearance_reason", "clearance_scope", "clearance_until", "papers_due"})
def drop_clearance(a: Any, actor: Who, facts: Facts) -> None:
    """Nothing was cleared: colour and check stay as they were."""
    a.clearance_by = a.clearance_reason = a.clearance_scope = a.clearance_until = None
    a.papers_due = False


@effect(resets={"resolution", "decided_by", "clearance_live", "sampled"})
def clear(a: Any, actor: Any, facts: Facts) -> None:
    """`sampled`: the door drew this one for a blind re-examination, one in twenty."""
    a.resolution, a.decided_by = "cleared", actor.person_id
    a.clearance_live, a.sampled = True, bool(facts.get("sampled"))


@effect(resets={"papers_due"})
def settle_papers(a: Any, actor: Who, facts: Facts) -> None:
    a.papers_due = False


@effect(resets={"clearance_live"})
def end_clearance(a: Any, actor: Who, facts: Facts) -> None:
    """Hits within its scope are alerts again; what was cleared stays cleared."""
    a.clearance_live = False


@effect(
    resets={
        *("clearance_by", "clearance_reason", "clearance_scope", "clearance_until", "papers_due", "clearance_live"),
        *("sampled", "resolution", "decided_by", "verdict", "verdict_by", "findings_by"),
    }
)
def unclear(a: Any, actor: Who, facts: Facts) -> None:
    """The clearance is void, and with it the verdict; how often one was asked for still counts."""
    a.clearance_by = a.clearance_reason = a.clearance_scope = a.clearance_until = None
    a.papers_due = a.clearance_live = a.sampled = False
    a.resolution = a.decided_by = a.verdict = a.verdict_by = a.findings_by = None


@effect(resets={"extension_by"})
def report_findings(a: Any, actor: Any, facts: Facts) -> None:
    a.findings_by, a.extension_by = actor.person_id, None


@effect(resets={"findings_by"})
def drop_findings(a: Any, actor: Who, facts: Facts) -> None:
    a.findings_by = None


@effect(resets={"disposed"})
def dispose(a: Any, actor: Who, facts: Facts) -> None:
    a.disposed = True


@effect(resets={"proof_by"})
def submit_proof(a: Any, actor: Any, facts: Facts) -> None:
    a.proof_by = actor.person_id


@effect()
def step_down(a: Any, actor: Who, facts: Facts) -> None:
    """The one way down for a colour: what was rectified was accepted."""
    palette = facts.get("palette") or ("red", "yellow", "blue")
    lighter = [colour for colour in palette if COLOURS.index(colour) > COLOURS.index(a.colour)]
    a.colour = min(lighter, key=COLOURS.index, default=a.colour)


@effect(resets={"resolution", "decided_by"})
def strike_off(a: Any, actor: Any, facts: Facts) -> None:
    a.resolution, a.decided_by = "disposed", actor.person_id


@effect(resets={"resolution", "decided_by"})
def withdraw(a: Any, actor: Any, facts: Facts) -> None:
    a.resolution, a.decided_by = "withdrawn", actor.person_id


@effect(resets={"resolution"})
def follow(a: Any, actor: Who, facts: Facts) -> None:
    a.resolution = "followed"


@effect(resets={"verdict", "verdict_by"})
def note_verdict(a: Any, actor: Any, facts: Facts) -> None:
    a.verdict, a.verdict_by = facts["verdict"], actor.person_id


@effect(resets={"verdict", "verdict_by"})
def note_no_verdict(a: Any, actor: Who, facts: Facts) -> None:
    """F: nobody judged it. It counts neither for the rule nor against it."""
    a.verdict, a.verdict_by = "F", None


@effect(resets={"sampled"})
def end_sample(a: Any, actor: Who, facts: Facts) -> None:
    a.sampled = False
