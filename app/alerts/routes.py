"""Alerts over HTTP: schema in, transaction, one call, schema out. Whoever may not know of an alert gets 404."""

from collections.abc import Callable
from typing import Any
from uuid import UUID

from app.alerts import intake, reading, service
from app.alerts.schemas import (
    ACTIONS,
    PACKET_ACTIONS,
    UNIT_ACTIONS,
    AlertDone,
    AlertDraft,
    AlertFolded,
    AlertPacketDone,
    AlertPacketPage,
    AlertPacketQuery,
    AlertPage,
    AlertQuery,
    AlertQuestionList,
    AlertTaskList,
    AlertUnitDone,
    AlertUnitQuery,
    AlertView,
    ProofDraft,
)
from app.auth import signed_in
from app.database import one_statement
from app.web import MATCH_HEADER, Blueprint, Schema, version_of_request
from workflows.alert import ALERT_EVENT_LABELS, AlertEvent

alerts = Blueprint("alerts", __name__, url_prefix="/api/v1", description="预警 alerts")
# A unit comes to the alert only to answer.
ANSWERING = "answer_alert"


@alerts.post("/alerts")
@alerts.arguments(AlertDraft)
@alerts.response(201, AlertFolded)
@alerts.doc(parameters=[intake.KEY_HEADER], security=[])
def push_alert(draft: dict[str, Any]) -> Any:
    """Send one alert, as a source outside with a key. The same rule, key and rows a second time change nothing."""
    with one_statement() as line:
        return intake.receive_alert(line, draft, intake.key_of_request())


@alerts.get("/alerts")
@alerts.arguments(AlertQuery, location="query")
@alerts.response(200, AlertPage)
def list_alerts(query: dict[str, Any]) -> Any:
    """The alerts that I may see, newest first."""
    with signed_in("staff"):
        return reading.list_alerts(query)


@alerts.get("/alerts/<uuid:alert_id>")
@alerts.response(200, AlertView)
def get_alert(alert_id: UUID) -> Any:
    """One alert: evidence side by side, rule, steps, limits, what I may do."""
    with signed_in("staff") as who:
        view = reading.alert_view(alert_id, who)
        return view, 200, {"ETag": f'"{view["version"]}"'}


@alerts.get("/alert-packets")
@alerts.arguments(AlertPacketQuery, location="query")
@alerts.response(200, AlertPacketPage)
def list_alert_packets(query: dict[str, Any]) -> Any:
    """Packets of a rule, a township and a run, with what became of their items; `held` for those that wait for the owner."""
    with signed_in("staff"):
        return reading.list_packets(query)


@alerts.get("/alert-questions")
@alerts.arguments(AlertUnitQuery, location="query")
@alerts.response(200, AlertQuestionList)
def list_alert_questions(query: dict[str, Any]) -> Any:
    """What my body is asked to explain."""
    with signed_in("staff") as who:
        return {"items": reading.list_questions(query, who)}


@alerts.get("/alert-tasks")
@alerts.arguments(AlertUnitQuery, location="query")
@alerts.response(200, AlertTaskList)
def list_alert_tasks(query: dict[str, Any]) -> Any:
    """What my body has to set right."""
    with signed_in("staff") as who:
        return {"items": reading.list_tasks(query, who)}


@alerts.post("/alert-tasks/<uuid:task_id>/actions/submit-proof")
@alerts.arguments(ProofDraft)
@alerts.response(200, AlertUnitDone)
def submit_alert_proof(facts: dict[str, Any], task_id: UUID) -> Any:
    """Prove that a task is done, as the unit."""
    with signed_in("staff", purpose=ANSWERING) as who:
        return service.submit_proof(task_id, who, facts)


def _action_route(event: str, shape: type[Schema]) -> Callable[..., Any]:
    def perform(facts: dict[str, Any], alert_id: UUID) -> Any:
        with signed_in("staff") as who:
            done = service.act(alert_id, event, who, facts, version_of_request())
            return done, 200, {"ETag": f'"{done["version"]}"'}

    perform.__name__ = f"alert_{event}"
    perform.__doc__ = f"{ALERT_EVENT_LABELS[AlertEvent(event)].zh} {event.replace('_', ' ')}."
    view = alerts.doc(parameters=[MATCH_HEADER])(perform)
    view = alerts.response(200, AlertDone)(view)
    return alerts.arguments(shape)(view)


def _unit_route(event: str, shape: type[Schema]) -> Callable[..., Any]:
    def perform(facts: dict[str, Any], question_id: UUID) -> Any:
        with signed_in("staff", purpose=ANSWERING) as who:
            return service.answer_question(question_id, event, who, facts)

    perform.__name__ = f"unit_{event}"
    perform.__doc__ = f"{ALERT_EVENT_LABELS[AlertEvent(event)].zh} {event.replace('_', ' ')}, as the unit that was asked."
    view = alerts.response(200, AlertUnitDone)(perform)
    return alerts.arguments(shape)(view)


def _packet_route(event: str, shape: type[Schema]) -> Callable[..., Any]:
    def perform(facts: dict[str, Any], packet_id: UUID) -> Any:
        with signed_in("staff") as who:
            return service.move_packet(packet_id, event, who, facts)

    perform.__name__ = f"packet_{event}"
    perform.__doc__ = f"{ALERT_EVENT_LABELS[AlertEvent(event)].zh} {event.replace('_', ' ')}: the held items of a packet."
    view = alerts.response(200, AlertPacketDone)(perform)
    return alerts.arguments(shape)(view)


for _event, _shape in ACTIONS.items():
    alerts.post(f"/alerts/<uuid:alert_id>/actions/{_event.replace('_', '-')}")(_action_route(_event, _shape))
for _event, _shape in PACKET_ACTIONS.items():
    alerts.post(f"/alert-packets/<uuid:packet_id>/actions/{_event.replace('_', '-')}")(_packet_route(_event, _shape))
for _event, _shape in UNIT_ACTIONS.items():
    alerts.post(f"/alert-questions/<uuid:question_id>/actions/{_event.replace('_', '-')}")(_unit_route(_event, _shape))
