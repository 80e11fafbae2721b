"""Shapes of alerts at the border of the API."""

import re
from collections.abc import Iterable
from typing import Any

from marshmallow import ValidationError, fields, validate, validates_schema

from app.directory.codes import fault_of
from app.web import Schema, Text
from workflows.alert import (
    CLEARANCE_REASONS,
    COLOURS,
    FORMS,
    HOLD_REASONS,
    REOPEN_REASONS,
    SCOPES,
    VERDICTS,
    WITHDRAW_REASONS,
    AlertState,
)

OUTCOMES = ("new", "known", "evidence_added", "child", "suppressed")
LARGEST = 2**63 - 1
STATES = [state.value for state in AlertState]


class Instant(fields.DateTime):
    """An instant that may already be ISO text, as PostgreSQL's json writes it."""

    def _serialize(self, value: object, attr: str | None, obj: object, **more: object) -> object:
        return value if isinstance(value, str) else super()._serialize(value, attr, obj, **more)


def _require_village(code: str) -> None:
    if fault_of(code) is not None or code.endswith("000"):
        raise ValidationError("not the twelve-digit code of a village")


class AlertEvidenceDraft(Schema):
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
    evidence = fields.List(fields.Nested(AlertEvidenceDraft), required=True, validate=validate.Length(1, 200))


class AlertFolded(Schema):
    fingerprint = fields.String()
    outcome = fields.String(validate=validate.OneOf(OUTCOMES))


class AlertLimit(Schema):
    policy = fields.String()
    name = fields.String()
    name_en = fields.String()
    due_at = fields.String(metadata={"format": "date-time"})
    due_on = fields.String(allow_none=True, metadata={"format": "date"})
    statutory = fields.Boolean()
    provisional = fields.Boolean()


class AlertWords(Schema):
    zh = fields.String()
    en = fields.String()


class AlertRow(Schema):
    id = fields.UUID()
    serial = fields.String()
    rule_code = fields.String()
    rule_version = fields.Integer()
    rule_name = fields.Nested(AlertWords)
    place = fields.String()
    colour = fields.String(validate=validate.OneOf(COLOURS))
    shown_colour = fields.String(
        validate=validate.OneOf(COLOURS),
        metadata={"description": "one step graver when a petition that I may see is linked to it"},
    )
    corroborated = fields.Boolean(metadata={"description": "a petition that I may see shares a person, contract or place"})
    money_fen = fields.Integer(allow_none=True)
    happened_on = fields.Date(allow_none=True)
    raised_at = Instant()
    packet_id = fields.UUID(allow_none=True)
    state = fields.String(validate=validate.OneOf(STATES))
    state_label = fields.String()
    state_label_en = fields.String()
    level = fields.Integer()
    body = fields.String(allow_none=True, metadata={"description": "in charge"})
    overdue = fields.Boolean()
    verdict = fields.String(allow_none=True)
    limits = fields.List(fields.Nested(AlertLimit))
    next_due_at = Instant(allow_none=True)


class AlertPage(Schema):
    items = fields.List(fields.Nested(AlertRow))
    next = fields.String(allow_none=True)


class AlertQuery(Schema):
    open = fields.Boolean(load_default=None, allow_none=True)
    state = fields.String(load_default=None, validate=validate.OneOf(STATES))
    colour = fields.String(load_default=None, validate=validate.OneOf(COLOURS))
    rule_code = Text(40, load_default=None)
    packet_id = fields.UUID(load_default=None)
    place = fields.String(load_default=None, validate=validate.Regexp(re.compile(r"^[0-9]{2,12}\Z")))
    cursor = fields.String(load_default=None, validate=validate.Length(max=200))
    limit = fields.Integer(load_default=50, validate=validate.Range(1, 100))


class AlertAction(Schema):
    name = fields.String()
    label = fields.String()
    label_en = fields.String()


class AlertStep(Schema):
    seq = fields.Integer()
    at = Instant()
    event = fields.String()
    label = fields.String()
    label_en = fields.String()
    to_state = fields.String()
    body = fields.String(allow_none=True)
    facts = fields.Dict()


