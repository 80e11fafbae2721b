"""Places for everybody, bodies for staff, staff accounts for the system administrator."""

from typing import Any
from uuid import UUID

from app.auth import signed_in, visitor
from app.directory import service, staff
from app.directory.schemas import (
    DivisionList,
    DivisionQuery,
    DivisionView,
    HandOver,
    HandOverView,
    OrganisationPage,
    OrganisationQuery,
    StaffList,
    StaffQuery,
)
from app.errors import Forbidden, Unknown
from app.web import Blueprint
from workflows.actor import Actor, Role

directory = Blueprint("directory", __name__, url_prefix="/api/v1", description="Places, bodies and staff")


@directory.get("/divisions")
@directory.doc(security=[])
@directory.arguments(DivisionQuery, location="query")
@directory.response(200, DivisionList)
def list_divisions(query: dict[str, Any]) -> Any:
    """The divisions right below `parent` (provinces without it); with `q`, those anywhere below whose name contains it."""
    with visitor():
        if query["q"] is not None:
            return {"items": service.search_divisions(query["parent"], query["q"])}
        return {"items": service.children(query["parent"])}


@directory.get("/divisions/<string:code>")
@directory.doc(security=[])
@directory.response(200, DivisionView)
def get_division(code: str) -> Any:
    """One division by its twelve-digit code, withdrawn ones included."""
    with visitor():
        division = service.find_division(code)
        if division is None:
            raise Unknown()
        return division


@directory.get("/organisations")
@directory.arguments(OrganisationQuery, location="query")
@directory.response(200, OrganisationPage)
def list_organisations(query: dict[str, Any]) -> Any:
    """The active bodies of an area, for dispatching; by place and name."""
    with signed_in("staff"):
        return service.organisation_page(query["division"], query["kind"], query["cursor"], query["limit"])


@directory.get("/staff")
@directory.arguments(StaffQuery, location="query")
@directory.response(200, StaffList)
def list_staff(query: dict[str, Any]) -> Any:
    """The accounts with an appointment at a body, past ones included."""
    with signed_in("staff") as who:
        _require_administrator(who.actor)
        return {"items": staff.staff_of(query["organisation_id"])}


@directory.post("/staff/<uuid:account_id>/actions/hand-over")
@directory.arguments(HandOver)
@directory.response(200, HandOverView)
def hand_over_staff(body: dict[str, Any], account_id: UUID) -> Any:
    """Somebody leaves: their open cases go to the successor, their appointments and sessions end."""
    with signed_in("staff") as who:
        _require_administrator(who.actor)
        return staff.hand_over(account_id, body["successor_id"], who.actor)


def _require_administrator(actor: Actor) -> None:
    if actor.role != Role.SYSTEM_ADMIN:
        raise Forbidden()
