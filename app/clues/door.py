"""The door of the clue track: every change of a clue's state passes `move`, for people and for the clock alike.

In one transaction: the row is locked, the chart decides, the event is appended with what was written sealed in it, and the
limits are computed anew from the events.
"""

import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from types import SimpleNamespace
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import select, text

from app import calendar_store, clock, outbox, timeline
from app.clues import store
from app.clues.models import Clue, ClueEventRow
from app.database import Rows, Target, insert_rows
from app.directory.codes import lineage_of
from app.errors import Problem, Unknown
from app.extensions import db
from app.ledger.statements import commitment, event_document
from app.sealing import DataKey
from notifications.catalogue import audiences
from workflows.actor import Actor
from workflows.base import NotAllowed
from workflows.clue import CLUE_EVENT_LABELS, TABLE, ClueEvent
from workflows.deadlines import CaseEvent, deadlines, next_forced

EVENTS = Target(ClueEventRow.__table__)
# What the petitioner is shown and told, each under the name that the catalogues have for it.
PUBLIC = {"accept": "clue_accept", "give_feedback": "clue_feedback"}
# Facts that are no one's words; everything else is sealed.
CODES = frozenset({"disposal", "outcome", "method", "handler_id", "account_id", "policy", "named", "real_name", "level", "gone", "came"})

