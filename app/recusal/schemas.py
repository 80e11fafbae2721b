"""Shapes of recusal at the border of the API."""

from marshmallow import fields, validate

from app.web import Schema, Text
from workflows.recusal import DECLARABLE, Reason

STATUSES = ("asked", "in_force", "revoked")


class RecusalDraft(Schema):
    reason_code = fields.String(required=True, validate=validate.OneOf(DECLARABLE))
    note = Text(500, load_default="")


class ExclusionView(Schema):
    kind = fields.String(validate=validate.OneOf(("person", "body")))
    name = fields.String()
    reason = fields.String(validate=validate.OneOf([one.value for one in Reason]))
    label = fields.String()
    label_en = fields.String()
    rests_on = fields.String(allow_none=True, metadata={"description": "the person or body that it follows from"})
    kin_scope = fields.String(allow_none=True)
    kin = fields.String(allow_none=True)
    kin_en = fields.String(allow_none=True)
    note = fields.String(allow_none=True)
    since = fields.DateTime()
    bearer_id = fields.UUID(
        allow_none=True, metadata={"description": "who bears the name that it follows from; give it to ask for a lifting"}
    )


class LiftingDraft(Schema):
    bearer_id = fields.UUID(required=True)
    reason = Text(500, least=10, required=True)


class LiftingView(Schema):
    id = fields.UUID()
    petition_id = fields.UUID()
    bearer_id = fields.UUID()
    name = fields.String(allow_none=True)
    status = fields.String(validate=validate.OneOf(STATUSES))
    reason = fields.String()
    asked_by = fields.String(metadata={"description": "the body, never the person"})
    at = fields.DateTime()
    confirmed_by = fields.String(allow_none=True)
    confirmed_at = fields.DateTime(allow_none=True)
    revoked_by = fields.String(allow_none=True)
    revoked_at = fields.DateTime(allow_none=True)


class LiftingAsked(Schema):
    id = fields.UUID()
    status = fields.String(validate=validate.OneOf(STATUSES))


class ExclusionList(Schema):
    items = fields.List(fields.Nested(ExclusionView))
    liftings = fields.List(fields.Nested(LiftingView))
