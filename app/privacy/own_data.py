"""My data 我的信息: see, copy, ask for correction or deletion, and what the office decides (个人信息保护法 Arts 44 to 50)."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import insert, select, text

from app import calendar_store, clock, outbox, transitions
from app.auth import Identity
from app.errors import Conflict, Forbidden, Problem, Unknown
from app.extensions import db
from app.files import service as files
from app.identity import store
from app.petitions.models import OPEN_STATES, Petition
from app.petitions.service import note
from app.privacy.models import DataRequest
from workflows.actor import Role
from workflows.petition import PetitionState

WORKING_DAYS = 15
# A refusal gives one of these, each with its article.
GROUNDS: Mapping[str, str] = {
    "statutory_duty": "个人信息保护法第三十四条",  # still needed to handle the case
    "retention_period": "个人信息保护法第四十七条第二款",
    "secrecy": "个人信息保护法第四十五条、第十八条第一款",
    "hampers_duty": "个人信息保护法第三十五条",
    "not_verified": "个人信息保护法第四十六条",  # the correction could not be verified
}
DECIDERS = frozenset({Role.PETITION_OFFICE, Role.TOWNSHIP_OFFICE})
MOST_CASES = 100

_NEW_REQUEST = insert(DataRequest.__table__).inline()
_SEALED = text(store.sealed_of(":id"))
# Everything about the person signed in, as far as their own policies show it: one statement, one JSON value a case.
_KEPT = text(
    f"""
    SELECT p.id, p.serial, p.way, p.filed_at, p.division_code, p.category, p.item_type, p.channel, p.title, p.body,
           p.accused, p.keep_from, p.claimed_fen, p.people_count, p.state, p.erased_at, ({store.sealed_of("p.id")}) AS sealed,
           (SELECT json_agg(json_build_object('at', m.at, 'from_me', m.author_kind = 'petitioner', 'body', m.body) ORDER BY m.at)
              FROM case_messages m WHERE m.petition_id = p.id) AS messages,
           (SELECT json_agg(json_build_object('name', a.name, 'size', a.size, 'at', a.created_at) ORDER BY a.created_at)
              FROM attachments a WHERE a.petition_id = p.id AND a.uploader_kind = 'petitioner') AS files,
           (SELECT json_agg(json_build_object('at', r.at, 'office_grade', r.office_grade, 'body_grade', r.body_grade,
                                              'reason', r.reason) ORDER BY r.at)
              FROM ratings r WHERE r.petition_id = p.id) AS ratings,
           (SELECT json_agg(json_build_object('asked_at', o.at, 'asked_by', asker.name, 'granted_at', g.at,
                                              'granted_by', granter.name) ORDER BY g.at)
              FROM identity_openings o JOIN identity_grants g ON g.opening_id = o.id
              JOIN organisations asker ON asker.id = o.org_id JOIN organisations granter ON granter.id = g.org_id
             WHERE o.petition_id = p.id) AS openings,
           (SELECT json_agg(json_build_object('id', d.id, 'kind', d.kind, 'wish', d.wish, 'asked_at', d.asked_at,
                                              'due_on', d.due_on, 'decision', d.decision, 'ground', d.ground,
                                              'reason', d.reason, 'decided_at', d.decided_at) ORDER BY d.asked_at)
              FROM data_requests d WHERE d.petition_id = p.id) AS requests
      FROM petitions p ORDER BY p.filed_at DESC, p.id LIMIT {MOST_CASES}
    """
)
_ACCOUNT = text("SELECT id, sealed, created_at FROM villagers WHERE id = :id")


def own_data(who: Identity) -> dict[str, Any]:
    """What is kept about the petitioner signed in: the account, if there is one, and each case with who filed it."""
    account = None
    if who.kind == "villager":
        row = db.session.execute(_ACCOUNT, {"id": who.actor.person_id}).one()
        account = {"phone": store.phone_of(row.id, row.sealed), "created_at": row.created_at}
    cases = []
    for row in db.session.execute(_KEPT):
        kept = dict(row._mapping)
        people = store.open_sealed(row.id, kept.pop("sealed"))
        if people is None:
            raise Problem("identity-unreadable", status=503)
        lists = ("messages", "files", "ratings", "openings", "requests")
        cases.append({**kept, "people": people, **{name: kept[name] or [] for name in lists}})
    return {"at": clock.now(), "account": account, "cases": cases}


def request_change(draft: Mapping[str, Any], who: Identity) -> dict[str, Any]:
    """Ask for correction or deletion; the office has fifteen working days. A corrected identity is sealed here and now,
    so that nobody has to see it to grant it.

    Raises Unknown, Conflict `request-pending` (one of this kind is undecided), `nothing-sealed` (there is no identity to
    correct) and `already-erased`.
    """
    petition = transitions.lock(draft["petition_id"])
    if petition.erased_at:
        raise Conflict("already-erased")
    pending = select(DataRequest.id).where(
        DataRequest.petition_id == petition.id, DataRequest.kind == draft["kind"], DataRequest.decision.is_(None)
    )
    if db.session.scalar(pending.limit(1)):
        raise Conflict("request-pending")
    calendar, _versions = calendar_store.current()
    due = calendar.add_workdays(clock.today(), WORKING_DAYS)
    request_id = uuid4()
    db.session.execute(
        _NEW_REQUEST,
        {
            "id": request_id, "petition_id": petition.id, "kind": draft["kind"], "wish": draft["wish"],
            "asked_at": clock.now(), "due_on": due.day, "provisional": due.provisional,
            **_corrected(petition, draft.get("corrected")),
        },
    )  # fmt: skip
    note(petition, "data_request", who, {"request_id": request_id, "kind": draft["kind"]})
    outbox.announce("data_request", petition)
    db.session.flush()
    return {"id": request_id, "petition_id": petition.id, "kind": draft["kind"], "due_on": due.day}


def _corrected(petition: Petition, changes: Mapping[str, Any] | None) -> dict[str, Any]:
    changes = {name: value for name, value in (changes or {}).items() if value}
    if not changes:
        return {"algorithm": None, "nonce": None, "ciphertext": None, "recovery_mac": None}
    sealed = db.session.execute(_SEALED, {"id": petition.id}).scalar()
    people = store.open_sealed(petition.id, sealed)
    if not people:
        raise Conflict("nothing-sealed")
    first, *others = people
    corrected = [{**first, **changes}, *others]
    box = store.seal_again(petition.id, sealed, corrected)
    mac = store.recovery_mac_of(corrected)
    return {"algorithm": box.algorithm, "nonce": box.nonce, "ciphertext": box.ciphertext, "recovery_mac": mac}


def list_requests(*, open_only: bool) -> list[dict[str, Any]]:
    """The requests of my area, the most urgent first; 200 at most. Never the corrected identity itself."""
    rows = (
        select(
            DataRequest.id, DataRequest.petition_id, Petition.serial, DataRequest.kind, DataRequest.wish,
            DataRequest.asked_at, DataRequest.due_on, DataRequest.provisional, DataRequest.decision, DataRequest.ground,
            DataRequest.reason, DataRequest.decided_at, DataRequest.ciphertext.is_not(None).label("has_corrected"),
        )
        .join(Petition, Petition.id == DataRequest.petition_id)
        .order_by(DataRequest.due_on, DataRequest.id)
        .limit(200)
    )  # fmt: skip
    if open_only:
        rows = rows.where(DataRequest.decision.is_(None))
    today = clock.today()
    return [
        {**row._mapping, "overdue": row.decision is None and row.due_on < today} for row in db.session.execute(rows)
    ]


def decide_request(request_id: UUID, decision: Mapping[str, Any], who: Identity) -> dict[str, Any]:
    """Grant or refuse, with a reason; what was granted is done in the same transaction and the petitioner is told.

    Raises Unknown, Forbidden, Conflict `already-decided`, and `case-open` for the deletion of a case that still runs.
    """
    if who.actor.role not in DECIDERS:
        raise Forbidden()
    row = db.session.get(DataRequest, request_id)
    if row is None:
        raise Unknown()
    petition = transitions.lock(row.petition_id)
    db.session.refresh(row)
    if row.decision is not None:
        raise Conflict("already-decided")
    granted = decision["decision"] == "granted"
    erases = granted and row.kind == "delete"
    if erases and petition.state in (*OPEN_STATES, PetitionState.SEALED):
        raise Conflict("case-open")
    row.decision, row.reason = decision["decision"], decision["reason"]
    row.ground = None if granted else decision["ground"]
    row.decided_at, row.decided_by, row.decided_org_id = clock.now(), who.actor.person_id, who.actor.org_id
    facts = {"request_id": request_id, "kind": row.kind, "decision": row.decision, "ground": row.ground}
    note(petition, "decide_data_request", who, facts)
    if erases:
        note(petition, "erase_content", who, {"request_id": request_id, "state": petition.state})
    outbox.announce("decide_data_request", petition)
    db.session.flush()
    stored = [one["id"] for one in files.list_for(petition.id)] if erases else []
    if granted:
        db.session.execute(text("SELECT apply_data_request(:id)"), {"id": request_id})
    files.destroy(stored)
    return {"id": request_id, "petition_id": petition.id, "decision": row.decision}
