"""Reading alerts: lists, one alert with everything that hangs on it, packets, and what a unit sees."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from sqlalchemy import Row, exists, select, text

from app.alerts import door, evidence
from app.alerts.models import Alert, AlertLink, AlertPacket, AlertQuestion, AlertRule, AlertTask
from app.auth import Identity
from app.directory.service import organisation_names
from app.errors import Unknown
from app.extensions import db
from app.text import catalogue
from app.web import cursor_of, read_cursor
from workflows.alert import ALERT_EVENT_LABELS, ALERT_LABELS, COLOURS, AlertEvent, AlertState

# Whether a petition that the reader may see as well is linked to it.
_CORROBORATED = exists(select(1).where(AlertLink.alert_id == Alert.id)).label("corroborated")
_ROW = (
    Alert.id, Alert.serial, Alert.rule_code, Alert.rule_version, Alert.place, Alert.colour, Alert.money_fen, Alert.happened_on,
    Alert.raised_at, Alert.packet_id, Alert.state, Alert.level, Alert.org_id, Alert.overdue, Alert.verdict, Alert.limits,
    Alert.next_due_at, _CORROBORATED, AlertRule.document["name"].label("rule_name"),
)  # fmt: skip
_RULE = (AlertRule.code == Alert.rule_code) & (AlertRule.version == Alert.rule_version)


def _many(table: str, columns: str, order: str, more: str = "") -> str:
    pairs = [one.split() for one in columns.split(", ")]
    named = ", ".join(f"'{pair[-1].rpartition('.')[2]}', {pair[0]}" for pair in pairs)
    return f"(SELECT json_agg(json_build_object({named}) ORDER BY {order}) FROM {table} {more} WHERE x.alert_id = :id)"


_FOLDER = text(
    f"""
    SELECT {_many("alert_events x", "x.seq, x.at, x.event, x.to_state, x.org_id, x.facts", "x.seq")} AS events,
           {_many("alert_evidence x", "x.row_id, x.dataset, x.part, x.money_fen, x.content, x.added_at", "x.part, x.row_id")} AS evidence,
           {_many("alert_questions x", "x.id, x.question, x.shown, x.asked_at, x.due_at, x.answer, x.answered_at", "x.asked_at")} AS questions,
           {_many("alert_tasks x", "x.id, x.task, x.owner, x.due_on, x.ordered_at, x.proof, x.proved_at", "x.due_on, x.task")} AS tasks,
           {_many("alert_disposals x", "x.at, x.person, x.form", "x.at")} AS disposals,
           {_many("alert_money x", "x.at, x.kind, x.fen", "x.at")} AS money,
           {_many("alert_verdicts x", "x.at, x.verdict, x.reason, x.dataset, x.field, x.blind, s.name by", "x.at",
                  "JOIN staff_accounts s ON s.id = x.account_id")} AS verdicts,
           {_many("alert_clearances x", "x.id, x.reason, x.basis, x.papers, x.scope, x.subject, x.amount_fen, x.until, x.asked_at, x.decision, "
                  "x.decided_at, s.name asked_by, d.name decided_by, n.hits suppressed", "x.asked_at",
                  "JOIN staff_accounts s ON s.id = x.asked_by LEFT JOIN staff_accounts d ON d.id = x.decided_by CROSS JOIN LATERAL "
                  "(SELECT count(*) AS hits FROM alert_suppressions u WHERE u.clearance_id = x.id) n")} AS clearances,
           {_many("alert_links x", "x.petition_id, x.kind, p.serial serial", "x.kind, p.serial",
                  "JOIN petitions p ON p.id = x.petition_id")} AS petitions,
           (SELECT json_agg(json_build_object('id', a.id, 'serial', a.serial, 'rule_code', a.rule_code, 'state', a.state, 'how',
                     CASE WHEN a.parent_id = me.id THEN 'muted' WHEN a.earlier_id = me.id THEN 'child' WHEN a.id = me.earlier_id THEN 'earlier'
                          WHEN a.id = me.parent_id THEN 'stronger' ELSE 'same_key' END) ORDER BY a.raised_at, a.serial)
              FROM alerts me JOIN alerts a ON a.id <> me.id
               AND (a.parent_id = me.id OR a.earlier_id = me.id OR a.id = me.earlier_id OR a.id = me.parent_id
                    OR (a.alert_key = me.alert_key AND a.place = me.place AND a.current AND a.rule_code <> me.rule_code))
             WHERE me.id = :id) AS related,
           (SELECT r.document FROM alert_rules r WHERE r.code = :rule AND r.version = :version) AS document
    """
)
_PACKETS = text(
    """
    SELECT k.*, r.document->'name' AS rule_name, count(*) AS items, count(*) FILTER (WHERE a.state = 'held') AS held,
           count(a.verdict) AS decided
      FROM alert_packets k JOIN alerts a ON a.packet_id = k.id
      LEFT JOIN alert_rules r ON r.code = k.rule_code AND r.version = k.rule_version
     WHERE CAST(:at AS timestamptz) IS NULL OR (k.made_at, k.id) < (CAST(:at AS timestamptz), CAST(:last AS uuid))
     GROUP BY k.id, r.document HAVING NOT :held OR count(*) FILTER (WHERE a.state = 'held') > 0
     ORDER BY k.made_at DESC, k.id DESC LIMIT :most
    """
)
_STATES = text(
    "SELECT packet_id, state, count(*) AS n FROM alerts WHERE packet_id = ANY(:ids) GROUP BY packet_id, state ORDER BY state"
)


def list_alerts(query: Mapping[str, Any]) -> dict[str, Any]:
    """A page of the alerts that I may see, newest first. Three statements."""
    rows = select(*_ROW).outerjoin(AlertRule, _RULE).order_by(Alert.raised_at.desc(), Alert.id.desc())
    if query["open"] is not None:
        rows = rows.where(Alert.closed_at.is_(None) if query["open"] else Alert.closed_at.is_not(None))
    for name in ("state", "colour", "rule_code", "packet_id"):
        if query[name] is not None:
            rows = rows.where(getattr(Alert, name) == query[name])
    if query["place"]:
        rows = rows.where(Alert.place >= query["place"], Alert.place < f"{query['place']}:")
    if query["cursor"]:
        at, last = read_cursor(query["cursor"])
        rows = rows.where(text("(alerts.raised_at, alerts.id) < (:at, :last)").bindparams(at=at, last=last))
    found = db.session.execute(rows.limit(query["limit"] + 1)).all()
    shown = found[: query["limit"]]
    names = organisation_names(row.org_id for row in shown)
    more = len(found) > query["limit"]
    return {
        "items": [_row_view(row, names) for row in shown],
        "next": cursor_of(shown[-1].raised_at, shown[-1].id) if more else None,
    }


def alert_view(alert_id: UUID, who: Identity) -> dict[str, Any]:
    """One alert with its evidence, what was done, and what I may do. Raises Unknown. Whoever examines a sampled clearance again does
    not see the first verdict, nor why it was cleared."""
    alert = db.session.get(Alert, alert_id)
    if alert is None:
        raise Unknown()
    around = door.look_around(alert)
    values = {"id": alert_id, "rule": alert.rule_code, "version": alert.rule_version}
    folder = db.session.execute(_FOLDER, values).one()
    events = folder.events or []
    bodies = {alert.org_id, alert.unit_org_id, *(UUID(one["org_id"]) for one in events if one["org_id"])} - {None}
    names = organisation_names(bodies)
    actions = door.actions_for(alert, who.actor, around)
    blind = any(one["name"] == AlertEvent.RE_EXAMINE for one in actions)
    return {
        **{column.key: getattr(alert, column.key) for column in Alert.__table__.columns},
        **_labels(alert.state), **_priority(alert.colour, bool(folder.petitions)),
        "body": names.get(alert.org_id) if alert.org_id else None,
        "unit": names.get(alert.unit_org_id) if alert.unit_org_id else None,
        "checkers": alert.checker_ids,
        "rule_name": (folder.document or {}).get("name"),
        "rule": _rule_view(alert, folder.document or {}),
        "evidence": evidence.read_rows(folder.evidence or []),
        **{name: getattr(folder, name) or [] for name in ("questions", "tasks", "disposals", "money", "petitions", "related")},
        "verdict": None if blind else alert.verdict,
        "verdicts": [] if blind else folder.verdicts or [],
        "clearances": [] if blind else folder.clearances or [],
        "allowed_actions": actions,
        "timeline": [
            {
                **one, **_event_labels(one["event"]), "body": names.get(UUID(one["org_id"])) if one["org_id"] else None,
                "facts": {} if blind and one["event"] in _TELLS_THE_VERDICT else one["facts"],
            }
            for one in events
        ],
    }  # fmt: skip


_TELLS_THE_VERDICT = frozenset({"rate", "revise_verdict", "request_clearance", "approve_clearance", "re_examine"})


def list_packets(query: Mapping[str, Any]) -> dict[str, Any]:
    """A page of packets with how many items they have, are held and were decided, newest first; of the items, those that I may
    see. Two statements."""
    at, last = read_cursor(query["cursor"]) if query["cursor"] else (None, None)
    values = {"at": at, "last": last, "held": query["held"], "most": query["limit"] + 1}
    found = db.session.execute(_PACKETS, values).all()
    shown = found[: query["limit"]]
    states: dict[UUID, dict[str, int]] = {}
    for row in db.session.execute(_STATES, {"ids": [one.id for one in shown]}):
        states.setdefault(row.packet_id, {})[row.state] = row.n
    more = len(found) > query["limit"]
    return {
        "items": [{**one._mapping, "states": states.get(one.id, {})} for one in shown],
        "next": cursor_of(shown[-1].made_at, shown[-1].id) if more else None,
    }


def packet_items(packet_id: UUID) -> list[UUID]:
    """The held items of a packet that I may see. Raises Unknown when I see no item of it."""
    if db.session.get(AlertPacket, packet_id) is None:
        raise Unknown()
    return list(
        db.session.scalars(
            select(Alert.id).where(Alert.packet_id == packet_id, Alert.state == "held").order_by(Alert.fingerprint)
        )
    )


def list_questions(query: Mapping[str, Any], who: Identity) -> list[dict[str, Any]]:
    """What my body was asked, newest first: the question and the facts that were chosen for it, nothing else of the alert."""
    rows = select(AlertQuestion).where(AlertQuestion.org_id == who.actor.org_id)
    if query["open"] is not None:
        rows = rows.where(AlertQuestion.answer.is_(None) if query["open"] else AlertQuestion.answer.is_not(None))
    return _columns(rows.order_by(AlertQuestion.asked_at.desc()).limit(200))


def list_tasks(query: Mapping[str, Any], who: Identity) -> list[dict[str, Any]]:
    """What my body has to set right, the most urgent first."""
    rows = select(AlertTask).where(AlertTask.org_id == who.actor.org_id)
    if query["open"] is not None:
        rows = rows.where(AlertTask.proof.is_(None) if query["open"] else AlertTask.proof.is_not(None))
    return _columns(rows.order_by(AlertTask.due_on, AlertTask.id).limit(200))


def _columns(rows: Any) -> list[dict[str, Any]]:
    return [
        {column.key: getattr(one, column.key) for column in type(one).__table__.columns} for one in db.session.scalars(rows)
    ]


def _row_view(row: Row[Any], names: Mapping[UUID, str]) -> dict[str, Any]:
    return {**row._mapping, **_labels(row.state), **_priority(row.colour, row.corroborated), "body": names.get(row.org_id)}


def _priority(colour: str, corroborated: bool) -> dict[str, Any]:
    """XY-03: what a petition confirms is as urgent as the next graver colour, for whoever may see both."""
    palette = [one for one in COLOURS if one != "orange" or colour == "orange"]
    raised = palette[max(0, palette.index(colour) - 1)]
    return {"corroborated": corroborated, "shown_colour": raised if corroborated else colour}


def _rule_view(alert: Alert, document: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "code": alert.rule_code, "version": alert.rule_version, "name": document.get("name"), "kind": document.get("kind"),
        "params": document.get("params") or {}, "basis": document.get("basis") or [], "innocent": document.get("innocent") or [],
    }  # fmt: skip


def _labels(state: str) -> dict[str, str]:
    label = ALERT_LABELS[AlertState(state)]
    return {"state_label": label.zh, "state_label_en": label.en}


def _event_labels(event: str) -> dict[str, str]:
    if event in set(AlertEvent):
        label = ALERT_EVENT_LABELS[AlertEvent(event)]
        return {"label": label.zh, "label_en": label.en}
    zh, en = catalogue("alerts")[event]
    return {"label": zh, "label_en": en}
