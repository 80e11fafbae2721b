"""Shapes of the record of reads and of a petitioner's own data."""

from typing import Any

from marshmallow import ValidationError, fields, validate, validates_schema

from app.privacy.own_data import GROUNDS
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


class Corrected(Schema):
    name = Text(50, load_default=None, allow_none=True)
    phone = fields.String(
        load_default=None,
        allow_none=True,
        validate=validate.Regexp(r"\A1[0-9]{10}\Z"),
        metadata={"pattern": "^1[0-9]{10}$"},
    )
    address = Text(200, load_default=None, allow_none=True)


class DataRequestDraft(Schema):
    petition_id = fields.UUID(required=True)
    kind = fields.String(required=True, validate=validate.OneOf(("correct", "delete")))
    wish = Text(
        2_000, least=2, required=True, metadata={"description": "what is wrong, or what is to be deleted and why"}
    )
    corrected = fields.Nested(
        Corrected,
        load_default=None,
        allow_none=True,
        metadata={"description": "new contact data of the petitioner; sealed at once, and put in place when granted"},
    )


class DataRequestAsked(Schema):
    id = fields.UUID(required=True)
    petition_id = fields.UUID(required=True)
    kind = fields.String(required=True)
    due_on = fields.Date(required=True, metadata={"description": "the last of fifteen working days"})


class DataRequestQuery(Schema):
    open = fields.Boolean(load_default=True)


class DataRequestView(DataRequestAsked):
    serial = fields.String(required=True)
    wish = fields.String(required=True)
    has_corrected = fields.Boolean(required=True)
    asked_at = fields.AwareDateTime(required=True)
    provisional = fields.Boolean(required=True)
    overdue = fields.Boolean(required=True)
    decision = fields.String(required=True, allow_none=True)
    ground = fields.String(required=True, allow_none=True)
    reason = fields.String(required=True, allow_none=True)
    decided_at = fields.AwareDateTime(required=True, allow_none=True)


class DataRequestList(Schema):
    items = fields.List(fields.Nested(DataRequestView), required=True)


class DataDecision(Schema):
    decision = fields.String(required=True, validate=validate.OneOf(("granted", "refused")))
    ground = fields.String(
        load_default=None,
        allow_none=True,
        validate=validate.OneOf(tuple(GROUNDS)),
        metadata={"description": "needed for a refusal: " + "; ".join(f"{k} {v}" for k, v in GROUNDS.items())},
    )
    reason = Text(2_000, least=2, required=True)

    @validates_schema
    def _check(self, data: dict[str, Any], **_more: object) -> None:
        if (data.get("decision") == "refused") != bool(data.get("ground")):
            raise ValidationError({"ground": ["a refusal names its legal ground, a grant has none"]})


class DataDecided(Schema):
    id = fields.UUID(required=True)
    petition_id = fields.UUID(required=True)
    decision = fields.String(required=True)


class OwnData(Schema):
    """What is kept about the person who asks, as one document to keep."""

    at = fields.AwareDateTime(required=True)
    account = fields.Dict(required=True, allow_none=True)
    cases = fields.List(fields.Dict(), required=True)
