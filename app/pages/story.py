"""A case as its petitioner reads it: what runs, what was answered, every pause with its reason, what happened when."""

from collections.abc import Mapping
from typing import Any

from flask import current_app

from app.pages.text import days_until, known, last_day_of, pick
from workflows.petition import TABLE, PetitionState
from workflows.petition_record import IN_CHARGE

# 信访事项网上办理工作规程: each opinion and notice with its date.
_ANSWERS = (
    "deliver", "follow_parent", "reject", "redirect", "explain", "give_review_opinion", "give_recheck_opinion",
    "record_external_end", "mediate", "clue_feedback",
)  # fmt: skip
_ANSWER_PARTS = ("findings", "legal_basis", "opinion", "agreement", "reason", "note", "feedback")
_SPANS = {
    "approve_extension": "case.extended", "approve_suspension": "case.paused", "hold_hearing": "case.heard",
}  # fmt: skip
_PAUSES = ("approve_extension", "approve_suspension", "resume", "resume_expired", "hold_hearing")
# A right of the petitioner is shown with its last day only while it can be used.
_USES = {"PT-07": {"ask_review"}, "PT-09": {"ask_recheck"}, "PT-13": {"rate", "change_rating"}}
_RATINGS = ("rate", "change_rating")
_ROUTINGS = ("dispatch", "rehandle", "reopen")


def readable(view: Mapping[str, Any]) -> dict[str, Any]:
    """The values of the template case.html, from a case view of app.petitions.reading."""
    timeline = view["timeline"]
    actions = {one["name"] for one in view["allowed_actions"]}
    last_routing = max((n for n, one in enumerate(timeline) if one["event"] in _ROUTINGS), default=-1)
    return {
        "case": view,
        "holder": _holder(view),
        "record": known("record.how", view["channel"]) if view["confirmed_at"] is None else None,
        "disputed": any(one["event"] == "dispute_record" for one in timeline),
        "takes_files": view["state"] not in TABLE.finals,
        "actions": actions,
        "offers": actions - {"withdraw"},
        "running": promises(
            [one for one in view["promises"] if one["policy"] not in _USES or _USES[one["policy"]] & actions]
        ),
        "pauses": [_pause(one) for one in timeline if _is_pause(one)],
        "answers": [_answer(one) for one in timeline if one["event"] in _ANSWERS],
        "ratings": [{"at": one["at"], **one["facts"]} for one in timeline if one["event"] in _RATINGS],
        "timeline": [
            {
                "at": one["at"],
                "words": known("event", one["event"]) or pick((one["label"], one["label_en"])),
                # Only the latest target is known by name where the case view gives none for the event itself.
                "to": one.get("to_body") or (view["main_body"] if n == last_routing else None),
                # Why the urgency was corrected; other reasons stand with the answer or the pause that they explain.
                "reason": one["facts"].get("reason") if one["event"] == "register" else None,
                # A hearing is held with the petitioner, who may read what was written down of it.
                "minutes": one["facts"].get("minutes") if one["event"] == "hold_hearing" else None,
            }
            for n, one in enumerate(timeline)
        ],
        "money": {name: f"{fen // 100:,}.{fen % 100:02d}" for name, fen in view["money"].items()}
        if any(view["money"].values())
        else None,
    }


def promises(given: list[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The dates that mean something to the petitioner, in plain words; clocks inside an office have none and are left out."""
    return [_promise(one) for one in given if known("deadline", one["policy"])]


def _promise(one: Mapping[str, Any]) -> dict[str, Any]:
    on = one["due_on"] or last_day_of(one["due_at"])
    return {
        "what": known("deadline", one["policy"]),
        "on": on,
        "left": days_until(on),
        "provisional": one["provisional"],
    }


def _holder(view: Mapping[str, Any]) -> str | None:
    """The body that has the case now; the authority above the province is no organisation of ours."""
    if view["state"] == PetitionState.EXTERNAL:
        name: str = current_app.config["SETTINGS"].external_authority
        return name
    in_charge, handler = view["owner"], view["main_body"]
    return in_charge if view["state"] in IN_CHARGE else handler or in_charge


def _is_pause(one: Mapping[str, Any]) -> bool:
    # Only the clock of a re-review stands still for a hearing (信访工作条例 Art 36).
    return one["event"] in _PAUSES and (one["event"] != "hold_hearing" or one["to_state"] == PetitionState.RECHECKING)


def _pause(one: Mapping[str, Any]) -> dict[str, Any]:
    facts = one["facts"]
    reasons = [known("reason", facts.get("reason_code")), facts.get("reason"), facts.get("plan")]
    return {
        "at": one["at"],
        "event": one["event"],
        "days": facts.get("days"),
        "words": _SPANS.get(one["event"]),
        "reason": "\n".join(reason for reason in reasons if reason),
    }


def _answer(one: Mapping[str, Any]) -> dict[str, Any]:
    facts = one["facts"]
    code = facts.get("reason_code") or facts.get("route_code")
    return {
        "at": one["at"],
        "event": one["event"],
        "outcome": known("outcome", facts.get("outcome")) or known("reason", code),
        "parts": [(f"case.{name}", facts[name]) for name in _ANSWER_PARTS if facts.get(name)],
    }