class AlertRecordField(Schema):
    code = fields.String()
    label = fields.Nested(AlertWords)
    type = fields.String(metadata={"description": "of the dataset: money is fen"})
    value = fields.Raw(allow_none=True)


class AlertEvidenceView(Schema):
    dataset = fields.String()
    dataset_name = fields.Nested(AlertWords)
    row_id = fields.Integer()
    part = fields.String()
    money_fen = fields.Integer(allow_none=True)
    added_at = Instant()
    source = fields.String(allow_none=True)
    version = fields.Integer(allow_none=True)
    event_on = fields.String(allow_none=True)
    arrived_at = Instant(allow_none=True)
    superseded_at = Instant(allow_none=True, metadata={"description": "a later version took its place; this one is what was found"})
    readable = fields.Boolean(metadata={"description": "whether I may read the row"})
    fields_ = fields.List(fields.Nested(AlertRecordField), data_key="fields")


class AlertRuleView(Schema):
    code = fields.String()
    version = fields.Integer()
    name = fields.Nested(AlertWords)
    kind = fields.String(allow_none=True)
    params = fields.Dict()
    basis = fields.List(fields.String())
    innocent = fields.List(fields.Nested(AlertWords), metadata={"description": "innocent causes that are usual for this rule"})


class AlertClearanceView(Schema):
    id = fields.String()
    reason = fields.String()
    basis = fields.String()
    papers = fields.List(fields.Dict())
    scope = fields.String()
    subject = fields.String(allow_none=True)
    amount_fen = fields.Integer(allow_none=True)
    until = fields.String(allow_none=True)
    asked_by = fields.String()
    asked_at = Instant()
    decision = fields.String(allow_none=True)
    decided_by = fields.String(allow_none=True)
    decided_at = Instant(allow_none=True)
    suppressed = fields.Integer(metadata={"description": "later hits that it covered"})


class AlertQuestionView(Schema):
    id = fields.String()
    question = fields.String()
    shown = fields.List(fields.String())
    asked_at = Instant()
    due_at = Instant(allow_none=True)
    answer = fields.String(allow_none=True)
    answered_at = Instant(allow_none=True)


class AlertTaskView(Schema):
    id = fields.String()
    task = fields.String()
    owner = fields.String()
    due_on = fields.String()
    ordered_at = Instant()
    proof = fields.String(allow_none=True)
    proved_at = Instant(allow_none=True)


class AlertVerdictView(Schema):
    at = Instant()
    verdict = fields.String()
    reason = fields.String()
    dataset = fields.String(allow_none=True)
    field = fields.String(allow_none=True)
    by = fields.String()
    blind = fields.Boolean()


class AlertDisposalView(Schema):
    at = Instant()
    person = fields.String()
    form = fields.String()


class AlertMoneyView(Schema):
    at = Instant()
    kind = fields.String()
    fen = fields.Integer()


class AlertLinkView(Schema):
    petition_id = fields.String()
    serial = fields.String()
    kind = fields.String()


class AlertRelatedView(Schema):
    id = fields.String()
    serial = fields.String()
    rule_code = fields.String()
    state = fields.String()
    how = fields.String(validate=validate.OneOf(("muted", "child", "earlier", "stronger", "same_key")))


class AlertView(AlertRow):
    version = fields.Integer()
    rule = fields.Nested(AlertRuleView)
    evidence = fields.List(fields.Nested(AlertEvidenceView))
    unit = fields.String(allow_none=True)
    checkers = fields.List(fields.UUID())
    freeze = fields.String(allow_none=True)
    resolution = fields.String(allow_none=True)
    sampled = fields.Boolean()
    hold_reason = fields.String(allow_none=True)
    clearances = fields.List(fields.Nested(AlertClearanceView))
    questions = fields.List(fields.Nested(AlertQuestionView))
    tasks = fields.List(fields.Nested(AlertTaskView))
    verdicts = fields.List(fields.Nested(AlertVerdictView))
    disposals = fields.List(fields.Nested(AlertDisposalView))
    money = fields.List(fields.Nested(AlertMoneyView))
    petitions = fields.List(fields.Nested(AlertLinkView))
    related = fields.List(fields.Nested(AlertRelatedView))
    allowed_actions = fields.List(fields.Nested(AlertAction))
    timeline = fields.List(fields.Nested(AlertStep))


