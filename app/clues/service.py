"""Reading and acting on clues, and the list of those who need to know."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import insert, select, text

from app import clock, outbox
from app.auth import Identity
from app.clues import door, store
from app.clues.models import Clue, ClueMessage, ClueRead, ClueReader
from app.database import Rows, Target, insert_rows
from app.directory.codes import lineage_of
from app.directory.service import organisation_names
from app.errors import Conflict, Forbidden, Invalid, Unknown
from app.extensions import db
from app.identity import store as identities
from app.text import catalogue
from app.web import cursor_of, read_cursor
from workflows.clue import CLUE_EVENT_LABELS, CLUE_LABELS, OPEN_STATES, ClueEvent, ClueState

_READERS = Target(ClueReader.__table__)
_MESSAGES = Target(ClueMessage.__table__)
_NEW_READ = insert(ClueRead.__table__).inline()
_ROW = (
    Clue.id, Clue.serial, Clue.division_code, Clue.state, Clue.level, Clue.org_id, Clue.opened_at, Clue.real_name,
    Clue.overdue, Clue.limits, Clue.next_due_at,
)  # fmt: skip
_FOLDER = text(
    """
    SELECT (SELECT json_agg(json_build_object('seq', e.seq, 'at', e.at, 'event', e.event, 'to_state', e.to_state,
                                              'org_id', e.org_id, 'facts', e.facts) ORDER BY e.seq)
              FROM clue_events e WHERE e.clue_id = :id) AS events,
           (SELECT json_agg(json_build_object('account_id', r.account_id, 'name', a.name, 'granted_by', r.granted_by,
                                              'since', r.since, 'until', r.until) ORDER BY r.since, a.name)
              FROM clue_readers r JOIN staff_accounts a ON a.id = r.account_id WHERE r.clue_id = :id) AS readers,
           (SELECT json_agg(json_build_object('at', r.at, 'reader', a.name, 'body', o.name, 'purpose', r.purpose) ORDER BY r.at)
              FROM clue_reads r JOIN staff_accounts a ON a.id = r.account_id JOIN organisations o ON o.id = r.org_id
             WHERE r.clue_id = :id) AS reads
    """
)
_CONTENT = text("SELECT * FROM sealed.clue_contents WHERE clue_id = :id")
_WORDS = text("SELECT * FROM clue_events WHERE clue_id = :id AND ciphertext IS NOT NULL ORDER BY seq")
_SAID = text("SELECT * FROM clue_messages WHERE clue_id = :id ORDER BY at")
_PEOPLE = text(identities.sealed_of(":id"))
_END = text(
    """
    UPDATE clue_readers SET until = :now
     WHERE clue_id = :id AND until IS NULL AND account_id = coalesce(CAST(:account AS uuid), account_id)
    """
)
# Of the county and of the bodies above it; nobody who is excluded.
_ENTITLED = """
      FROM appointments a JOIN staff_accounts s ON s.id = a.account_id JOIN organisations o ON o.id = a.org_id
     CROSS JOIN (SELECT (mj_now() AT TIME ZONE 'Asia/Shanghai')::date AS day) today
     WHERE o.active AND (o.division_code = ANY(:lineage) OR left(o.division_code, 6) = left(:place, 6))
       AND a.role IN ('township_discipline', 'county_discipline', 'upper_discipline', 'dispatched_group')
       AND a.valid_from <= today.day AND (a.valid_to IS NULL OR a.valid_to >= today.day)
       AND may_know(a.account_id, CAST(:excluded AS uuid[]))
