"""Acting on alerts: what a step brings along beside the change of state."""

import secrets
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import orjson
from sqlalchemy import text

from app import clock
from app.alerts import door, reading
from app.alerts.models import Alert, AlertClearance, AlertDisposal, AlertMoney, AlertQuestion, AlertTask, AlertVerdict
from app.auth import Identity
from app.database import Rows, Target, insert_rows
from app.directory.codes import lineage_of
from app.errors import Conflict, Invalid, Unknown
from app.extensions import db
from app.text import catalogue
from workflows.alert import AlertEvent

SAMPLED = 20  # one clearance in so many is examined again by the level above
PROOF_DAYS = 30  # RC-01
PACKET_ITEMS = 500  # moved with one request
_CLEARANCES, _DISPOSALS = Target(AlertClearance.__table__), Target(AlertDisposal.__table__)
_MONEY, _QUESTIONS = Target(AlertMoney.__table__), Target(AlertQuestion.__table__)
_TASKS, _VERDICTS = Target(AlertTask.__table__), Target(AlertVerdict.__table__)
# Who may check: staff of the body in charge, or of a discipline body of the place, its county or above it.
_CHECKERS = text(
    """
    SELECT DISTINCT a.account_id FROM appointments a JOIN staff_accounts s ON s.id = a.account_id JOIN organisations o ON o.id = a.org_id
     CROSS JOIN (SELECT (mj_now() AT TIME ZONE 'Asia/Shanghai')::date AS day) today
     WHERE a.account_id = ANY(:accounts) AND o.active AND a.valid_from <= today.day AND (a.valid_to IS NULL OR a.valid_to >= today.day)
       AND (s.left_on IS NULL OR s.left_on > today.day)
       AND (o.id = :org OR (o.kind IN ('discipline', 'dispatched_group') AND o.division_code = ANY(:lineage)))
       AND a.role IN ('township_discipline', 'county_discipline', 'upper_discipline', 'dispatched_group', 'township_office', 'village_supervisor')
    """
)
_BODY = text("SELECT id, kind, level FROM organisations WHERE id = :id AND active AND division_code = ANY(:lineage)")
_ANSWER = text(
    "UPDATE alert_questions SET answer = :answer, answered_by = :by, answered_at = :at WHERE id = :id AND answer IS NULL"
)
_PROVE = text("UPDATE alert_tasks SET proof = :proof, proved_by = :by, proved_at = :at WHERE id = :id")
_PAPERS = text("UPDATE alert_clearances SET papers = papers || CAST(:paper AS jsonb) WHERE alert_id = :id AND decision = 'granted'")
_HAS_TASKS = text("SELECT EXISTS (SELECT 1 FROM alert_tasks WHERE alert_id = :id)")
_OF_UNIT = text("SELECT alert_id FROM alert_questions WHERE id = :id AND org_id = :org")
_TASK_OF_UNIT = text("SELECT alert_id FROM alert_tasks WHERE id = :id AND org_id = :org")


def act(alert_id: UUID, event: str, who: Identity, facts: Mapping[str, Any], version: int | None) -> dict[str, Any]:
    """Do `event` to the alert; answers where it stands now, because a step may take it out of sight.

    Raises Unknown (404), WrongState (409), NotAllowed (403), MissingFact or Invalid (422), Problem 412 when `version` is old.
    """
    return _act(door.lock(alert_id, version), event, who, facts)


def answer_question(question_id: UUID, event: str, who: Identity, facts: Mapping[str, Any]) -> dict[str, Any]:
    """Do `event` to the alert that a question of my body is about; answers with the state alone. Raises as `act`."""
    alert = _of_unit(_OF_UNIT, question_id, who)
    if event == AlertEvent.EXPLAIN:
        values = {"id": question_id, "answer": facts["explanation"], "by": who.actor.person_id, "at": clock.now()}
        if not db.session.execute(_ANSWER, values).rowcount:  # type: ignore[attr-defined]
            raise Conflict("already-answered")
    return {"state": _act(alert, event, who, facts)["state"]}


def submit_proof(task_id: UUID, who: Identity, facts: Mapping[str, Any]) -> dict[str, Any]:
    """Prove that a task of my body is done. Raises as `act`."""
    alert = _of_unit(_TASK_OF_UNIT, task_id, who)
    values = {"id": task_id, "proof": facts["proof"], "by": who.actor.person_id, "at": clock.now()}
    db.session.execute(_PROVE, values)
    return {"state": _act(alert, AlertEvent.SUBMIT_PROOF, who, facts)["state"]}


def move_packet(packet_id: UUID, event: str, who: Identity, facts: Mapping[str, Any]) -> dict[str, Any]:
    """Do `event` to the held items of a packet, as the owner of the rule, at most PACKET_ITEMS of them at once; each is still
    decided alone. Answers how many were moved and how many are left. Raises as `act`."""
    items = reading.packet_items(packet_id)
    for alert_id in items[:PACKET_ITEMS]:
        _act(door.lock(alert_id), event, who, facts)
    return {"id": packet_id, "moved": len(items[:PACKET_ITEMS]), "left": len(items[PACKET_ITEMS:])}


