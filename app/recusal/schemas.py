"""Shapes of recusal at the border of the API."""

from marshmallow import fields, validate

from app.web import Schema, Text
from workflows.recusal import DECLARABLE, Reason


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


class ExclusionList(Schema):
    items = fields.List(fields.Nested(ExclusionView))
