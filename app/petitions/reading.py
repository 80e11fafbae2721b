"""Reading petitions: lists, search, and the case as its reader may see it."""

from collections.abc import Mapping
from datetime import datetime
from functools import cache, lru_cache
from typing import Any
from uuid import UUID

from sqlalchemy import Select, bindparam, literal_column, select, text, union_all

from app import calendar_store, transitions
from app.auth import Identity
from app.clues import service as clues
from app.database import reach_of
from app.directory.models import Division
from app.errors import Problem, Unknown
from app.extensions import db
from app.identity import store
from app.petitions.models import OPEN_STATES, Petition
from app.privacy import reads
from app.text import catalogue
from app.web import cursor_of, read_cursor
from workflows.deadlines import Deadline
from workflows.petition import EVENT_LABELS, STATE_LABELS, PetitionEvent, PetitionState

ROW = (
    Petition.id, Petition.serial, Petition.title, Petition.category, Petition.division_code, Petition.state,
    Petition.priority, Petition.level, Petition.round, Petition.colour, Petition.supervised, Petition.filed_at,
    Petition.next_due_at, Petition.next_policy, Petition.next_event,
)  # fmt: skip
_OPEN = "petitions.state IN ({})".format(", ".join(f"'{state}'" for state in OPEN_STATES))
# Facts of events that name people or belong to the office alone; never part of what a petitioner reads.
_OFFICE_FACTS = frozenset(
    "co_org_ids org_ids main_org_id co_org_id suggested_org report parent_id policy main_excluded office_excluded lifting_id".split()
)


def list_cases(query: Mapping[str, Any], who: Identity) -> dict[str, Any]:
    """A page of list rows, newest first, and the cursor of the next one. The policy decides what is in it."""
    states = list(dict.fromkeys(query["state"]))
    values = {
        "colour": query["colour"], "priority": query["priority"],
        **{f"state_{n}": state for n, state in enumerate(states)},
    }  # fmt: skip
    if query["cursor"]:
        values["at"], values["last"] = read_cursor(query["cursor"])
    # A connection keeps the plan of a statement it has prepared. The best plan for a township reads its places and sorts;
    # kept for the province it would sort every case there is. So actors of each size of area have a statement of their own.
    rows = _listing(
        f"/* {reach_of(who.actor, who.petition_id)} {len(who.actor.scope)} */",
        query["open"], query["supervised"],
        tuple(name for name in ("colour", "priority") if query[name]),
        bool(query["mine"]), bool(query["cursor"]), len(states), query["limit"] + 1,
    )  # fmt: skip
    return _page(rows, query["limit"], values)


# Kept by shape: building a statement of several states anew costs as much as sending it.
@lru_cache(maxsize=512)
def _listing(
    reader: str,
    is_open: bool | None,
    supervised: bool | None,
    equal: tuple[str, ...],
    mine: bool,
    after: bool,
    states: int,
    most: int,
) -> Select[Any]:
    """The newest `most` rows of a list, in any of so many states, in every state when there are none.

    How many is written into the statement, and whose body by the setting of the transaction: with either as a value
    PostgreSQL would plan the list anew each time, which takes longer than reading it.
    """
    rows = select(*ROW)
    if is_open is not None:
        rows = rows.where(text(_OPEN) if is_open else text(f"NOT ({_OPEN})"))
    for name in equal:
        rows = rows.where(getattr(Petition, name) == bindparam(name))
    if supervised is not None:
        rows = rows.where(Petition.supervised if supervised else ~Petition.supervised)
    if mine:
        rows = rows.where(text("main_org_id = CAST(nullif(current_setting('mj.org', true), '') AS uuid)"))
    if after:
        rows = rows.where(text("(filed_at, id) < (:at, :last)"))

    def newest(found: Select[Any], at: Any, row_id: Any) -> Select[Any]:
        return found.order_by(at.desc(), row_id.desc()).limit(literal_column(str(most)))

    each = [
        newest(rows.where(Petition.state == bindparam(f"state_{n}")), Petition.filed_at, Petition.id)
        for n in range(states)
    ]
    if len(each) < 2:
        found = each[0] if each else newest(rows, Petition.filed_at, Petition.id)
    else:
        # Each state is an index in order, and of several only the heads are read. With `state IN (…)` all their cases are
        # read and sorted.
        merged = union_all(*each).subquery()
        found = newest(select(merged), merged.c.filed_at, merged.c.id)
    return found.prefix_with(reader)