def _act(alert: Alert, event: str, who: Identity, facts: Mapping[str, Any]) -> dict[str, Any]:
    around = door.look_around(alert)
    given = {name: value for name, value in facts.items() if value is not None}
    refused = door.refuses(alert, event, who.actor, around, _told(event, given))
    # Who may not take the step learns nothing from what it would need.
    more, besides = ({}, {}) if refused else _prepare(alert, event, who, given)
    door.move(alert, event, who.actor, around, {**_told(event, given), **more}, besides)
    if event == AlertEvent.ASK_EXPLANATION:
        insert_rows({_QUESTIONS: [_question(alert, who, given)]})
    return {name: getattr(alert, name) for name in ("id", "state", "version", "level", "colour", "next_due_at")}


def _told(event: str, given: Mapping[str, Any]) -> dict[str, Any]:
    """The facts as the chart reads them: of papers it knows the kind."""
    if event == AlertEvent.REQUEST_CLEARANCE:
        return {**given, "papers": sorted({one["kind"] for one in given["papers"]})}
    return dict(given)


def _prepare(alert: Alert, event: str, who: Identity, given: Mapping[str, Any]) -> tuple[dict[str, Any], Rows]:
    """What a step needs beside what was sent, and the rows that it brings along. Raises Invalid and Conflict."""
    if "checker_ids" in given:
        _require_checkers(alert, given["checker_ids"], who)
    prepare = _PREPARED.get(event)
    return prepare(alert, who, given) if prepare is not None else ({}, {})


def _dispatch(alert: Alert, _who: Identity, given: Mapping[str, Any]) -> tuple[dict[str, Any], Rows]:
    if "org_id" not in given:
        return {}, {}
    body = _body(alert, given["org_id"], "org_id", ("discipline", "office", "village_supervision", "dispatched_group"))
    return {"level": body.level}, {}


def _request_freeze(alert: Alert, _who: Identity, given: Mapping[str, Any]) -> tuple[dict[str, Any], Rows]:
    """The department that is to suspend payment or approval sees the alert from now on."""
    body = _body(alert, given["department_org_id"], "department_org_id", ("department", "office"))
    if body.id in alert.excluded_org_ids:
        raise Invalid({"department_org_id": ["must withdraw from this alert"]})
    if body.id not in alert.copy_org_ids:
        alert.copy_org_ids = [*alert.copy_org_ids, body.id]
    return {}, {}


def _ask_explanation(alert: Alert, _who: Identity, _given: Mapping[str, Any]) -> tuple[dict[str, Any], Rows]:
    _require_unit(alert)
    return {}, {}


def _request_clearance(alert: Alert, who: Identity, given: Mapping[str, Any]) -> tuple[dict[str, Any], Rows]:
    scope, subject = given["scope"], given.get("subject")
    known = {"evidence": [None], "contract": alert.contracts, "person_rule": alert.persons}[scope]
    if subject not in known:
        raise Invalid({"subject": ["not what this alert is about"]})
    if scope == "contract" and "amount_fen" not in given:
        raise Invalid({"amount_fen": ["a clearance of a contract says up to which amount"]})
    row = {
        "id": uuid4(), "alert_id": alert.id, "rule_code": alert.rule_code, "reason": given["reason_code"], "basis": given["basis"],
        "papers": given["papers"], "scope": scope, "subject": subject, "amount_fen": given.get("amount_fen"),
        "until": given.get("until"), "papers_due_on": None, "asked_by": who.actor.person_id, "asked_org_id": who.actor.org_id,
        "asked_at": clock.now(), "decision": None, "decided_by": None, "decided_org_id": None, "decided_at": None,
    }  # fmt: skip
    return {}, {_CLEARANCES: [row]}


def _approve_clearance(_alert: Alert, _who: Identity, _given: Mapping[str, Any]) -> tuple[dict[str, Any], Rows]:
    return {"sampled": drawn()}, {}


def drawn() -> bool:
    """Whether chance draws a clearance for a second, blind examination."""
    return secrets.randbelow(SAMPLED) == 0


def _file_papers(alert: Alert, _who: Identity, given: Mapping[str, Any]) -> tuple[dict[str, Any], Rows]:
    paper = orjson.dumps([{"kind": "minutes", "title": given["minutes"]}]).decode()
    db.session.execute(_PAPERS, {"id": alert.id, "paper": paper})
    return {}, {}


def _order(alert: Alert, _who: Identity, given: Mapping[str, Any]) -> tuple[dict[str, Any], Rows]:
    _require_unit(alert)
    return {}, {_TASKS: [_task(alert, one["task"], one["owner"], one["due"]) for one in given["items"]]}


