"""Shapes of the record of reads and of a petitioner's own data."""

from marshmallow import fields, validate

from app.web import Schema, Text


class ReadQuery(Schema):
    cursor = Text(200, load_default=None, allow_none=True)
    limit = fields.Integer(load_default=50, validate=validate.Range(1, 100))


class ReaderQuery(ReadQuery):
    account_id = fields.UUID(load_default=None, allow_none=True)


class ReadView(Schema):
    id = fields.UUID(required=True)
    at = fields.AwareDateTime(required=True)
    petition_id = fields.UUID(required=True, allow_none=True)
    what = fields.String(required=True, validate=validate.OneOf(("detail", "file", "identity", "export")))
    purpose = fields.String(
        required=True,
        metadata={
            "description": "handles, co_handles, in_charge, oversees, export, or the written reason of an opening"
        },
    )
    details = fields.Dict(required=True)
    account_id = fields.UUID(required=True)
    reader = fields.String(required=True)
    role = fields.String(required=True)
    body = fields.String(required=True)


class ReadPage(Schema):
    items = fields.List(fields.Nested(ReadView), required=True)
    next = fields.String(required=True, allow_none=True)