class AlertDone(Schema):
    id = fields.UUID()
    state = fields.String(validate=validate.OneOf(STATES))
    version = fields.Integer()
    level = fields.Integer()
    colour = fields.String()
    next_due_at = Instant(allow_none=True)


class AlertUnitDone(Schema):
    state = fields.String(validate=validate.OneOf(STATES))


class AlertUnitQuery(Schema):
    open = fields.Boolean(load_default=None, allow_none=True)


class AlertQuestionList(Schema):
    items = fields.List(fields.Nested(AlertQuestionView))


class AlertTaskList(Schema):
    items = fields.List(fields.Nested(AlertTaskView))


class AlertPacketView(Schema):
    id = fields.UUID()
    rule_code = fields.String()
    rule_name = fields.Nested(AlertWords)
    rule_version = fields.Integer()
    township = fields.String()
    made_at = Instant()
    items = fields.Integer()
    held = fields.Integer()
    decided = fields.Integer(metadata={"description": "items with a verdict"})
    states = fields.Dict(keys=fields.String(), values=fields.Integer())


class AlertPacketPage(Schema):
    items = fields.List(fields.Nested(AlertPacketView))
    next = fields.String(allow_none=True)


class AlertPacketQuery(Schema):
    held = fields.Boolean(load_default=False)
    cursor = fields.String(load_default=None, validate=validate.Length(max=200))
    limit = fields.Integer(load_default=50, validate=validate.Range(1, 100))


class AlertPacketDone(Schema):
    id = fields.UUID()
    moved = fields.Integer()
    left = fields.Integer(metadata={"description": "held items that wait for another request"})


class AlertPaperDraft(Schema):
    kind = Text(40, least=1, required=True)
    title = Text(200, least=1, required=True)


class AlertItemDraft(Schema):
    task = Text(500, least=1, required=True)
    owner = Text(50, least=1, required=True)
    due = fields.Date(required=True)


class AlertPersonDisposed(Schema):
    person = Text(50, least=1, required=True)
    form = fields.String(required=True, validate=validate.OneOf(FORMS))


def _text(limit: int = 2_000) -> Text:
    return Text(limit, least=1, required=True)


def _one_of(choices: Iterable[str]) -> fields.String:
    return fields.String(required=True, validate=validate.OneOf(tuple(choices)))


def _fen(least: int = 0) -> fields.Integer:
    return fields.Integer(required=True, strict=True, validate=validate.Range(least, LARGEST))


def _checkers() -> fields.List:
    return fields.List(fields.UUID(), required=True, validate=validate.Length(1, 10))


def _verdict(**more: Any) -> dict[str, object]:
    field = fields.String(
        load_default=None, allow_none=True, validate=validate.Regexp(re.compile(r"^[a-z][a-z0-9_]{0,39}\.[a-z][a-z0-9_]{0,39}\Z")),
        metadata={"description": "for E: `dataset.field` where the data is wrong"},
    )  # fmt: skip
    return {"verdict": _one_of(VERDICTS), "source_field": field, **more}


