"""How an accusation becomes a clue: its words move into the sealed store, and the petition keeps a stub."""

from typing import Any, Protocol
from uuid import uuid4

import orjson
from sqlalchemy import Connection, text
from sqlalchemy.orm.attributes import set_committed_value

from app import clock
from app.auth import Identity
from app.clues import door, store
from app.clues.models import Clue
from app.directory.codes import lineage_of
from app.errors import Conflict
from app.extensions import db
from app.sealing import DataKey
from app.text import catalogue
from workflows.actor import SYSTEM_ACTOR, Actor
from workflows.deadlines import CaseEvent

# What was written on the petition so far, who is excluded, and which body takes it: the one at the level that manages the
# highest of the accused bodies (one above it; for a village its township), else the nearest above whose head may know.
_GATHER = text(
    f"""
    WITH RECURSIVE accused AS (
      SELECT id FROM organisations WHERE id = ANY(:accused)
      UNION SELECT o.id FROM organisations o JOIN accused a ON o.parent_id = a.id
    ), excluded AS (SELECT coalesce(array_agg(id), '{{}}') || CAST(:withheld AS uuid[]) AS ids FROM accused),
    managing AS (SELECT coalesce(least(4, min(level) - 1), 4) AS level FROM organisations
                  WHERE id = ANY(:accused) AND kind <> 'company')
    SELECT body.org_id, body.level, body.heads, excluded.ids AS excluded,
           (SELECT json_agg(json_build_object('seq', e.seq, 'event', e.event, 'facts', e.facts, 'salt', encode(e.salt, 'hex'))
                            ORDER BY e.seq) FROM petition_events e WHERE e.petition_id = :id) AS events,
           (SELECT json_agg(json_build_object('at', m.at, 'from_petitioner', m.author_kind = 'petitioner', 'body', m.body)
                            ORDER BY m.at) FROM case_messages m WHERE m.petition_id = :id) AS messages,
           (SELECT json_agg(m.minutes ORDER BY m.held_at) FROM meetings m WHERE m.petition_id = :id) AS minutes,
           (SELECT json_agg(m.note ORDER BY m.recorded_at) FROM money_entries m WHERE m.petition_id = :id) AS notes,
           (SELECT json_agg(json_build_array(o.reason, o.answer) ORDER BY o.issued_at)
              FROM supervision_orders o WHERE o.petition_id = :id) AS orders
      FROM excluded CROSS JOIN managing
      LEFT JOIN LATERAL ({door.BODY.format(level="managing.level", excluded="excluded.ids")}) body ON true
    """
)
_OPEN = text(
    """
    WITH told AS (INSERT INTO outbox SELECT * FROM jsonb_populate_recordset(CAST(NULL AS outbox), CAST(:told AS jsonb)))
    SELECT open_clue(CAST(:given AS jsonb), :stub)
    """
)
_SEALED_BEFORE = text(
    """
    SELECT p.id, p.serial, p.division_code, p.title, p.body, p.category, p.accused, p.accused_org_ids, p.excluded_org_ids,
           p.excluded_account_ids, p.claimed_fen, p.way,
           (SELECT o.level FROM petition_events e JOIN organisations o ON o.id = e.org_id
             WHERE e.petition_id = p.id AND e.event = 'route_to_discipline' ORDER BY e.seq DESC LIMIT 1) AS router_level
      FROM petitions p
     WHERE p.state = 'sealed' AND p.body <> '' AND NOT EXISTS (SELECT 1 FROM clues c WHERE c.petition_id = p.id)
     ORDER BY p.filed_at, p.id
    """
)
_COLUMNS = tuple(column.key for column in Clue.__table__.columns)


class Sealable(Protocol):
    """What the opening of a clue takes from a petition."""

    id: Any
    serial: Any
    division_code: Any
    title: Any
    body: Any
    category: Any
    accused: Any
    accused_org_ids: Any
    excluded_org_ids: Any
    excluded_account_ids: Any
    claimed_fen: Any
    way: Any


