"""What the petition chart changes on its own record when it moves: counters, owner, level, lists of the past.

No input or output. A list is always assigned anew, never edited in place, so that the database sees the change.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from workflows.actor import Actor
from workflows.base import Effect, Facts, effect
from workflows.petition_guards import COUNTY, EXTERNAL

if TYPE_CHECKING:
    from workflows.petition_record import PetitionRecord

Who = Actor | None

COLOURS = (None, "blue", "yellow", "red")


def _colour(p: PetitionRecord, colour: str) -> None:
    """A card is only ever replaced by a graver one."""
    if COLOURS.index(colour) > COLOURS.index(p.colour):
        p.colour = colour


@effect()
def take_charge(p: PetitionRecord, actor: Who, facts: Facts) -> None:
    """The acting office becomes the body in charge; the system names one in the fact `owner_org_id`."""
    p.owner_org_id = facts.get("owner_org_id") or (actor.org_id if actor is not None else None) or p.owner_org_id


@effect()
def raise_priority(p: PetitionRecord, actor: Who, facts: Facts) -> None:
    p.priority = "P0"


@effect()
def join_parent(p: PetitionRecord, actor: Who, facts: Facts) -> None:
    p.merges += 1
    p.parent_id = facts["parent_id"]


@effect()
def leave_parent(p: PetitionRecord, actor: Who, facts: Facts) -> None:
    p.parent_id = None


@effect()
def share_answer(p: PetitionRecord, actor: Who, facts: Facts) -> None:
    """The parent's answer is this case's answer; who handled the parent is excluded from a second round here too."""
    p.main_org_id = facts["main_org_id"]
    p.main_handler_id = facts.get("main_handler_id")
    p.reply_author_id = facts.get("reply_author_id")
    p.answers += 1


@effect()
def give_out(p: PetitionRecord, actor: Who, facts: Facts) -> None:
    """A body that returned the case before and gets it again is thereby designated."""
    p.main_org_id = facts["main_org_id"]
    p.main_handler_id = None
    p.co_org_ids = list(dict.fromkeys(org for org in facts.get("co_org_ids") or () if org != p.main_org_id))
    p.co_waiting_org_ids = list(p.co_org_ids)
    p.designated = p.main_org_id in p.returned_org_ids


@effect()
def add_co_body(p: PetitionRecord, actor: Who, facts: Facts) -> None:
    p.co_org_ids = [*p.co_org_ids, facts["co_org_id"]]
    p.co_waiting_org_ids = [*p.co_waiting_org_ids, facts["co_org_id"]]


@effect()
def receive_co_report(p: PetitionRecord, actor: Any, facts: Facts) -> None:
    p.co_waiting_org_ids = [org for org in p.co_waiting_org_ids if org != actor.org_id]


@effect()
def take_in_hand(p: PetitionRecord, actor: Any, facts: Facts) -> None:
    p.main_handler_id = actor.person_id


@effect()
def sign_by_default(p: PetitionRecord, actor: Who, facts: Facts) -> None:
    _colour(p, "blue")


@effect()
def count_return(p: PetitionRecord, actor: Who, facts: Facts) -> None:
    p.returns += 1


@effect()
def take_back(p: PetitionRecord, actor: Who, facts: Facts) -> None:
    if p.main_org_id is not None:
        p.returned_org_ids = [*p.returned_org_ids, p.main_org_id]
    p.main_org_id = None
    p.main_handler_id = None
    p.co_org_ids = []
    p.co_waiting_org_ids = []


@effect()
def designate(p: PetitionRecord, actor: Who, facts: Facts) -> None:
    p.designated = True


@effect()
def ask_extension(p: PetitionRecord, actor: Any, facts: Facts) -> None:
    p.extension_requests += 1
    p.extension_requested_by = actor.person_id


@effect()
def grant_extension(p: PetitionRecord, actor: Who, facts: Facts) -> None:
    p.extension_days += facts["days"]
    p.extension_requested_by = None


@effect()
def drop_extension_request(p: PetitionRecord, actor: Who, facts: Facts) -> None:
    p.extension_requested_by = None


@effect()
def ask_suspension(p: PetitionRecord, actor: Any, facts: Facts) -> None:
    p.parked += 1
    p.suspended_requested_by = actor.person_id


@effect()
def grant_suspension(p: PetitionRecord, actor: Who, facts: Facts) -> None:
    p.suspension_days += facts["days"]
    p.suspended_requested_by = None


@effect()
def drop_suspension_request(p: PetitionRecord, actor: Who, facts: Facts) -> None:
    p.suspended_requested_by = None


@effect(resets={"extension_requested_by", "suspended_requested_by"})
def write_reply(p: PetitionRecord, actor: Any, facts: Facts) -> None:
    """A reply settles whatever was still being asked for."""
    p.extension_requested_by = None
    p.suspended_requested_by = None
    p.reply_author_id = actor.person_id
    p.main_handler_id = p.main_handler_id or actor.person_id


@effect()
def send_reply_back(p: PetitionRecord, actor: Who, facts: Facts) -> None:
    p.reply_returns += 1
    p.reply_author_id = None


@effect()
def count_answer(p: PetitionRecord, actor: Who, facts: Facts) -> None:
    p.answers += 1


@effect()
def count_rating_change(p: PetitionRecord, actor: Who, facts: Facts) -> None:
    p.rating_changes += 1


@effect()
def count_dissatisfied(p: PetitionRecord, actor: Who, facts: Facts) -> None:
    p.dissatisfied += 1
    p.supervised = True


def _raise_to(p: PetitionRecord, level: int, facts: Facts) -> None:
    """A case that goes up leaves its body in charge; the door names the new one in the fact `owner_org_id`."""
    p.level = max(EXTERNAL, level)
    p.owner_org_id = facts.get("owner_org_id")
    p.extension_requested_by = None
    p.suspended_requested_by = None


@effect(raises=True, resets={"extension_requested_by", "suspended_requested_by"})
def go_up(p: PetitionRecord, actor: Who, facts: Facts) -> None:
    _raise_to(p, p.level - 1, facts)


@effect(raises=True, resets={"extension_requested_by", "suspended_requested_by"})
def go_up_to_county(p: PetitionRecord, actor: Who, facts: Facts) -> None:
    """One level up, and at least to the county, with a red card."""
    _raise_to(p, min(p.level - 1, COUNTY), facts)
    _colour(p, "red")


@effect()
def mark_overdue(p: PetitionRecord, actor: Who, facts: Facts) -> None:
    p.supervised = True
    _colour(p, "red")


@effect()
def count_review(p: PetitionRecord, actor: Who, facts: Facts) -> None:
    p.reviews += 1


@effect()
def count_recheck(p: PetitionRecord, actor: Who, facts: Facts) -> None:
    p.rechecks += 1


@effect()
def count_recusal(p: PetitionRecord, actor: Who, facts: Facts) -> None:
    p.recusals += 1


@effect()
def count_urging(p: PetitionRecord, actor: Who, facts: Facts) -> None:
    p.urgings += 1


# A new body starts with clean counters, and a new answer can be reviewed anew (Arts 35 and 36).
FRESH_ROUND: dict[str, Any] = {
    "extension_days": 0,
    "extension_requests": 0,
    "extension_requested_by": None,
    "suspension_days": 0,
    "suspended_requested_by": None,
    "parked": 0,
    "reply_returns": 0,
    "rating_changes": 0,
    "reviews": 0,
    "rechecks": 0,
    "reply_author_id": None,
    "main_handler_id": None,
}


LEFT_BODY: dict[str, Any] = {**FRESH_ROUND, "main_org_id": None, "designated": False}


@effect(resets={*LEFT_BODY, "co_org_ids", "co_waiting_org_ids"})
def leave_body(p: PetitionRecord, actor: Who, facts: Facts) -> None:
    """The body that must withdraw loses the case, and the next one starts with clean counters; the deadlines, which are
    read from the timeline, keep every extension and every pause."""
    for name, value in LEFT_BODY.items():
        setattr(p, name, value)
    p.co_org_ids = []
    p.co_waiting_org_ids = []


def _new_round(p: PetitionRecord, actor: Who, facts: Facts) -> None:
    """Body and persons of the last round join the past; the new body begins."""
    persons = dict.fromkeys(who for who in (p.main_handler_id, p.reply_author_id) if who is not None)
    p.past_handler_ids = [*p.past_handler_ids, *(who for who in persons if who not in p.past_handler_ids)]
    if p.main_org_id is not None and p.main_org_id not in p.past_org_ids:
        p.past_org_ids = [*p.past_org_ids, p.main_org_id]
    p.round += 1
    for name, value in FRESH_ROUND.items():
        setattr(p, name, value)
    give_out.do(p, actor, facts)
    take_charge.do(p, actor, facts)


begin_new_round = Effect(_new_round, resets={*FRESH_ROUND, "co_waiting_org_ids", "co_org_ids", "main_org_id"})