# One shape per action of those who see the alert: the facts that its transition asks for.
_CLEARANCE: dict[str, object] = {
    "reason_code": _one_of(CLEARANCE_REASONS), "scope": _one_of(SCOPES), "basis": _text(), "until": fields.Date(load_default=None, allow_none=True),
    "papers": fields.List(fields.Nested(AlertPaperDraft), required=True, validate=validate.Length(max=20)),
    "subject": Text(100, load_default=None, metadata={"description": "the contract or the hash of the person that it is bound to"}),
    "amount_fen": fields.Integer(load_default=None, allow_none=True, strict=True, validate=validate.Range(0, LARGEST)),
}  # fmt: skip
_FACTS: dict[str, dict[str, object]] = {
    "hold": {"reason_code": _one_of(HOLD_REASONS)},
    "withdraw": {"reason_code": _one_of(WITHDRAW_REASONS), "reason": _text()},
    "dispatch": {"org_id": fields.UUID(load_default=None, allow_none=True)},
    "sign": {},
    "start_check": {"checker_ids": _checkers()},
    "assign_checkers": {"checker_ids": _checkers(), "reason": _text()},
    "ask_explanation": {"question": _text(), "shown": fields.List(Text(500, least=1), required=True, validate=validate.Length(1, 30))},
    "drop_question": {},
    "request_freeze": {"department_org_id": fields.UUID(required=True), "reason": _text()},
    "confirm_freeze": {"reason": _text()},
    "lift_freeze": {"reason": _text()},
    "request_extension": {"days": fields.Integer(required=True, strict=True, validate=validate.Range(1, 10)), "reason": _text()},
    "approve_extension": {"days": fields.Integer(required=True, strict=True, validate=validate.Range(1, 10))},
    "refuse_extension": {"reason": _text()},
    "request_clearance": _CLEARANCE,
    "approve_clearance": {"opinion": _text()},
    "refuse_clearance": {"reason": _text()},
    "file_papers": {"minutes": _text()},
    "report_findings": {"findings": _text(10_000), "persons": fields.List(Text(50, least=1), required=True, validate=validate.Length(max=50)), "amount": _fen()},
    "return_findings": {"reason": _text()},
    "confirm": {"opinion": _text()},
    "order_rectification": {"items": fields.List(fields.Nested(AlertItemDraft), required=True, validate=validate.Length(1, 30))},
    "send_as_clue": {"reason": _text()},
    "file_case": {"basis": _text()},
    "take_back": {"reason": _text()},
    "record_disposal": {
        "persons": fields.List(fields.Nested(AlertPersonDisposed), required=True, validate=validate.Length(max=50)),
        "amount": _fen(), "recovered": _fen(), "returned": _fen(),
    },
    "record_money": {"kind": _one_of(("recovered", "returned")), "fen": _fen(1)},
    "return_proof": {"reason": _text()},
    "strike_off": {"items_left": fields.Integer(required=True, strict=True, validate=validate.Range(0, 100)), "note": _text()},
    "rate": _verdict(reason=Text(2_000, load_default="")),
    "revise_verdict": _verdict(reason=_text()),
    "re_examine": _verdict(opinion=_text()),
    "pass_look_back": {"note": _text()},
    "reopen": {"reason_code": _one_of(REOPEN_REASONS), "reason": _text(), "checker_ids": _checkers()},
    "acknowledge_external": {"note": _text()},
    "return_external": {"note": _text()},
    "record_external_end": {"note": _text()},
}  # fmt: skip
# What the unit does, by its question or its task.
_UNIT_FACTS: dict[str, dict[str, object]] = {
    "explain": {"explanation": _text(10_000)},
    "request_clearance": _CLEARANCE,
    "file_papers": {"minutes": _text()},
}
ProofDraft = Schema.from_dict({"proof": _text(10_000)}, name="AlertProofInput")  # type: ignore[dict-item]


def _shapes(facts: dict[str, dict[str, object]], prefix: str) -> dict[str, type[Schema]]:
    return {
        event: Schema.from_dict(shape, name=prefix + "".join(w.title() for w in event.split("_")) + "Input")  # type: ignore[misc]
        for event, shape in facts.items()
    }


ACTIONS = _shapes(_FACTS, "Alert")
# What the owner of a rule does to everything that a packet holds.
PACKET_ACTIONS = _shapes({name: _FACTS[name] for name in ("dispatch", "withdraw")}, "AlertPacket")
UNIT_ACTIONS = _shapes(_UNIT_FACTS, "AlertUnit")