"""
_CANDIDATES = text(
    f"SELECT DISTINCT a.account_id, s.name, o.name AS body, o.level {_ENTITLED} ORDER BY o.level DESC, o.name, s.name LIMIT 200"
)
_IS_CANDIDATE = text(f"SELECT EXISTS (SELECT 1 {_ENTITLED} AND a.account_id = :account)")
_CITY = text(door.CITY_BODY)
_OF_PETITION = text(
    f"SELECT c.id, {store.KEY.replace(':id', 'c.id')} AS key FROM clues c WHERE c.petition_id = :petition"
)
_PUBLIC = text("SELECT * FROM clue_events WHERE clue_id = :id AND public ORDER BY seq")


def list_clues(query: Mapping[str, Any]) -> dict[str, Any]:
    """A page of the clues that I may know of, newest first: state and limits, nothing of what they say."""
    rows = select(*_ROW).order_by(Clue.opened_at.desc(), Clue.id.desc()).limit(query["limit"] + 1)
    if query["open"] is not None:
        rows = rows.where(Clue.state.in_(OPEN_STATES) if query["open"] else Clue.state.not_in(OPEN_STATES))
    if query["cursor"]:
        at, last = read_cursor(query["cursor"])
        rows = rows.where(text("(opened_at, id) < (:at, :last)").bindparams(at=at, last=last))
    found = db.session.execute(rows).all()
    shown = found[: query["limit"]]
    names = organisation_names(row.org_id for row in shown)
    items = [{**row._mapping, **_labels(row.state), "body": names.get(row.org_id)} for row in shown]
    more = len(found) > query["limit"]
    return {"items": items, "next": cursor_of(shown[-1].opened_at, shown[-1].id) if more else None}


def clue_view(clue_id: UUID, who: Identity) -> dict[str, Any]:
    """The clue without a word of what it says: state, limits, steps, who may know, what I may do. Raises Unknown."""
    clue = db.session.get(Clue, clue_id)
    if clue is None:
        raise Unknown()
    around = door.look_around(clue, who.actor)
    folder = db.session.execute(_FOLDER, {"id": clue_id}).one()
    events = folder.events or []
    names = organisation_names({clue.org_id, *(UUID(one["org_id"]) for one in events if one["org_id"])})
    return {
        **{column.key: getattr(clue, column.key) for column in Clue.__table__.columns},
        **_labels(clue.state),
        "body": names.get(clue.org_id) if clue.org_id else None,
        "may_open": around.key is not None,
        "allowed_actions": door.actions_for(clue, who.actor, around),
        "timeline": [
            {**one, **_event_labels(one["event"]), "body": names.get(UUID(one["org_id"])) if one["org_id"] else None}
            for one in events
        ],
        "readers": folder.readers or [],
        "reads": folder.reads or [],
    }


def open_text(clue_id: UUID, purpose: str, who: Identity) -> dict[str, Any]:
    """What the clue says, for somebody on its list; the opening goes on record in this transaction.

    Raises Unknown, Forbidden `not-on-the-list`, Problem `clue-unreadable` (503).
    """
    clue = door.lock(clue_id)
    content = db.session.execute(_CONTENT, {"id": clue_id}).one_or_none()
    key = door.look_around(clue, who.actor).key
    if content is None or key is None:
        raise Forbidden("not-on-the-list")
    db.session.execute(
        _NEW_READ,
        {
            "id": uuid4(), "clue_id": clue_id, "at": clock.now(), "account_id": who.actor.person_id,
            "role": who.actor.role, "org_id": who.actor.org_id, "purpose": purpose,
        },
    )  # fmt: skip
    said = store.unseal(key, clue_id, "content", content)
    sealed = db.session.execute(_PEOPLE, {"id": clue.petition_id}).scalar()
    return {
        **{name: said[name] for name in ("title", "body", "category", "accused", "claimed_fen", "minutes", "notes")},
        "people": identities.open_sealed(clue.petition_id, sealed) or [],
        "earlier_events": [{"event": one["event"], "facts": one["facts"]} for one in said["events"]],
        "messages": [*said["messages"], *_messages(key, clue_id)],
        "words": [
            {"seq": row.seq, "event": row.event, "facts": store.unseal(key, clue_id, f"event {row.seq}", row)}
            for row in db.session.execute(_WORDS, {"id": clue_id})
        ],
    }


def act(clue_id: UUID, event: str, who: Identity, facts: Mapping[str, Any], version: int | None) -> dict[str, Any]:
    """Do `event` to the clue; answers where it stands now and nothing more, because a step may take it out of sight.

    Raises Unknown (404), WrongState (409), NotAllowed (403), MissingFact or Invalid (422), Problem 412 when `version` is old.
    """
    clue = door.lock(clue_id, version)
    around = door.look_around(clue, who.actor)
    given = {name: value for name, value in facts.items() if value is not None}
    # Who may not take the step learns nothing from what it would need, as who may come onto the list.
    refused = door.refuses(clue, event, who.actor, around, given)
    door.move(clue, event, who.actor, around, given, {} if refused else _prepare(clue, event, who, given, around))
    return {name: getattr(clue, name) for name in ("id", "state", "version", "level", "next_due_at")}


def add_reader(clue_id: UUID, account_id: UUID, who: Identity) -> dict[str, Any]:
    """Put somebody on the list of a clue, as the head in charge. They must hold a discipline post and have no part in it.

    Raises Unknown, Forbidden `not-head-in-charge`, Invalid.
    """
    clue, around = _headed(clue_id, who)
    rows = _adding(clue, [account_id], who)
    if rows:
        door.write(clue, "add_reader", who.actor, around, clue.state, {"account_id": account_id}, rows)
    return {"clue_id": clue_id, "account_id": account_id}


def list_candidates(clue_id: UUID, who: Identity) -> list[dict[str, Any]]:
    """Whom the head in charge may put on the list or give the clue to: the discipline staff of the county and above it,
    without anybody who has a part in an accused body; 200 at most. Raises Unknown, Forbidden `not-head-in-charge`."""
    clue = db.session.get(Clue, clue_id)
    if clue is None:
        raise Unknown()
    _require_head(clue, who)
    return [dict(row._mapping) for row in db.session.execute(_CANDIDATES, _around(clue))]


def remove_reader(clue_id: UUID, account_id: UUID, who: Identity) -> dict[str, Any]:
    """Take somebody off the list, as the head in charge; what they read stays on record. Raises Unknown, Forbidden."""
    clue, around = _headed(clue_id, who)
    if not db.session.execute(_END, {"id": clue_id, "account": account_id, "now": clock.now()}).rowcount:  # type: ignore[attr-defined]
        raise Unknown()
    door.write(clue, "remove_reader", who.actor, around, clue.state, {"account_id": account_id})
    return {"clue_id": clue_id, "account_id": account_id}


def send_message(clue_id: UUID, body: str, who: Identity) -> dict[str, Any]:
    """A word from a reader to the petitioner, sealed. Raises Unknown and Forbidden `not-on-the-list`."""
    clue = door.lock(clue_id)
    key = door.look_around(clue, who.actor).key
    if key is None:
        raise Forbidden("not-on-the-list")
    told = outbox.prepared("petitioner", "message_from_staff", clue.petition_id, {"serial": clue.serial, "state": "sealed"})
    return _say(key, clue_id, body, who, told)


# What the petition asks of its clue.


def message_of_petition(petition_id: UUID, body: str, who: Identity) -> dict[str, Any]:
    """A petitioner's word on a petition that was sealed: it goes to the readers of the clue alone. Raises Forbidden for
    anybody else, who writes on the clue or not at all."""
    row = db.session.execute(_OF_PETITION, {"petition": petition_id}).one_or_none()
    key = store.key_of(row.id, row.key) if row is not None else None
    if row is None or key is None or who.actor.kind != "petitioner":
        raise Forbidden()
    told = outbox.prepared("readers", "clue_message", None, {"clue": str(row.id), "by": ""})
    return _say(key, row.id, body, who, told)


def public_part(petition_id: UUID) -> dict[str, Any]:
    """The public steps of the clue of a petition, with their words, and the messages; for its petitioner."""
    row = db.session.execute(_OF_PETITION, {"petition": petition_id}).one_or_none()
    key = store.key_of(row.id, row.key) if row is not None else None
    if row is None or key is None:
        return {"timeline": [], "messages": []}
    steps = db.session.execute(_PUBLIC, {"id": row.id}).all()
    names = organisation_names(one.org_id for one in steps)
    timeline = [
        {
            "at": one.at, "event": door.PUBLIC[one.event], **_event_labels(door.PUBLIC[one.event]), "to_state": "sealed",
            "body": names.get(one.org_id), "to_body": None,
            "facts": store.unseal(key, row.id, f"event {one.seq}", one) if one.ciphertext else {},
        }
        for one in steps
    ]  # fmt: skip
    messages = [{**one, "internal": False} for one in _messages(key, row.id)]
    return {"timeline": timeline, "messages": messages}


def _prepare(clue: Clue, event: str, who: Identity, facts: Mapping[str, Any], around: door.Surroundings) -> Rows:
    """Who comes onto the list with a step, and who leaves it. Nothing is written before the chart has agreed but what the
    transaction takes back when it refuses."""
    if event == "assign":
        return _adding(clue, [facts["handler_id"]], who, "handler_id") if "handler_id" in facts else {}
    if event == "propose_false_accusation":
        found = db.session.execute(_CITY, {"lineage": _lineage(clue), "excluded": clue.excluded_ids}).one_or_none()
        if found is None:
            raise Conflict("no-body-for-clue")
        return _adding(clue, found.heads, who)
    if event in ("send_up", "send_down", "hand_outside"):
        # Art 15: what belongs to a superior is not kept, copied or widened. Below, only the stub of the petition is left.
        # What goes down is no longer for those above to know either.
        db.session.execute(_END, {"id": clue.id, "account": None, "now": clock.now()})
        level = {"send_up": around.above_level, "send_down": around.below_level}.get(event)
        if level is not None:
            values = {"lineage": _lineage(clue), "excluded": clue.excluded_ids, "level": level}
            taking = db.session.execute(_TAKING, values).one()
            return {_READERS: [_reader(clue, head, who) for head in taking.heads]}
    return {}


_TAKING = text(door.BODY.format(level=":level", excluded="CAST(:excluded AS uuid[])"))


def _around(clue: Clue) -> dict[str, Any]:
    return {"lineage": _lineage(clue), "place": clue.division_code, "excluded": clue.excluded_ids}


def _lineage(clue: Clue) -> list[str]:
    return list(lineage_of(clue.division_code))


def _adding(clue: Clue, accounts: list[UUID], who: Identity, field: str = "account_id") -> Rows:
    """Rows for those who are not yet on the list. Raises Invalid for somebody who may not know."""
    now_on = set(
        db.session.scalars(select(ClueReader.account_id).where(ClueReader.clue_id == clue.id, ClueReader.until.is_(None)))
    )
    fresh = [one for one in accounts if one not in now_on]
    for account in fresh:
        # The same people that the head was offered: cross-county reads need a transfer.
        if not db.session.scalar(_IS_CANDIDATE, {**_around(clue), "account": account}):
            raise Invalid({field: ["holds no discipline post of the county or above it today, or has a part in the matter"]})
    return {_READERS: [_reader(clue, account, who) for account in fresh]}


def _reader(clue: Clue, account: UUID, who: Identity) -> dict[str, Any]:
    return {
        "id": uuid4(), "clue_id": clue.id, "account_id": account, "granted_by": who.actor.person_id,
        "since": clock.now(), "until": None,
    }  # fmt: skip


def _headed(clue_id: UUID, who: Identity) -> tuple[Clue, door.Surroundings]:
    clue = door.lock(clue_id)
    _require_head(clue, who)
    return clue, door.look_around(clue, who.actor)


def _require_head(clue: Clue, who: Identity) -> None:
    if not (who.actor.head and who.actor.org_id == clue.org_id):
        raise Forbidden("not-head-in-charge")


def _say(key: Any, clue_id: UUID, body: str, who: Identity, told: Mapping[str, Any]) -> dict[str, Any]:
    message_id, at = uuid4(), clock.now()
    box = store.seal(key, clue_id, f"message {message_id}", body)
    row = {"id": message_id, "clue_id": clue_id, "at": at, "author_kind": who.actor.kind, "author_id": who.actor.person_id}
    insert_rows({_MESSAGES: [{**row, **box}], outbox.MESSAGES: [told]})
    return {"id": message_id, "at": at, "from_petitioner": who.actor.kind == "petitioner", "internal": False}


def _messages(key: Any, clue_id: UUID) -> list[dict[str, Any]]:
    return [
        {
            "id": str(row.id), "at": row.at, "from_petitioner": row.author_kind == "petitioner",
            "body": store.unseal(key, clue_id, f"message {row.id}", row),
        }
        for row in db.session.execute(_SAID, {"id": clue_id})
    ]  # fmt: skip


def _labels(state: str) -> dict[str, str]:
    label = CLUE_LABELS[ClueState(state)]
    return {"state_label": label.zh, "state_label_en": label.en}


def _event_labels(event: str) -> dict[str, str]:
    if event in set(ClueEvent):
        label = CLUE_EVENT_LABELS[ClueEvent(event)]
        return {"label": label.zh, "label_en": label.en}
    zh, en = catalogue("events")[event]
    return {"label": zh, "label_en": en}
