"""What the inbox and the list of undelivered messages look like to a client."""

from marshmallow import fields, validate

from app.web import Schema, Text


class PageQuery(Schema):
    cursor = Text(200, load_default=None, allow_none=True)
    limit = fields.Integer(load_default=50, validate=validate.Range(1, 100))


class InboxQuery(PageQuery):
    unread = fields.Boolean(load_default=False)


class InboxItem(Schema):
    id = fields.UUID(required=True)
    at = fields.AwareDateTime(required=True)
    event = fields.String(required=True)
    petition_id = fields.UUID(required=True, allow_none=True)
    serial = fields.String(required=True, allow_none=True)
    text = fields.String(required=True)
    text_en = fields.String(required=True)
    read_at = fields.AwareDateTime(required=True, allow_none=True)


class InboxPage(Schema):
    items = fields.List(fields.Nested(InboxItem), required=True)
    next = fields.String(required=True, allow_none=True)


class DeadLetter(Schema):
    id = fields.UUID(required=True)
    created_at = fields.AwareDateTime(required=True)
    audience = fields.String(required=True)
    template = fields.String(required=True)
    petition_id = fields.UUID(required=True, allow_none=True)
    attempts = fields.Integer(required=True)
    last_error = fields.String(required=True, allow_none=True)
    resendable = fields.Boolean(required=True)


class DeadLetterPage(Schema):
    items = fields.List(fields.Nested(DeadLetter), required=True)
    next = fields.String(required=True, allow_none=True)


class Resent(Schema):
    id = fields.UUID(required=True)
    status = fields.String(required=True)
    next_attempt_at = fields.AwareDateTime(required=True)