def _record_disposal(alert: Alert, who: Identity, given: Mapping[str, Any]) -> tuple[dict[str, Any], Rows]:
    """Each person by one of the four forms, and the money. Where nothing was ordered, the unit is asked for its proof."""
    now, by = clock.now(), who.actor.person_id
    rows: dict[Target, list[dict[str, Any]]] = {
        _DISPOSALS: [
            {"id": uuid4(), "alert_id": alert.id, "at": now, "person": one["person"], "form": one["form"], "account_id": by}
            for one in given["persons"]
        ],
        _MONEY: [_money(alert, kind, given[kind], who) for kind in ("amount", "recovered", "returned") if given[kind]],
    }
    if alert.unit_org_id is not None and not db.session.scalar(_HAS_TASKS, {"id": alert.id}):
        words = catalogue("alerts")["proof_task"]
        rows[_TASKS] = [_task(alert, " ".join(words), "-", clock.today() + timedelta(days=PROOF_DAYS))]
    return {}, rows


def _record_money(alert: Alert, who: Identity, given: Mapping[str, Any]) -> tuple[dict[str, Any], Rows]:
    return {}, {_MONEY: [_money(alert, given["kind"], given["fen"], who)]}


def _judge(alert: Alert, who: Identity, given: Mapping[str, Any], *, blind: bool = False) -> tuple[dict[str, Any], Rows]:
    dataset, _, field = (given.get("source_field") or "").partition(".")
    row = {
        "id": uuid4(), "alert_id": alert.id, "at": clock.now(), "verdict": given["verdict"],
        "reason": given.get("reason") or given.get("opinion") or "", "dataset": dataset or None, "field": field or None,
        "account_id": who.actor.person_id, "org_id": who.actor.org_id, "blind": blind,
    }  # fmt: skip
    return {}, {_VERDICTS: [row]}


_PREPARED: Mapping[str, Any] = {
    "dispatch": _dispatch,
    "request_freeze": _request_freeze,
    "ask_explanation": _ask_explanation,
    "request_clearance": _request_clearance,
    "approve_clearance": _approve_clearance,
    "file_papers": _file_papers,
    "order_rectification": _order,
    "record_disposal": _record_disposal,
    "record_money": _record_money,
    "rate": _judge,
    "revise_verdict": _judge,
    "re_examine": lambda alert, who, given: _judge(alert, who, given, blind=True),
}


def _of_unit(query: Any, given_id: UUID, who: Identity) -> Alert:
    """The alert that a question or a task of the actor's body is about, locked. Raises Unknown."""
    found = db.session.scalar(query, {"id": given_id, "org": who.actor.org_id})
    if found is None:
        raise Unknown()
    return door.lock(found)


def _require_unit(alert: Alert) -> None:
    if alert.unit_org_id is None:
        raise Conflict("no-unit-to-ask")


def _require_checkers(alert: Alert, accounts: Sequence[UUID], who: Identity) -> None:
    values = {"accounts": list(accounts), "org": alert.org_id or who.actor.org_id, "lineage": list(lineage_of(alert.place))}
    found = set(db.session.scalars(_CHECKERS, values))
    if not set(accounts) <= found:
        raise Invalid({"checker_ids": ["somebody does not serve today at a body that may check this alert"]})


def _body(alert: Alert, org_id: UUID, field: str, kinds: Sequence[str]) -> Any:
    body = db.session.execute(_BODY, {"id": org_id, "lineage": list(lineage_of(alert.place))}).one_or_none()
    if body is None or body.kind not in kinds:
        raise Invalid({field: ["no such body answers for this place"]})
    return body


def _question(alert: Alert, who: Identity, given: Mapping[str, Any]) -> dict[str, Any]:
    due = next((one["due_at"] for one in alert.limits if one["policy"] == "AL-03"), None)
    return {
        "id": uuid4(), "alert_id": alert.id, "org_id": alert.unit_org_id, "question": given["question"], "shown": given["shown"],
        "due_at": due, "asked_by": who.actor.person_id, "asked_at": clock.now(), "answer": None, "answered_by": None,
        "answered_at": None,
    }  # fmt: skip


def _task(alert: Alert, task: str, owner: str, due: Any) -> dict[str, Any]:
    return {
        "id": uuid4(), "alert_id": alert.id, "org_id": alert.unit_org_id, "task": task, "owner": owner, "due_on": due,
        "ordered_at": clock.now(), "proof": None, "proved_by": None, "proved_at": None,
    }  # fmt: skip


def _money(alert: Alert, kind: str, fen: int, who: Identity) -> dict[str, Any]:
    return {
        "id": uuid4(), "alert_id": alert.id, "at": clock.now(), "kind": kind, "fen": fen, "account_id": who.actor.person_id,
    }  # fmt: skip
