"""Shapes of clues at the border of the API."""

from marshmallow import fields, validate

from app.identity.schemas import PersonView
from app.web import Schema, Text
from workflows.clue import DISPOSALS, METHODS, OUTCOMES, ClueState

STATES = [state.value for state in ClueState]


class Instant(fields.DateTime):
    """An instant that may already be ISO text, as PostgreSQL's json writes it."""

    def _serialize(self, value: object, attr: str | None, obj: object, **more: object) -> object:
        return value if isinstance(value, str) else super()._serialize(value, attr, obj, **more)


class ClueLimit(Schema):
    policy = fields.String()
    name = fields.String()
    name_en = fields.String()
    due_at = fields.String(metadata={"format": "date-time"})
    due_on = fields.String(allow_none=True, metadata={"format": "date"})
    statutory = fields.Boolean()
    provisional = fields.Boolean()


class ClueRow(Schema):
    id = fields.UUID()
    serial = fields.String(metadata={"description": "of the petition that it came from"})
    division_code = fields.String()
    state = fields.String(validate=validate.OneOf(STATES))
    state_label = fields.String()
    state_label_en = fields.String()
    level = fields.Integer()
    body = fields.String(allow_none=True, metadata={"description": "discipline body in charge"})
    opened_at = Instant()
    real_name = fields.Boolean()
    overdue = fields.Boolean()
    limits = fields.List(fields.Nested(ClueLimit))
    next_due_at = Instant(allow_none=True)


class CluePage(Schema):
    items = fields.List(fields.Nested(ClueRow))
    next = fields.String(allow_none=True)


class ClueQuery(Schema):
    open = fields.Boolean(load_default=None, allow_none=True)
    cursor = fields.String(load_default=None, validate=validate.Length(max=200))
    limit = fields.Integer(load_default=50, validate=validate.Range(1, 100))


class ClueAction(Schema):
    name = fields.String()
    label = fields.String()
    label_en = fields.String()


class ClueStep(Schema):
    seq = fields.Integer()
    at = Instant()
    event = fields.String()
    label = fields.String()
    label_en = fields.String()
    to_state = fields.String()
    body = fields.String(allow_none=True)
    facts = fields.Dict(metadata={"description": "codes and ids alone"})


class ReaderView(Schema):
    account_id = fields.String()
    name = fields.String()
    granted_by = fields.String(allow_none=True, metadata={"description": "null for the first readers"})
    since = Instant()
    until = Instant(allow_none=True)


class OpeningRecord(Schema):
    at = Instant()
    reader = fields.String()
    body = fields.String()
    purpose = fields.String()


class ClueView(ClueRow):
    petition_id = fields.UUID()
    version = fields.Integer()
    named = fields.Boolean()
    disposal = fields.String(allow_none=True)
    outcome = fields.String(allow_none=True)
    false_accusation = fields.String(allow_none=True)
    clarification = fields.String(allow_none=True)
    result_reported = fields.Boolean(metadata={"description": "to the report office of the discipline body"})
    may_open = fields.Boolean(metadata={"description": "whether I stand on the list and may open the text"})
    allowed_actions = fields.List(fields.Nested(ClueAction))
    timeline = fields.List(fields.Nested(ClueStep))
    readers = fields.List(fields.Nested(ReaderView))
    reads = fields.List(fields.Nested(OpeningRecord), metadata={"description": "openings of the text; for the head in charge"})


class PurposeDraft(Schema):
    purpose = Text(500, least=4, required=True, metadata={"minLength": 4, "description": "why; stays on record"})


class AccusedName(Schema):
    name = fields.String()
    post = fields.String()


class EarlierEvent(Schema):
    event = fields.String()
    facts = fields.Dict()


class SealedMessage(Schema):
    at = Instant()
    from_petitioner = fields.Boolean()
    body = fields.String()


class Words(Schema):
    seq = fields.Integer()
    event = fields.String()
    facts = fields.Dict()


class ClueText(Schema):
    title = fields.String()
    body = fields.String()
    category = fields.String()
    accused = fields.List(fields.Nested(AccusedName))
    claimed_fen = fields.Integer(allow_none=True)
    people = fields.List(fields.Nested(PersonView), metadata={"description": "who reported, where the way of filing lets it"})
    earlier_events = fields.List(fields.Nested(EarlierEvent))
    messages = fields.List(fields.Nested(SealedMessage))
    minutes = fields.List(fields.String())
    notes = fields.List(fields.String())
    words = fields.List(fields.Nested(Words), metadata={"description": "what was written with each step"})


class ReaderDraft(Schema):
    account_id = fields.UUID(required=True)


class CandidateView(Schema):
    account_id = fields.UUID()
    name = fields.String()
    body = fields.String()


class CandidateList(Schema):
    items = fields.List(fields.Nested(CandidateView))


class ReaderDone(Schema):
    clue_id = fields.UUID()
    account_id = fields.UUID()


class ClueMessageDraft(Schema):
    body = Text(5_000, least=1, required=True)


class ClueMessageDone(Schema):
    id = fields.UUID()
    at = Instant()
    from_petitioner = fields.Boolean()
    internal = fields.Boolean()


class ClueDone(Schema):
    id = fields.UUID()
    state = fields.String(validate=validate.OneOf(STATES))
    version = fields.Integer()
    level = fields.Integer()
    next_due_at = Instant(allow_none=True)


def _text(limit: int = 2_000) -> Text:
    return Text(limit, least=1, required=True)


def _one_of(choices: tuple[str, ...]) -> fields.String:
    return fields.String(required=True, validate=validate.OneOf(choices))


# One shape per action: the facts that its transition asks for.
_FACTS: dict[str, dict[str, object]] = {
    "receive": {},
    "verify_realname": {"note": _text()},
    "mark_anonymous": {},
    "send_up": {"reason": _text()},
    "send_down": {"reason": _text()},
    "hand_outside": {"note": _text()},
    "accept": {},
    "assign": {"handler_id": fields.UUID(required=True)},
    "propose_disposal": {"disposal": _one_of(DISPOSALS), "opinion": _text(10_000)},
    "return_disposal": {"reason": _text()},
    "approve_disposal": {"study": _text()},
    "record_answer": {"answer": _text(10_000)},
    "report": {"report": _text(10_000)},
    "verify_further": {"reason": _text()},
    "keep": {"reason": _text()},
    "close": {"reason": _text()},
    "take_up": {"reason": _text()},
    "file_case": {"reason": _text()},
    "conclude": {"outcome": _one_of(OUTCOMES), "findings": _text(10_000)},
    "give_feedback": {"feedback": _text(10_000)},
    "propose_false_accusation": {"reason": _text()},
    "approve_false_accusation": {"reason": _text()},
    "refuse_false_accusation": {"reason": _text()},
    "propose_clarification": {"method": _one_of(METHODS), "text": _text(10_000)},
    "approve_clarification": {},
    "refuse_clarification": {"reason": _text()},
    "report_result": {},
    "archive": {},
}
ACTIONS: dict[str, type[Schema]] = {
    event: Schema.from_dict(shape, name="Clue" + "".join(w.title() for w in event.split("_")) + "Input")  # type: ignore[misc]
    for event, shape in _FACTS.items()
}
