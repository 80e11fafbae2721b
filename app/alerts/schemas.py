"""Shapes of alerts at the border of the API."""

import re
from typing import Any

from marshmallow import ValidationError, fields, validate, validates_schema

from app.directory.codes import fault_of
from app.web import Schema, Text
from workflows.alert_record import COLOURS

OUTCOMES = ("new", "known", "evidence_added", "child", "suppressed")
LARGEST = 2**63 - 1
_KEY = Text(200, least=1, required=True)


def _require_village(code: str) -> None:
    if fault_of(code) is not None or code.endswith("000"):
        raise ValidationError("not the twelve-digit code of a village")


class EvidenceDraft(Schema):
    reference = Text(200, least=1, required=True, metadata={"description": "of the row, at the source"})
    dataset = fields.String(required=True, validate=validate.Regexp(re.compile(r"^[a-z][a-z0-9_]{0,39}\Z")))
    part = Text(100, load_default="")
    money_fen = fields.Integer(load_default=None, allow_none=True, strict=True, validate=validate.Range(0, LARGEST))
    content = fields.Dict(
        keys=Text(60, least=1), values=Text(500), load_default=dict, metadata={"description": "the row as the source has it, field by field"}
    )  # fmt: skip

    @validates_schema
    def _is_small(self, data: dict[str, Any], **_more: Any) -> None:
        if len(data["content"]) > 60:
            raise ValidationError("more than 60 fields", "content")


class AlertDraft(Schema):
    rule_code = Text(40, least=1, required=True)
    rule_name = Text(100, least=1, required=True)
    rule_version = fields.Integer(load_default=1, strict=True, validate=validate.Range(1, 2**31 - 1))
    module = Text(40, load_default="outside")
    alert_key = Text(200, least=1, required=True, metadata={"description": "what it is about; with the rule it identifies the alert"})
    place = fields.String(required=True, validate=_require_village)
    colour = fields.String(required=True, validate=validate.OneOf(COLOURS))
    happened_on = fields.Date(load_default=None, allow_none=True)
    money_fen = fields.Integer(load_default=None, allow_none=True, strict=True, validate=validate.Range(0, LARGEST))
    names = fields.List(Text(50, least=1), load_default=list, validate=validate.Length(max=50), metadata={"description": "of the people it is about: they, and their kin, never see it"})
    companies = fields.List(Text(40, least=1), load_default=list, validate=validate.Length(max=50))
    contracts = fields.List(Text(100, least=1), load_default=list, validate=validate.Length(max=50))
    evidence = fields.List(fields.Nested(EvidenceDraft), required=True, validate=validate.Length(1, 200))


class AlertFolded(Schema):
    fingerprint = fields.String()
    outcome = fields.String(validate=validate.OneOf(OUTCOMES))