def seal_petition(petition: Sealable, who: Identity) -> None:
    """Make a clue of a petition that was just routed to discipline, and overwrite what it says in the general tables.

    Its first readers are the heads of the body that takes it. A superior's matter, one of a level above who routes it, goes
    straight up to that body and waits there to be received. Raises Conflict `no-body-for-clue` when nobody in this system
    may take it: then nothing is routed, and it is handed over on paper.
    """
    found = _gather(db.session, petition)
    if found.org_id is None:
        raise Conflict("no-body-for-clue")
    clue = _clue_of(petition, found, who.actor.org_level)
    key, key_row = store.new_key(clue.id)
    event = door.event_of(clue, "open", who.actor, None, {"level": clue.level}, key)
    door.settle(clue, [CaseEvent("open", event["at"], clue.state, event["facts"])])
    stub = _open(db.session, petition, found, clue, key, key_row, event, who.actor)
    for name, value in (("title", stub), ("body", ""), ("accused", []), ("claimed_fen", None), ("category", "other")):
        # The row was changed by the database; the session only learns of it.
        set_committed_value(petition, name, value)


def adopt_sealed_petitions(connection: Connection) -> tuple[int, int]:
    """Make clues of petitions that were sealed before there were clues; how many became one, and how many nobody may take.

    For the migration, as the owner of the tables, in its transaction. The clue begins on the day of it. Its clocks are computed
    by the worker's first look, because the calendar is not at hand here.
    """
    connection.execute(text("SELECT set_config('mj.kind', 'staff', true)"))
    clock.offset_seconds.set(connection.execute(text("SELECT seconds FROM clock_offset")).scalar() or 0)
    done = left = 0
    for petition in connection.execute(_SEALED_BEFORE).all():
        found = _gather(connection, petition)
        if found.org_id is None:
            left += 1
            continue
        clue = _clue_of(petition, found, petition.router_level)
        key, key_row = store.new_key(clue.id)
        event = door.event_of(clue, "open", SYSTEM_ACTOR, None, {"level": clue.level}, key)
        clue.limits, clue.next_due_at, clue.next_policy, clue.next_event = [], clock.now(), "AC-01", "rise"
        _open(connection, petition, found, clue, key, key_row, event, SYSTEM_ACTOR)
        done += 1
    return done, left


def _gather(connection: Any, petition: Sealable) -> Any:
    return connection.execute(
        _GATHER,
        {
            "id": petition.id, "accused": [*petition.accused_org_ids, *petition.excluded_org_ids],
            "withheld": petition.excluded_account_ids, "lineage": list(lineage_of(petition.division_code)),
        },
    ).one()  # fmt: skip


def _clue_of(petition: Sealable, found: Any, router_level: int | None) -> Clue:
    superior = router_level is not None and found.level < router_level
    reachable = not any(one["facts"].get("unreachable") for one in found.events)
    return Clue(
        id=uuid4(), petition_id=petition.id, serial=petition.serial, division_code=petition.division_code, version=1,
        opened_at=clock.now(), level=found.level, org_id=found.org_id, excluded_ids=found.excluded,
        named=petition.way != "anonymous" and reachable, real_name=False, overdue=False, result_reported=False,
        **dict.fromkeys(("transfers", "returns", "takes", "assignments", "reports", "answers", "urgings"), 0),
        state="sent_up" if superior else "sealed",
    )  # fmt: skip


def _open(
    connection: Any, petition: Sealable, found: Any, clue: Clue, key: DataKey, key_row: Any, event: Any, actor: Actor
) -> str:
    """Write the clue, and overwrite the petition with the stub that is returned."""
    content = {
        **{name: getattr(petition, name) for name in ("title", "body", "category", "accused", "claimed_fen")},
        **{name: getattr(found, name) or [] for name in ("events", "messages", "minutes", "notes", "orders")},
    }
    given = {
        "clue": {name: getattr(clue, name) for name in _COLUMNS},
        "key": key_row,
        "content": {"clue_id": clue.id, **store.seal(key, clue.id, "content", content)},
        "readers": [
            {"id": uuid4(), "clue_id": clue.id, "account_id": head, "granted_by": None, "since": clock.now(), "until": None}
            for head in found.heads
        ],
        "event": event,
    }  # fmt: skip
    (stub, _english) = catalogue("clues")["stub"]
    told = orjson.dumps(door.messages_about("open", clue, actor)).decode()
    connection.execute(_OPEN, {"given": orjson.dumps(given, default=_written).decode(), "stub": stub, "told": told})
    return stub


def _written(value: Any) -> Any:
    return f"\\x{value.hex()}" if isinstance(value, bytes) else str(value)
