"""The door of alerts: every change of an alert's state passes `move`, for people and for the clock alike.

In one transaction: the row is locked, the chart decides, the event is appended, the limits are computed anew from the events,
and messages go to the outbox.
"""

import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import bindparam, select, text

from app import calendar_store, clock, outbox, timeline
from app.alerts.models import Alert, AlertEventRow
from app.database import Rows, Target, insert_rows
from app.directory.codes import lineage_of
from app.errors import Problem, Unknown
from app.extensions import db
from app.ledger.statements import commitment, event_document
from notifications.catalogue import audiences
from workflows.actor import Actor
from workflows.alert import ALERT_EVENT_LABELS, TABLE, AlertEvent, clock_facts
from workflows.deadlines import CaseEvent, deadlines, next_forced

EVENTS = Target(AlertEventRow.__table__)
CLOSED = frozenset({"resolved", "rated", "closed", "ended"})
# The first event of every alert, which no transition sends.
FIRST = "file"

# The first body of a chain of kinds and levels that has somebody who may know: takes lineage (codes of the place and of what lies
# above), kinds and levels (the chain, best first), bodies and accounts (excluded).
BODY = """
    SELECT o.id AS org_id, o.level FROM unnest(CAST(:kinds AS text[]), CAST(:levels AS integer[])) WITH ORDINALITY AS c(kind, level, n)
      JOIN organisations o ON o.kind = c.kind AND o.level = c.level
     WHERE o.active AND o.division_code = ANY(:lineage) AND o.id <> ALL(CAST(:bodies AS uuid[]))
       AND EXISTS (SELECT 1 FROM appointments a JOIN staff_accounts s ON s.id = a.account_id
                    CROSS JOIN (SELECT (mj_now() AT TIME ZONE 'Asia/Shanghai')::date AS day) today
                    WHERE a.org_id = o.id AND a.account_id <> ALL(CAST(:accounts AS uuid[])) AND a.valid_from <= today.day
                      AND (a.valid_to IS NULL OR a.valid_to >= today.day) AND (s.left_on IS NULL OR s.left_on > today.day))
     ORDER BY c.n, o.name LIMIT 1
"""
_SURROUNDINGS = text(
    f"""
    SELECT above.org_id, above.level,
           (SELECT json_agg(json_build_object('event', e.event, 'at', e.at, 'to_state', e.to_state, 'facts', e.facts) ORDER BY e.seq)
              FROM alert_events e WHERE e.alert_id = :id) AS log
      FROM (SELECT 1) one LEFT JOIN LATERAL ({BODY}) above ON true
    """
)
_LOCKED = {
    skip: select(Alert).where(Alert.id == bindparam("alert_id")).with_for_update(skip_locked=skip)
    .execution_options(populate_existing=True)
    for skip in (False, True)
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a step needs to know beside the alert: its events, and the body above that may know."""

    log: list[CaseEvent]
    above_org_id: UUID | None
    above_level: int | None

    def facts(self, alert: Alert, actor: Actor) -> dict[str, Any]:
        """What the guards are told."""
        return {
            "recused": actor.kind == "staff"
            and (actor.org_id in alert.excluded_org_ids and actor.org_id != alert.unit_org_id or actor.person_id in alert.excluded_account_ids),
            "today": clock.today(),
            "above_org_id": self.above_org_id,
            "above_level": self.above_level,
            "excluded_org_ids": alert.excluded_org_ids,
            "excluded_person_ids": alert.excluded_account_ids,
        }  # fmt: skip


def lock(alert_id: UUID, version: int | None = None, *, skip_locked: bool = False) -> Alert:
    """The alert, locked until the transaction ends. Raises Unknown (none that the actor may know of) and
    `precondition-failed` (412) when `version` is not the present one."""
    alert: Alert | None = db.session.scalars(_LOCKED[skip_locked], {"alert_id": alert_id}).one_or_none()
    if alert is None:
        raise Unknown()
    if version is not None and alert.version != version:
        raise Problem("precondition-failed", status=412, current_version=alert.version)
    return alert


def look_around(alert: Alert) -> Surroundings:
    """Read what a step needs to know, with one statement. The body above is a discipline body."""
    above = list(range(alert.level - 1, 0, -1))
    values = {"id": alert.id, "kinds": ["discipline"] * len(above), "levels": above, **around(alert)}
    row = db.session.execute(_SURROUNDINGS, values).one()
    log = [
        CaseEvent(one["event"], datetime.fromisoformat(one["at"]), one["to_state"], one["facts"]) for one in row.log or []
    ]
    return Surroundings(log, row.org_id, row.level)


def around(alert: Alert) -> dict[str, Any]:
    """The parameters of BODY that stand on the alert."""
    return {
        "lineage": list(lineage_of(alert.place)), "bodies": alert.excluded_org_ids, "accounts": alert.excluded_account_ids,
    }  # fmt: skip


def move(
    alert: Alert, event: str, actor: Actor, around: Surroundings, facts: Mapping[str, Any], besides: Rows | None = None
) -> None:
    """Send `event` to the chart of a locked alert and write down what follows. `besides`: rows that belong to the step.

    Raises WrongState (409), NotAllowed (403) and MissingFact (422), and then changes nothing.
    """
    before = alert.state
    TABLE.send(alert, event, actor, **{**facts, **around.facts(alert, actor)})
    if alert.state in CLOSED and alert.closed_at is None:
        alert.closed_at = clock.now()
    elif alert.state not in CLOSED:
        alert.closed_at = None
    write(alert, event, actor, around, before, facts, besides)


def write(
    alert: Alert, event: str, actor: Actor, around: Surroundings, before: str | None, facts: Mapping[str, Any],
    besides: Rows | None = None,
) -> None:  # fmt: skip
    """Append an event to a locked alert, settle its limits, and tell whoever hears of it."""
    alert.version += 1
    row = _event_of(alert, event, actor, before, facts)
    settle(alert, [*around.log, CaseEvent(event, row["at"], alert.state, row["facts"])])
    insert_rows({EVENTS: [row], outbox.MESSAGES: messages_about(event, alert, actor), **(besides or {})})
    db.session.flush()


def messages_about(event: str, alert: Alert, actor: Actor) -> list[dict[str, Any]]:
    """What the catalogue says of a step, as rows of the outbox. A message carries the number of the alert and its limit alone."""
    template = f"alert_{event}"
    params = {
        "serial": alert.serial, "state": alert.state, "due": alert.next_due_at.isoformat() if alert.next_due_at else None,
        "alert": str(alert.id), "by": str(actor.person_id or ""),
    }  # fmt: skip
    return [outbox.prepared(audience, template, None, params) for audience in audiences(template)]


def settle(alert: Alert, log: Iterable[CaseEvent]) -> None:
    """Copy onto the alert what its lists and the clock need of its limits."""
    calendar, limits = calendar_store.current_of_alerts()
    running = [one for one in deadlines(log, limits, calendar) if one.live]
    alert.limits = [
        {
            "policy": one.policy_id, "name": one.policy.name_zh, "name_en": one.policy.name_en,
            "due_at": one.due_at.isoformat(), "due_on": one.due_day.isoformat() if one.due_day else None,
            "statutory": one.policy.statutory, "provisional": one.provisional,
        }
        for one in running
    ]  # fmt: skip
    step = next_forced(running)
    alert.next_due_at = step.due_at if step else None
    alert.next_policy = step.policy_id if step else None
    alert.next_event = step.forces if step else None


def actions_for(alert: Alert, actor: Actor, around: Surroundings) -> list[dict[str, str]]:
    """What the actor may do now, as name and labels: from the same table that `move` obeys."""
    names = TABLE.open_events(alert, actor, **around.facts(alert, actor))
    labels = [(name, ALERT_EVENT_LABELS[AlertEvent(name)]) for name in names]
    return [{"name": name, "label": label.zh, "label_en": label.en} for name, label in labels]


def _event_of(alert: Alert, event: str, actor: Actor, before: str | None, facts: Mapping[str, Any]) -> dict[str, Any]:
    told = timeline.plain({**facts, **clock_facts(alert, event, clock.today())})
    row: dict[str, Any] = {
        "id": uuid4(), "alert_id": alert.id, "petition_id": alert.id, "seq": alert.version, "at": clock.now(),
        "clock_offset_seconds": clock.offset_seconds.get(), "event": event, "from_state": before, "to_state": alert.state,
        "actor_kind": actor.kind, "actor_id": actor.person_id, "actor_role": str(actor.role), "org_id": actor.org_id,
        "facts": told, "salt": secrets.token_bytes(timeline.SALT_BYTES),
    }  # fmt: skip
    row["commitment"] = commitment(row["salt"], event_document(_Committed(row), None))
    del row["petition_id"]
    return row


class _Committed:
    """A row as the ledger reads an event: the case is the alert."""

    def __init__(self, row: Mapping[str, Any]):
        self.__dict__.update(row)
