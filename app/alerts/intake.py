"""Alerts that a source outside sends, one at a time, in its own name."""

from collections.abc import Mapping
from typing import Any

from flask import request

from app.alerts.folding import Hit, Raised, Subjects, outside_row, push_alert
from app.errors import Unauthorised

HEADER = "X-Source-Key"
KEY_HEADER = {
    "in": "header", "name": HEADER, "required": True, "schema": {"type": "string"},
    "description": "the key of the source; made by `flask alerts add-source`",
}  # fmt: skip


def key_of_request() -> str:
    """The key that came with the request. Raises Unauthorised `unknown-source` without one."""
    key = request.headers.get(HEADER)
    if not key:
        raise Unauthorised("unknown-source")
    return key


def receive_alert(draft: Mapping[str, Any], key: str) -> dict[str, str]:
    """Fold what a source sends: with the same rule and key it is the same alert, with the same rows it says nothing new, so that
    sending it again is harmless. Raises Unauthorised `unknown-source` and Problem `outside-source` (403)."""
    rule = Raised(
        draft["rule_code"], draft["rule_version"], draft["module"],
        {"name": {"zh": draft["rule_name"], "en": draft["rule_name"]}, "kind": "outside"},
    )  # fmt: skip
    hits = [
        Hit(
            draft["alert_key"], draft["place"], row["dataset"], outside_row(f"{draft['rule_code']}\0{row['dataset']}\0{row['reference']}"),
            draft["colour"], row["part"], draft["happened_on"], row["money_fen"], {"reference": row["reference"], **row["content"]},
        )
        for row in draft["evidence"]
    ]  # fmt: skip
    about = Subjects((), draft["companies"], draft["contracts"], draft["names"])
    return push_alert(key, rule, hits, about, draft["money_fen"])
