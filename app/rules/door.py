"""The door of rules: every change of the state of a version passes `move`. The row is locked, the chart decides, the event is appended."""

from collections.abc import Mapping
from typing import Any
from uuid import uuid4

import orjson
from sqlalchemy import select

from app import clock
from app.database import Target, write_with_rows
from app.errors import Unknown
from app.extensions import db
from app.rules.models import RuleEventRow, RuleVersion
from workflows.actor import Actor
from workflows.base import NotAllowed
from workflows.rule import RULE_EVENT_LABELS, TABLE

EVENTS = Target(RuleEventRow.__table__)


def lock(code: str, version: int, event: str) -> RuleVersion:
    """The version, locked until the transaction ends. Raises Unknown (none that the actor may know of) and NotAllowed (another body's)."""
    wanted = select(RuleVersion).where(RuleVersion.code == code, RuleVersion.version == version)
    found = db.session.scalars(wanted.with_for_update()).one_or_none()
    if found is not None:
        return found
    if db.session.scalars(wanted).one_or_none() is None:
        raise Unknown
    raise NotAllowed(event, "another-bodys-rule")


def in_force(code: str) -> RuleVersion | None:
    """The version of a rule that is live, locked."""
    wanted = select(RuleVersion).where(RuleVersion.code == code, RuleVersion.state == "live")
    return db.session.scalars(wanted.with_for_update()).one_or_none()


def move(version: RuleVersion, event: str, actor: Actor, **facts: Any) -> None:
    """Send `event` to the chart of a locked version and write down what follows.

    Raises WrongState (409) and NotAllowed (403), and then changes nothing.
    """
    before = version.state
    TABLE.send(version, event, actor, **facts)
    now = version.changed_at = clock.now()
    if version.state == "live":
        version.live_at = now
    elif version.state == "retired":
        version.retired_at = now
    row = {
        "id": uuid4(), "version_id": version.id, "at": now, "event": event, "from_state": before, "to_state": version.state,
        "actor_id": actor.person_id, "actor_role": str(actor.role), "org_id": actor.org_id, "facts": _plain(facts),
    }  # fmt: skip
    write_with_rows(version, {EVENTS: [row]})


def actions_for(version: RuleVersion, actor: Actor) -> list[dict[str, str]]:
    """What the actor may do now, as name and labels: from the same table that `move` obeys."""
    labels = [(name, RULE_EVENT_LABELS[name]) for name in TABLE.open_events(version, actor)]
    return [{"name": name, "label": label.zh, "label_en": label.en} for name, label in labels]


def _plain(facts: Mapping[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = orjson.loads(orjson.dumps(dict(facts), default=str))
    return found
