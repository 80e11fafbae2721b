"""Shapes of break-glass at the border of the API."""

from marshmallow import fields, validate

from app.web import Schema, Text

REASON_LEAST = 20


class PersonView(Schema):
    part = fields.String()
    name = fields.String(allow_none=True)
    phone = fields.String(allow_none=True)
    address = fields.String(allow_none=True)


class OpeningDraft(Schema):
    reason = Text(
        1000,
        least=REASON_LEAST,
        required=True,
        metadata={"minLength": REASON_LEAST, "description": "why this identity has to be known; stays on record"},
    )


class Asked(Schema):
    id = fields.UUID(required=True)
    petition_id = fields.UUID(required=True)
    status = fields.String(required=True, validate=validate.OneOf(("asked", "granted", "over")))


class OpeningView(Asked):
    serial = fields.String(required=True)
    at = fields.AwareDateTime(required=True)
    reason = fields.String(required=True)
    asked_by = fields.String(required=True, metadata={"description": "name of the body that asks"})
    granted_by = fields.String(required=True, allow_none=True, metadata={"description": "name of the second body"})
    until = fields.AwareDateTime(required=True, allow_none=True)
    mine = fields.Boolean(required=True)


class OpeningList(Schema):
    items = fields.List(fields.Nested(OpeningView), required=True)


class OpenedIdentity(Schema):
    people = fields.List(fields.Nested(PersonView), required=True)
    until = fields.AwareDateTime(required=True)
