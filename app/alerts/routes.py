"""Alerts over HTTP: schema in, transaction, one call, schema out. Whoever may not know of an alert gets 404."""

from typing import Any

from app.alerts import intake
from app.alerts.schemas import AlertDraft, AlertFolded
from app.auth import visitor
from app.web import Blueprint

alerts = Blueprint("alerts", __name__, url_prefix="/api/v1", description="预警 alerts")


@alerts.post("/alerts")
@alerts.arguments(AlertDraft)
@alerts.response(201, AlertFolded)
@alerts.doc(parameters=[intake.KEY_HEADER], security=[])
def push_alert(draft: dict[str, Any]) -> Any:
    """Send one alert, as a source outside with a key. The same rule, key and rows a second time change nothing."""
    with visitor():
        return intake.receive_alert(draft, intake.key_of_request())