def search(q: str, limit: int) -> dict[str, Any]:
    """Cases whose title or text holds `q` (two characters at least), newest first. Raises Problem `query-too-short`."""
    if len(q) < 2:
        raise Problem("query-too-short", status=422, errors={"q": ["two characters at least"]})
    # The function applies the actor's scope inside: text operators are not leakproof and could not use an index below
    # the policy. The outer query stands under the policy all the same.
    found = select(text("id")).select_from(text("search_petitions(:q, :most)"))
    rows = (
        select(*ROW).where(Petition.id.in_(found)).order_by(Petition.filed_at.desc(), Petition.id.desc()).limit(limit)
    )
    return _page(rows, limit, {"q": q, "most": limit})


def case_view(petition_id: UUID, who: Identity) -> dict[str, Any]:
    """The whole case as the reader may see it; a look of staff goes on record. Raises Unknown."""
    if who.kind == "staff":
        found = db.session.execute(_CASE_ON_RECORD, reads.look(petition_id, "detail", who)).one_or_none()
    else:
        found = db.session.execute(_CASE, {"petition_id": petition_id}).one_or_none()
    if found is None:
        raise Unknown()
    return _view(found.Petition, found._mapping, who)


def case_in_hand(petition: Petition, who: Identity) -> dict[str, Any]:
    """The locked case for its reader, as it is after what was done."""
    found = db.session.execute(_FOLDER, {"petition_id": petition.id}).one_or_none()
    if found is None:
        # Who acted lost sight of the case by it.
        place = db.session.scalar(select(Division.path).where(Division.code == petition.division_code))
        return _view(petition, {**dict.fromkeys(_PARTS), "place": place}, who)
    return _view(petition, found._mapping, who)


def _page(rows: Select[Any], limit: int, values: Mapping[str, Any]) -> dict[str, Any]:
    found = db.session.execute(rows, values).all()
    more = len(found) > limit
    items = [row._mapping for row in found[:limit]]
    return {"items": items, "next": cursor_of(items[-1]["filed_at"], items[-1]["id"]) if more else None}


# What hangs on a case, each part under its own policy: columns of a statement over `petitions`.
_PARTS = {
    "messages": "SELECT json_agg(m ORDER BY m.at) FROM case_messages m WHERE m.petition_id = petitions.id",
    "deadlines": "SELECT json_agg(d ORDER BY d.due_at) FROM deadlines d WHERE d.petition_id = petitions.id AND d.live",
    "attachments": """SELECT json_agg(a ORDER BY a.created_at) FROM attachments a
                       WHERE a.petition_id = petitions.id AND a.status <> 'uploading'""",
    "money": """SELECT json_object_agg(kind, amount) FROM (SELECT kind, sum(amount_fen) AS amount FROM money_entries
                 WHERE petition_id = petitions.id GROUP BY kind) sums""",
    "sealed": store.sealed_of("petitions.id"),
    "meetings": """SELECT json_agg(json_build_object('held_at', m.held_at, 'minutes', m.minutes, 'bodies',
                     (SELECT json_agg(o.name ORDER BY o.level, o.name) FROM organisations o WHERE o.id = ANY(m.org_ids)))
                   ORDER BY m.held_at) FROM meetings m WHERE m.petition_id = petitions.id""",
    "place": "SELECT path FROM divisions WHERE code = petitions.division_code",
    "log": """SELECT json_build_object(
                'events', log.events,
                'bodies', (SELECT json_object_agg(o.id, o.name) FROM organisations o WHERE o.id = ANY(
                             log.bodies || log.targets || petitions.owner_org_id || petitions.main_org_id)),
                'links', (SELECT json_agg(parent) FROM unnest(log.parents) parent WHERE parent IS NOT NULL AND sees_case(parent)))
              FROM (SELECT json_agg(json_build_object('at', e.at, 'event', e.event, 'to_state', e.to_state, 'org_id', e.org_id,
                                                      'public', e.public, 'facts', e.facts) ORDER BY e.seq) AS events,
                           array_agg(e.org_id) AS bodies, array_agg(CAST(e.facts ->> 'main_org_id' AS uuid)) AS targets,
                           array_agg(CAST(e.facts ->> 'parent_id' AS uuid)) AS parents
                      FROM petition_events e WHERE e.petition_id = petitions.id) log""",
}


_COLUMNS = [literal_column(f"({part})").label(name) for name, part in _PARTS.items()]


# The case with all of it in one round trip; what staff look at is put on record by the same statement.
_CASE = select(Petition, *_COLUMNS).where(Petition.id == bindparam("petition_id"))


