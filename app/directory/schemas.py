"""Shapes of divisions, organisations and staff at the border of the API."""

from marshmallow import fields, validate

from app.directory.bodies import OrgKind
from app.web import Schema, Text

PLACE = r"\A(\d{2}|\d{4}|\d{6}|\d{9}|\d{12})\Z"
PLACE_METADATA = {"pattern": "^([0-9]{2}|[0-9]{4}|[0-9]{6}|[0-9]{9}|[0-9]{12})$"}


def _place() -> fields.String:
    """A twelve-digit code, or only its significant digits."""
    return fields.String(load_default=None, validate=validate.Regexp(PLACE), metadata=PLACE_METADATA)


class DivisionQuery(Schema):
    parent = _place()
    q = Text(50, least=2, load_default=None, metadata={"minLength": 2, "description": "part of a name"})


class DivisionView(Schema):
    code = fields.String(required=True)
    name = fields.String(required=True)
    level = fields.Integer(
        required=True, metadata={"description": "1 province, 2 city, 3 county, 4 township, 5 village"}
    )
    parent_code = fields.String(required=True, allow_none=True)
    path = fields.String(
        required=True, metadata={"description": "names from the province down; equal names are common"}
    )
    withdrawn_on = fields.Date(required=True, allow_none=True)


class DivisionList(Schema):
    items = fields.List(fields.Nested(DivisionView), required=True)


class OrganisationQuery(Schema):
    division = _place()
    kind = fields.String(load_default=None, validate=validate.OneOf([kind.value for kind in OrgKind]))
    limit = fields.Integer(load_default=50, validate=validate.Range(1, 200))
    cursor = fields.UUID(load_default=None, metadata={"description": "the `next_cursor` of the page before"})


class OrganisationView(Schema):
    id = fields.UUID(required=True)
    name = fields.String(required=True)
    kind = fields.String(required=True)
    kind_label = fields.String(required=True)
    kind_label_en = fields.String(required=True)
    division_code = fields.String(required=True)
    level = fields.Integer(required=True)
    parent_id = fields.UUID(required=True, allow_none=True)


class OrganisationPage(Schema):
    items = fields.List(fields.Nested(OrganisationView), required=True)
    next_cursor = fields.UUID(required=True, allow_none=True)


class StaffQuery(Schema):
    organisation_id = fields.UUID(required=True)


class StaffAppointmentView(Schema):
    role = fields.String(required=True)
    role_label = fields.String(required=True)
    role_label_en = fields.String(required=True)
    head = fields.Boolean(required=True)
    valid_from = fields.Date(required=True)
    valid_to = fields.Date(required=True, allow_none=True)


class StaffView(Schema):
    id = fields.UUID(required=True)
    username = fields.String(required=True)
    name = fields.String(required=True)
    left_on = fields.Date(required=True, allow_none=True)
    appointments = fields.List(fields.Nested(StaffAppointmentView), required=True)


class StaffList(Schema):
    items = fields.List(fields.Nested(StaffView), required=True)


class HandOver(Schema):
    successor_id = fields.UUID(required=True)


class HandOverView(Schema):
    account_id = fields.UUID(required=True)
    successor_id = fields.UUID(required=True)
    left_on = fields.Date(required=True)
    petitions_moved = fields.Integer(required=True)
    appointments_ended = fields.Integer(required=True)
