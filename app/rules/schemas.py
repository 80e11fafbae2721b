"""Shapes of rules."""

from marshmallow import fields, validate

from app.web import Schema, Text
from workflows.rule import RuleState

_STATES = {"validate": validate.OneOf([state.value for state in RuleState])}


class RuleName(Schema):
    zh = fields.String()
    en = fields.String()


class RuleAction(Schema):
    name = fields.String()
    label = fields.String()
    label_en = fields.String()


class RuleQuery(Schema):
    module = Text(40, load_default=None)
    state = fields.String(load_default=None, **_STATES)
    after = Text(20, load_default="", metadata={"description": "`next` of the page before"})
    limit = fields.Integer(load_default=50, validate=validate.Range(1, 200))


class RuleItem(Schema):
    code = fields.String()
    module = fields.String()
    scope = fields.String(metadata={"description": "whose it is: digits of a place, empty for what is shipped"})
    version = fields.Integer(metadata={"description": "the newest one"})
    state = fields.String(metadata={"description": "of the newest version"})
    live_version = fields.Integer(allow_none=True)
    name = fields.Nested(RuleName)
    kind = fields.String()
    changed_at = fields.AwareDateTime()


class RuleList(Schema):
    items = fields.List(fields.Nested(RuleItem))
    next = fields.String(allow_none=True)


class RuleVersionView(Schema):
    version = fields.Integer()
    state = fields.String()
    document = fields.Dict()
    sentence = fields.Nested(RuleName, allow_none=True, metadata={"description": "the rule as a sentence; null when its datasets changed"})
    author_id = fields.UUID(allow_none=True)
    approver_id = fields.UUID(allow_none=True)
    created_at = fields.AwareDateTime()
    changed_at = fields.AwareDateTime()
    live_at = fields.AwareDateTime(allow_none=True)
    retired_at = fields.AwareDateTime(allow_none=True)
    allowed_actions = fields.List(fields.Nested(RuleAction))


class RuleRunView(Schema):
    version = fields.Integer()
    mode = fields.String(metadata={"description": "full, touched or shadow"})
    engine = fields.String()
    as_of = fields.Date()
    known_on = fields.Date(allow_none=True)
    watermarks = fields.Dict(metadata={"description": "dataset → day until which it is complete"})
    degraded = fields.List(fields.String(), metadata={"description": "datasets whose sources are silent"})
    alerts = fields.Integer()
    evidence = fields.Integer()
    unjudged = fields.Dict(metadata={"description": "reason → records"})
    outcomes = fields.Dict(metadata={"description": "what became of the alerts"})
    error = fields.String(allow_none=True)
    started_at = fields.AwareDateTime()
    milliseconds = fields.Integer()


class RuleView(Schema):
    code = fields.String()
    module = fields.String()
    scope = fields.String()
    versions = fields.List(fields.Nested(RuleVersionView))
    runs = fields.List(fields.Nested(RuleRunView))


class RuleDraft(Schema):
    """A rule as docs/how-to/rules.md has it. What is wrong with it is told with its path."""

    document = fields.Dict(keys=fields.String(), required=True)


class RuleDrafted(Schema):
    code = fields.String()
    version = fields.Integer()


class RuleMoved(Schema):
    code = fields.String()
    version = fields.Integer()
    state = fields.String()
    allowed_actions = fields.List(fields.Nested(RuleAction))


class PreviewFacts(Schema):
    county = fields.String(required=True, validate=validate.Regexp(r"\A[0-9]{6}\Z"), metadata={"pattern": "^[0-9]{6}$"})
    year = fields.Integer(required=True, validate=validate.Range(2000, 2100))


class RecordReference(Schema):
    part = fields.String()
    dataset = fields.String()
    row_id = fields.Integer()


class PreviewedAlert(Schema):
    alert_key = fields.String()
    place = fields.String()
    happened_on = fields.Date(allow_none=True)
    colour = fields.String()
    money_fen = fields.Integer(allow_none=True)
    records = fields.List(fields.Nested(RecordReference))


class Preview(Schema):
    county = fields.String()
    year = fields.Integer()
    snapshot = fields.String()
    alerts = fields.Integer()
    evidence = fields.Integer()
    alerts_per_week = fields.Float()
    by_township = fields.Dict()
    by_month = fields.Dict()
    by_colour = fields.Dict()
    unjudged = fields.Dict()
    first = fields.List(fields.Nested(PreviewedAlert))
    milliseconds = fields.Integer()


class RulePreviewed(RuleMoved):
    preview = fields.Nested(Preview)


class BackTest(Schema):
    snapshot = fields.String()
    against = fields.Integer(allow_none=True, metadata={"description": "the version in force"})
    gained = fields.Integer()
    lost = fields.Integer()
    same = fields.Integer()
    money_fen = fields.Integer()
    money_fen_before = fields.Integer()
    confirmed_lost = fields.List(fields.String(), metadata={"description": "numbers of confirmed items that it would not find"})
    confirmed_kept = fields.Integer()
    false_removed = fields.List(fields.String())
    false_kept = fields.Integer()


class RuleBackTested(RuleMoved):
    back_test = fields.Nested(BackTest)


class Approval(Schema):
    justification = Text(2000, load_default="", metadata={"description": "why confirmed items may be lost"})
    lost_items = fields.List(Text(40), load_default=list, validate=validate.Length(max=1000))


class Retirement(Schema):
    reason = Text(2000, least=1, required=True)


class ShareView(Schema):
    value = fields.Float()
    low = fields.Float()
    high = fields.Float()


class PrecisionItem(Schema):
    version = fields.Integer()
    county = fields.String(allow_none=True, metadata={"description": "null: all counties together"})
    verdicts = fields.Dict(metadata={"description": "verdict A to F → items"})
    decided = fields.Integer()
    enough = fields.Boolean(metadata={"description": "false below five decided items (样本不足): no share is told"})
    strict = fields.Nested(ShareView, allow_none=True)
    useful = fields.Nested(ShareView, allow_none=True)
    data_errors = fields.Integer()
    unverifiable = fields.Integer()


class RulePrecision(Schema):
    code = fields.String()
    items = fields.List(fields.Nested(PrecisionItem))