# The nearest discipline body at a level or above it whose head may know: an excluded one is passed over, and so the clue
# goes up. Takes level, lineage (codes of the place and of what lies above) and excluded.
BODY = """
    SELECT o.id AS org_id, o.level, array_agg(a.account_id ORDER BY a.account_id) AS heads
      FROM organisations o JOIN appointments a ON a.org_id = o.id AND a.head
     CROSS JOIN (SELECT (mj_now() AT TIME ZONE 'Asia/Shanghai')::date AS day) today
     WHERE o.kind = 'discipline' AND o.active AND o.level <= {level} AND o.division_code = ANY(:lineage)
       AND o.id <> ALL({excluded}) AND a.valid_from <= today.day AND (a.valid_to IS NULL OR a.valid_to >= today.day)
       AND a.role IN ('township_discipline', 'county_discipline', 'upper_discipline')
       AND may_know(a.account_id, {excluded})
     GROUP BY o.id, o.level ORDER BY o.level DESC LIMIT 1
"""
# The nearest discipline body below a level that still stands above all of the accused and whose head may know.
BELOW = """
    SELECT o.id AS org_id, o.level FROM organisations o
     WHERE o.kind = 'discipline' AND o.active AND o.division_code = ANY(:lineage) AND o.id <> ALL({excluded})
       AND o.level > {level}
       AND o.level <= (SELECT coalesce(least(4, min(x.level) - 1), 4) FROM organisations x
                        WHERE x.id = ANY({excluded}) AND x.kind <> 'company')
       AND EXISTS (SELECT 1 FROM appointments a
                    CROSS JOIN (SELECT (mj_now() AT TIME ZONE 'Asia/Shanghai')::date AS day) today
                    WHERE a.org_id = o.id AND a.head AND a.valid_from <= today.day
                      AND (a.valid_to IS NULL OR a.valid_to >= today.day)
                      AND a.role IN ('township_discipline', 'county_discipline', 'upper_discipline')
                      AND may_know(a.account_id, {excluded}))
     ORDER BY o.level LIMIT 1
"""
CITY_BODY = BODY.format(level="2", excluded="CAST(:excluded AS uuid[])")
_SURROUNDINGS = text(
    f"""
    SELECT above.org_id, above.level, below.org_id AS below_org_id, below.level AS below_level,
           (SELECT json_agg(json_build_object('event', e.event, 'at', e.at, 'to_state', e.to_state, 'facts', e.facts)
                            ORDER BY e.seq) FROM clue_events e WHERE e.clue_id = :id) AS log, {store.KEY} AS key
      FROM (SELECT 1) one
      LEFT JOIN LATERAL ({BODY.format(level="CAST(:above AS integer)", excluded="CAST(:excluded AS uuid[])")}) above ON true
      LEFT JOIN LATERAL ({BELOW.format(level="CAST(:level AS integer)", excluded="CAST(:excluded AS uuid[])")}) below ON true
    """
)
# The clock holds no right to keys.
_OF_THE_CLOCK = text(_SURROUNDINGS.text.replace(store.KEY, "CAST(NULL AS json)"))


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a step needs to know beside the clue: its events, the bodies above and below, and the key when the actor may read."""

    log: list[CaseEvent]
    above_org_id: UUID | None
    above_level: int | None
    below_org_id: UUID | None
    below_level: int | None
    key: DataKey | None

    def facts(self, clue: Clue, actor: Actor) -> dict[str, Any]:
        """What the guards are told."""
        return {
            "on_list": self.key is not None,
            "recused": bool({actor.org_id, actor.person_id} & set(clue.excluded_ids)),
            "above_org_id": self.above_org_id,
            "above_level": self.above_level,
            "below_org_id": self.below_org_id,
            "below_level": self.below_level,
        }


def lock(clue_id: UUID, version: int | None = None, *, skip_locked: bool = False) -> Clue:
    """The clue, locked until the transaction ends. Raises Unknown (none that the actor may know of) and
    `precondition-failed` (412) when `version` is not the present one."""
    query = select(Clue).where(Clue.id == clue_id).with_for_update(skip_locked=skip_locked)
    clue: Clue | None = db.session.scalars(query.execution_options(populate_existing=True)).one_or_none()
    if clue is None:
        raise Unknown()
    if version is not None and clue.version != version:
        raise Problem("precondition-failed", status=412, current_version=clue.version)
    return clue


def look_around(clue: Clue, actor: Actor) -> Surroundings:
    """Read what a step needs to know, with one statement."""
    values = {
        "id": clue.id, "level": clue.level, "above": clue.level - 1, "excluded": clue.excluded_ids,
        "lineage": list(lineage_of(clue.division_code)),
    }  # fmt: skip
    row = db.session.execute(_OF_THE_CLOCK if actor.kind == "system" else _SURROUNDINGS, values).one()
    log = [
        CaseEvent(one["event"], datetime.fromisoformat(one["at"]), one["to_state"], one["facts"]) for one in row.log or []
    ]
    return Surroundings(log, row.org_id, row.level, row.below_org_id, row.below_level, store.key_of(clue.id, row.key))


def move(
    clue: Clue, event: str, actor: Actor, around: Surroundings, facts: Mapping[str, Any], besides: Rows | None = None
) -> None:
    """Send `event` to the chart of a locked clue and write down what follows. `besides`: rows that belong to the step.

    Raises WrongState (409), NotAllowed (403; also when words are to be written by somebody who may not read the clue) and
    MissingFact (422), and then changes nothing.
    """
    before = clue.state
    TABLE.send(clue, event, actor, **{**facts, **around.facts(clue, actor)})
    write(clue, event, actor, around, before, facts, besides)


def refuses(clue: Clue, event: str, actor: Actor, around: Surroundings, facts: Mapping[str, Any]) -> bool:
    """Whether `move` will refuse the actor this step, for another reason than a missing fact."""
    return TABLE.refusal(clue, event, actor, **{**facts, **around.facts(clue, actor)}) is not None


def write(
    clue: Clue, event: str, actor: Actor, around: Surroundings, before: str, facts: Mapping[str, Any], besides: Rows | None = None
) -> None:  # fmt: skip
    """Append an event to a locked clue, settle its limits, and tell petitioner and readers what is theirs to know."""
    clue.version += 1
    row = event_of(clue, event, actor, before, facts, around.key)
    settle(clue, [*around.log, CaseEvent(event, row["at"], clue.state, row["facts"])])
    # First what hangs on the clue, then the clue: who gives it away may not write to it afterwards.
    insert_rows({EVENTS: [row], outbox.MESSAGES: messages_about(event, clue, actor), **(besides or {})})
    db.session.flush()


def messages_about(event: str, clue: Clue, actor: Actor) -> list[dict[str, Any]]:
    """What the catalogue says of a step, as rows of the outbox. Who hears as a reader is decided when it is delivered; who
    took the step knows of it. Such a message carries neither petition nor serial number."""
    template = PUBLIC.get(event, f"clue_{event}")
    own = {"clue": str(clue.id), "by": str(actor.person_id or "")}
    return [
        outbox.prepared("petitioner", template, clue.petition_id, {"serial": clue.serial, "state": "sealed"})
        if audience == "petitioner"
        else outbox.prepared(audience, template, None, own)
        for audience in audiences(template)
    ]


def event_of(
    clue: Clue, event: str, actor: Actor, before: str | None, facts: Mapping[str, Any], key: DataKey | None
) -> dict[str, Any]:
    """One event of the current instant as a row of EVENTS: codes in clear, words in the box, and the commitment to both."""
    plain = timeline.plain({**facts, "named": clue.named, "real_name": clue.real_name})
    words = {name: value for name, value in plain.items() if name not in CODES}
    if words and key is None:
        raise NotAllowed(event, "not-on-the-list")
    row: dict[str, Any] = {
        "id": uuid4(), "clue_id": clue.id, "seq": clue.version, "at": clock.now(),
        "clock_offset_seconds": clock.offset_seconds.get(), "event": event, "from_state": before, "to_state": clue.state,
        "actor_kind": actor.kind, "actor_id": actor.person_id, "actor_role": str(actor.role), "org_id": actor.org_id,
        "public": event in PUBLIC, "facts": {name: value for name, value in plain.items() if name in CODES},
        "algorithm": None, "nonce": None, "ciphertext": None, "salt": secrets.token_bytes(timeline.SALT_BYTES),
    }  # fmt: skip
    if words and key is not None:
        row |= store.seal(key, clue.id, f"event {clue.version}", words)
    committed = SimpleNamespace(**{**row, "petition_id": clue.id, "facts": plain})
    row["commitment"] = commitment(row["salt"], event_document(committed, None))
    return row


def settle(clue: Clue, log: Iterable[CaseEvent]) -> None:
    """Copy onto the clue what its lists and the clock need of its limits."""
    calendar, limits = calendar_store.current_of_clues()
    running = [one for one in deadlines(log, limits, calendar) if one.live]
    clue.limits = [
        {
            "policy": one.policy_id, "name": one.policy.name_zh, "name_en": one.policy.name_en,
            "due_at": one.due_at.isoformat(), "due_on": one.due_day.isoformat() if one.due_day else None,
            "statutory": one.policy.statutory, "provisional": one.provisional,
        }
        for one in running
    ]  # fmt: skip
    step = next_forced(running)
    clue.next_due_at = step.due_at if step else None
    clue.next_policy = step.policy_id if step else None
    clue.next_event = step.forces if step else None


def actions_for(clue: Clue, actor: Actor, around: Surroundings) -> list[dict[str, str]]:
    """What the actor may do now, as name and labels: from the same table that `move` obeys."""
    names = TABLE.open_events(clue, actor, **around.facts(clue, actor))
    labels = [(name, CLUE_EVENT_LABELS[ClueEvent(name)]) for name in names]
    return [{"name": name, "label": label.zh, "label_en": label.en} for name, label in labels]
