"""Shapes of queries and of the record of their use."""

from marshmallow import fields, validate

from app.web import Schema, Text

STATES = ("current", "late", "silent", "partial", "missing")


class About(Schema):
    kind = fields.String(required=True, validate=validate.OneOf(("person", "company", "place")))
    number = Text(
        40,
        least=1,
        required=True,
        metadata={"description": "identity number, unified social credit code or division code; hashed, never stored or logged"},
    )


class Reason(Schema):
    purpose = Text(500, least=4, required=True, metadata={"description": "why this is asked; kept for those who review"})
    petition_id = fields.UUID(load_default=None, allow_none=True, metadata={"description": "the petition that it serves"})
    alert_id = fields.UUID(load_default=None, allow_none=True, metadata={"description": "the alert that it serves, as the asker names it"})


class QueryDraft(Reason):
    about = fields.Nested(About, required=True)
    reveal = fields.Boolean(load_default=False, metadata={"description": "show personal fields, by right and on record"})


class SourceState(Schema):
    code = fields.String()
    name = fields.String()
    scope = fields.String()
    last_arrival_at = fields.AwareDateTime(allow_none=True)
    watermark = fields.Date(allow_none=True, metadata={"description": "the newest event day that it has sent"})
    degraded = fields.Boolean()


class Searched(Schema):
    dataset = fields.String()
    name = fields.String()
    name_en = fields.String()
    state = fields.String(
        validate=validate.OneOf(STATES),
        metadata={"description": "only of a `current` dataset does nothing found say something"},
    )
    sources = fields.List(fields.Nested(SourceState))


class FoundRecord(Schema):
    row_id = fields.Integer(metadata={"description": "one version of one record"})
    source = fields.String()
    version = fields.Integer()
    place = fields.String()
    event_on = fields.Date(allow_none=True)
    arrived_at = fields.AwareDateTime()
    found_in = fields.List(fields.String(), metadata={"description": "fields in which the subject stands"})
    fields_ = fields.Dict(data_key="fields", attribute="fields", metadata={"description": "money in fen; never a keyed hash"})


class FoundInDataset(Searched):
    found = fields.Integer(metadata={"description": "rows in all; `items` holds the newest twenty"})
    masked = fields.List(fields.String(), metadata={"description": "personal fields that are not shown"})
    items = fields.List(fields.Nested(FoundRecord))


class QueryAnswer(Schema):
    id = fields.UUID(metadata={"description": "of the record of this use"})
    at = fields.AwareDateTime()
    found = fields.Integer()
    datasets = fields.List(fields.Nested(FoundInDataset))


class UseQuery(Schema):
    petition_id = fields.UUID(load_default=None, allow_none=True)
    account_id = fields.UUID(load_default=None, allow_none=True)
    cursor = Text(200, load_default=None, allow_none=True)
    limit = fields.Integer(load_default=50, validate=validate.Range(1, 100))


class UseView(Schema):
    id = fields.UUID()
    at = fields.AwareDateTime()
    subject_kind = fields.String()
    subject = fields.String(metadata={"description": "keyed hash, or the code of a village"})
    revealed = fields.Boolean(metadata={"description": "whether names were shown"})
    purpose = fields.String()
    petition_id = fields.UUID(allow_none=True)
    alert_id = fields.UUID(allow_none=True)
    counts = fields.Dict(keys=fields.String(), values=fields.Integer(), metadata={"description": "rows found by dataset"})
    account_id = fields.UUID()
    reader = fields.String()
    role = fields.String()
    body = fields.String()


class UsePage(Schema):
    items = fields.List(fields.Nested(UseView))
    next = fields.String(allow_none=True)