_CASE_ON_RECORD = _CASE.add_cte(reads.LOOK)


_FOLDER = select(*_COLUMNS).where(Petition.id == bindparam("petition_id"))


def _view(petition: Petition, parts: Mapping[str, Any], who: Identity) -> dict[str, Any]:
    """The case for its reader. `parts`: what hangs on it."""
    outsider = who.actor.kind == "petitioner"
    log = parts["log"] or {}
    events = [one for one in log.get("events") or [] if one["public"] or not outsider]
    # A link between two cases shows only to whoever may see both.
    shown = frozenset(log.get("links") or ())
    name_of = log.get("bodies") or {}
    label = STATE_LABELS[PetitionState(petition.state)]
    people = store.open_sealed(petition.id, parts["sealed"])
    sealed = clues.public_part(petition.id) if outsider and petition.state == PetitionState.SEALED else None
    # What was said before is under seal; of an empty message nothing but its time is left.
    messages = sealed["messages"] if sealed else [message_view(one) for one in parts["messages"] or [] if one["body"]]
    return {
        **{column.key: getattr(petition, column.key) for column in Petition.__table__.columns},
        "place": parts["place"],
        "state_label": label.zh,
        "state_label_en": label.en,
        "owner": name_of.get(str(petition.owner_org_id)),
        "main_body": name_of.get(str(petition.main_org_id)),
        "allowed_actions": transitions.actions_for(petition, who.actor),
        "timeline": [
            *(_event(one, name_of, outsider, shown) for one in events),
            *(sealed["timeline"] if sealed else []),
        ],
        "messages": messages,
        "meetings": parts["meetings"] or [],
        "attachments": parts["attachments"] or [],
        "people": people or [],
        "identity": _identity(petition, people),
        "promises": [_stored_promise(one) for one in parts["deadlines"] or []],
        "money": totals_of(petition, parts["money"] or {}),
    }


def _identity(petition: Petition, people: list[dict[str, Any]] | None) -> str:
    if petition.erased_at:
        return "erased"
    if people is None:
        return "unreadable"
    return "none" if petition.way == "anonymous" else "shown" if people else "sealed"


def totals_of(petition: Petition, sums: Mapping[str, int]) -> dict[str, int]:
    return {
        "claimed_fen": int(sums.get("claimed", 0)) + (petition.claimed_fen or 0),
        "recovered_fen": int(sums.get("recovered", 0)),
        "paid_out_fen": int(sums.get("paid_out", 0)),
    }


def _event(one: Mapping[str, Any], name_of: Mapping[str, str], outsider: bool, shown: frozenset[str]) -> dict[str, Any]:
    event, facts = one["event"], one["facts"]
    label, label_en = _label(event)
    return {
        "at": datetime.fromisoformat(one["at"]),
        "event": event,
        "label": label,
        "label_en": label_en,
        "to_state": one["to_state"],
        "body": name_of.get(one["org_id"]),
        "to_body": name_of.get(facts.get("main_org_id")),
        "facts": {
            name: value
            for name, value in facts.items()
            if (not outsider or name not in _OFFICE_FACTS) and not (name == "parent_id" and value not in shown)
        },
    }


@cache
def _label(event: str) -> tuple[str, str]:
    if event in set(PetitionEvent):
        label = EVENT_LABELS[PetitionEvent(event)]
        return label.zh, label.en
    zh, en = catalogue("events").get(event, [event, event])
    return zh, en


def message_view(one: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "id": one["id"], "at": one["at"], "from_petitioner": one["author_kind"] == "petitioner",
        "internal": one["internal"], "body": one["body"],
    }  # fmt: skip


def promise_view(one: Deadline) -> dict[str, Any]:
    """A running deadline as a receipt promises it."""
    return {
        "policy": one.policy_id, "name": one.policy.name_zh, "name_en": one.policy.name_en, "due_at": one.due_at,
        "due_on": one.due_day, "statutory": one.policy.statutory, "provisional": one.provisional,
    }  # fmt: skip


def _stored_promise(one: Mapping[str, Any]) -> dict[str, Any]:
    policy = calendar_store.current()[1].by_id[one["policy_id"]][0]
    return {
        "policy": policy.id, "name": policy.name_zh, "name_en": policy.name_en, "due_at": one["due_at"],
        "due_on": one["due_on"], "statutory": policy.statutory, "provisional": one["provisional"],
        "paused_days": one["paused_days"], "extended_days": one["extended_days"],
    }  # fmt: skip
