"""Shapes of the supervisor's desk and of supervision orders."""

from marshmallow import fields, validate

from app.web import Schema, Text

DESK_LISTS = ("overdue", "dissatisfied", "office_dissatisfied", "reopened", "silent", "circling", "supervised")


class DeskQuery(Schema):
    list = fields.String(
        load_default="overdue",
        validate=validate.OneOf(DESK_LISTS),
    )
    cursor = fields.String(load_default=None, validate=validate.Length(max=200))
    limit = fields.Integer(load_default=50, validate=validate.Range(1, 100))


class DeskRow(Schema):
    id = fields.UUID()
    serial = fields.String()
    title = fields.String()
    division_code = fields.String()
    state = fields.String()
    level = fields.Integer()
    round = fields.Integer()
    colour = fields.String(allow_none=True)
    body = fields.String(allow_none=True)
    since = fields.DateTime(allow_none=True)
    filed_at = fields.DateTime()
    next_due_at = fields.DateTime(allow_none=True)
    next_policy = fields.String(allow_none=True)
    next_event = fields.String(allow_none=True)


class DeskPage(Schema):
    items = fields.List(fields.Nested(DeskRow))
    next = fields.String(allow_none=True)


class OrderView(Schema):
    id = fields.UUID()
    petition_id = fields.UUID()
    serial = fields.String()
    state = fields.String()
    level = fields.Integer()
    reason = fields.String()
    colour = fields.String()
    issuer_org_id = fields.UUID(allow_none=True)
    target_org_id = fields.UUID(allow_none=True)
    issued_at = fields.DateTime()
    due_at = fields.DateTime()
    overdue = fields.Boolean()
    answer = fields.String(allow_none=True)
    allowed_actions = fields.List(fields.String())


class OrderQuery(Schema):
    petition_id = fields.UUID(load_default=None)


class OrderList(Schema):
    items = fields.List(fields.Nested(OrderView))


class OrderDraft(Schema):
    petition_id = fields.UUID(required=True)
    reason = Text(500, least=1, required=True)


class OrderAnswer(Schema):
    answer = Text(5_000, least=1, required=True)


class OrderReason(Schema):
    reason = Text(2_000, least=1, required=True)
