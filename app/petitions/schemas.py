"""Shapes of petitions at the border of the API."""

from marshmallow import ValidationError, fields, validate, validates_schema

from app.identity.schemas import PersonView
from app.ledger.schemas import PromiseOfPlace
from app.web import Schema, Text
from workflows.petition import GRADES, OUTCOMES, RECHECK_OUTCOMES, REVIEW_OUTCOMES, PetitionState

CATEGORIES = ("land", "works", "assets", "labour_pay", "procurement", "relief", "seals", "funds", "conduct", "other")
STATES = [state.value for state in PetitionState]
SUSPENSION_REASONS = ("awaiting_court", "awaiting_appraisal", "awaiting_funds", "season", "force_majeure")
REJECT_REASONS = ("final_same_facts", "litigation", "not_petition_matter", "unfounded_without_clues")
PRIORITIES = ("P0", "P1", "P2", "P3")
ROUTES = ("litigation", "arbitration", "administrative_review", "police", "information_disclosure")
WAYS = ("named", "confidential", "anonymous")
# The consequences of each way are part of the contract, so that every client can show them before sending.
WAY_CONSEQUENCES = (
    "实名 named: the bodies that handle the case see who wrote, never the body or the person it names; you are told in "
    "writing. 保密 confidential: nobody sees who wrote; messages reach you through the system. Two people of two bodies "
    "may open it together for a written reason, and you are told. 匿名 anonymous: nothing about you is kept; only the "
    "receipt number and the PIN give access, nobody can call you back, and there is no written notice. "
    "It is chosen once and never changed."
)


def _code() -> fields.String:
    return fields.String(required=True, validate=validate.Regexp(r"\A[0-9]{12}\Z"), metadata={"pattern": "^[0-9]{12}$"})


def _phone(**more: object) -> fields.String:
    return fields.String(validate=validate.Regexp(r"\A1[0-9]{10}\Z"), metadata={"pattern": "^1[0-9]{10}$"}, **more)


class Instant(fields.DateTime):
    """An instant that may already be ISO text, as PostgreSQL's json writes it."""

    def _serialize(self, value: object, attr: str | None, obj: object, **more: object) -> object:
        return value if isinstance(value, str) else super()._serialize(value, attr, obj, **more)


class Day(fields.Date):
    """A day that may already be ISO text."""

    def _serialize(self, value: object, attr: str | None, obj: object, **more: object) -> object:
        return value if isinstance(value, str) else super()._serialize(value, attr, obj, **more)


class NamedSubject(Schema):
    name = Text(50, least=1, required=True)
    post = Text(100, load_default="")


class Representative(Schema):
    name = Text(50, least=1, required=True)
    phone = _phone(load_default=None, allow_none=True)


class _Draft(Schema):
    division_code = _code()
    title = Text(100, least=2, required=True)
    body = Text(10_000, least=2, required=True)
    category = fields.String(load_default="other", validate=validate.OneOf(CATEGORIES))
    item_type = fields.String(load_default="appeal", validate=validate.OneOf(("suggestion", "accusation", "appeal")))
    way = fields.String(load_default="named", validate=validate.OneOf(WAYS), metadata={"description": WAY_CONSEQUENCES})
    name = Text(50, load_default=None, allow_none=True)
    phone = _phone(load_default=None, allow_none=True)
    address = Text(200, load_default=None, allow_none=True)
    accused = fields.List(fields.Nested(NamedSubject), load_default=list, validate=validate.Length(max=20))
    accused_org_ids = fields.List(fields.UUID(), load_default=list, validate=validate.Length(max=20))
    keep_from = fields.List(
        fields.Nested(NamedSubject),
        load_default=list,
        validate=validate.Length(max=20),
        metadata={"description": "people, or bodies by their full name, that shall not learn of the case, without being accused of anything"},
    )
    claimed_fen = fields.Integer(strict=True, load_default=None, allow_none=True, validate=validate.Range(1, 10**15))
    people_count = fields.Integer(strict=True, load_default=1, validate=validate.Range(1, 100_000))
    # 信访工作条例 Art 20: a collective is represented by at most five people.
    representatives = fields.List(fields.Nested(Representative), load_default=list, validate=validate.Length(max=5))
    # Nobody gives a date of birth here: whoever files, or writes it down, says whether the petitioner is under 14.
    under_14 = fields.Boolean(load_default=False)
    guardian = Text(50, load_default=None, allow_none=True)
    guardian_phone = _phone(load_default=None, allow_none=True)

    @validates_schema
    def _check(self, data: dict, **_more: object) -> None:
        # 个人信息保护法 Art 31: a guardian agrees before data of a child under 14 are kept. An anonymous petition keeps none,
        # and a child whom nobody at home protects must be able to file one.
        if data.get("under_14") and data.get("way") != "anonymous" and not data.get("guardian"):
            raise ValidationError({"guardian": ["required for a petitioner under 14"]})
        if data.get("people_count", 1) > 1 and not data.get("representatives"):
            raise ValidationError({"representatives": ["required for a collective petition"]})
        if data.get("way") == "confidential" and not (data.get("name") and (data.get("phone") or data.get("address"))):
            raise ValidationError({"name": ["a confidential petition needs a name, and a phone or an address"]})


class PetitionDraft(_Draft):
    # The only word on urgency that is asked of a petitioner: an answer, and no rank to choose from.
    in_danger = fields.Boolean(
        load_default=False,
        metadata={"description": "somebody is in danger now: the case begins as P0; call 110 or 120 first"},
    )


class IntakeDraft(_Draft):
    channel = fields.String(required=True, validate=validate.OneOf(("letter", "phone", "fax", "visit", "helper")))
    priority = fields.String(load_default="P2", validate=validate.OneOf(PRIORITIES))
    simple = fields.Boolean(load_default=False)


class PromiseView(Schema):
    policy = fields.String()
    name = fields.String()
    name_en = fields.String()
    due_at = Instant()
    due_on = Day(allow_none=True)
    statutory = fields.Boolean()
    provisional = fields.Boolean()
    paused_days = fields.Integer()
    extended_days = fields.Integer()


class Receipt(Schema):
    id = fields.UUID()
    serial = fields.String()
    pin = fields.String()
    state = fields.String()
    filed_at = Instant()
    promises = fields.List(fields.Nested(PromiseView))
    commitment = fields.String(metadata={"description": "what stands in the ledger, hexadecimal"})
    salt = fields.String(metadata={"description": "secret; with `opening` it shows what the commitment means"})
    opening = fields.Dict(metadata={"description": "the first event of the case, without the text"})
    promise = fields.Nested(PromiseOfPlace)


class ActionView(Schema):
    name = fields.String()
    label = fields.String()
    label_en = fields.String()


class EventView(Schema):
    at = Instant()
    event = fields.String()
    label = fields.String()
    label_en = fields.String()
    to_state = fields.String()
    body = fields.String(allow_none=True, metadata={"description": "name of the acting body, never of a person"})
    to_body = fields.String(allow_none=True, metadata={"description": "the body that the case was given to"})
    facts = fields.Dict()


class MessageView(Schema):
    id = fields.String()
    at = Instant()
    from_petitioner = fields.Boolean()
    internal = fields.Boolean()
    body = fields.String()


class AttachmentView(Schema):
    id = fields.String()
    name = fields.String()
    size = fields.Integer()
    media_type = fields.String(allow_none=True)
    status = fields.String()


class MoneyView(Schema):
    claimed_fen = fields.Integer()
    recovered_fen = fields.Integer()
    paid_out_fen = fields.Integer()


class MeetingView(Schema):
    held_at = Instant()
    bodies = fields.List(fields.String(), metadata={"description": "names of the bodies that took part"})
    minutes = fields.String()


class PetitionView(Schema):
    id = fields.UUID()
    serial = fields.String()
    version = fields.Integer()
    title = fields.String()
    body = fields.String()
    category = fields.String()
    item_type = fields.String()
    channel = fields.String()
    priority = fields.String()
    way = fields.String(validate=validate.OneOf(WAYS))
    identity = fields.String(
        validate=validate.OneOf(("shown", "sealed", "none", "unreadable", "erased")),
        metadata={"description": "whether `people` says who wrote, and if not, why"},
    )
    division_code = fields.String()
    place = fields.String()
    state = fields.String(validate=validate.OneOf(STATES))
    state_label = fields.String()
    state_label_en = fields.String()
    level = fields.Integer()
    round = fields.Integer()
    colour = fields.String(allow_none=True)
    supervised = fields.Boolean()
    designated = fields.Boolean()
    owner = fields.String(allow_none=True)
    main_body = fields.String(allow_none=True)
    owner_org_id = fields.UUID(allow_none=True)
    main_org_id = fields.UUID(allow_none=True)
    co_org_ids = fields.List(fields.UUID())
    filed_at = Instant()
    confirmed_at = Instant(
        allow_none=True,
        metadata={"description": "null while the petitioner has not confirmed what somebody else wrote down"},
    )
    next_due_at = Instant(allow_none=True)
    next_policy = fields.String(allow_none=True)
    next_event = fields.String(allow_none=True)
    rating_until = Instant(allow_none=True)
    review_until = Instant(allow_none=True)
    allowed_actions = fields.List(fields.Nested(ActionView))
    timeline = fields.List(fields.Nested(EventView))
    messages = fields.List(fields.Nested(MessageView))
    meetings = fields.List(
        fields.Nested(MeetingView), metadata={"description": "joint meetings; empty for a petitioner"}
    )
    attachments = fields.List(fields.Nested(AttachmentView))
    promises = fields.List(fields.Nested(PromiseView))
    people = fields.List(fields.Nested(PersonView))
    money = fields.Nested(MoneyView)


class PetitionRow(Schema):
    id = fields.UUID()
    serial = fields.String()
    title = fields.String()
    category = fields.String()
    division_code = fields.String()
    state = fields.String()
    priority = fields.String()
    level = fields.Integer()
    round = fields.Integer()
    colour = fields.String(allow_none=True)
    supervised = fields.Boolean()
    filed_at = Instant()
    next_due_at = Instant(allow_none=True)
    next_policy = fields.String(allow_none=True)
    next_event = fields.String(allow_none=True)


class PetitionPage(Schema):
    items = fields.List(fields.Nested(PetitionRow))
    next = fields.String(allow_none=True)


class PetitionQuery(Schema):
    state = fields.List(fields.String(validate=validate.OneOf(STATES)), load_default=list)
    open = fields.Boolean(load_default=None, allow_none=True)
    colour = fields.String(load_default=None, validate=validate.OneOf(("blue", "yellow", "red")))
    priority = fields.String(load_default=None, validate=validate.OneOf(PRIORITIES))
    supervised = fields.Boolean(load_default=None)
    mine = fields.Boolean(load_default=False, metadata={"description": "only cases that my body handles"})
    cursor = fields.String(load_default=None, validate=validate.Length(max=200))
    limit = fields.Integer(load_default=50, validate=validate.Range(1, 100))


class SearchQuery(Schema):
    q = Text(50, required=True)
    limit = fields.Integer(load_default=50, validate=validate.Range(1, 100))


class MessageDraft(Schema):
    body = Text(5_000, least=1, required=True)
    internal = fields.Boolean(load_default=False)


class DisputeDraft(Schema):
    body = Text(5_000, least=1, required=True)


class MoneyDraft(Schema):
    kind = fields.String(required=True, validate=validate.OneOf(("claimed", "recovered", "paid_out")))
    amount_fen = fields.Integer(strict=True, required=True, validate=validate.Range(-(10**15), 10**15))
    on = fields.Date(required=True)
    note = Text(500, load_default="")


class MeetingDraft(Schema):
    held_at = fields.AwareDateTime(required=True)
    org_ids = fields.List(fields.UUID(), required=True, validate=validate.Length(1, 30))
    minutes = Text(10_000, least=1, required=True)


def _reason(**more: object) -> Text:
    return Text(2_000, least=1, required=True, **more)


def _optional(limit: int = 2_000) -> Text:
    return Text(limit, load_default=None, allow_none=True)


def _org(*, required: bool = True) -> fields.UUID:
    return fields.UUID(required=True) if required else fields.UUID(load_default=None, allow_none=True)


def _orgs() -> fields.List:
    return fields.List(fields.UUID(), load_default=list, validate=validate.Length(max=10))


def _days(most: int) -> fields.Integer:
    return fields.Integer(strict=True, required=True, validate=validate.Range(1, most))


def _one_of(choices: tuple[str, ...]) -> fields.String:
    return fields.String(required=True, validate=validate.OneOf(choices))


# One shape per action: the facts that its transition asks for (信访工作条例, the articles stand in docs/workflows).
_FACTS: dict[str, dict[str, object]] = {
    "register": {
        "simple": fields.Boolean(load_default=None, allow_none=True),
        "priority": fields.String(load_default=None, allow_none=True, validate=validate.OneOf(PRIORITIES)),
        "reason": _optional(),
    },
    "merge": {"parent_id": fields.UUID(required=True)},
    "unmerge": {"reason": _reason()},
    "redirect": {"route_code": _one_of(ROUTES), "reason": _optional()},
    "route_to_discipline": {},
    "reject": {"reason_code": _one_of(REJECT_REASONS), "reason": _optional()},
    "accept": {},
    "dispatch": {"main_org_id": _org(), "co_org_ids": _orgs(), "note": _optional()},
    "mark_urgent": {"reason": _reason()},
    "report_urgent": {"note": _reason()},
    "add_co_handler": {"co_org_id": _org()},
    "approve_return": {"reason": _optional()},
    "refuse_return": {"reason": _reason()},
    "sign": {},
    "request_return": {"reason": _reason(), "suggested_org": Text(100, least=1, required=True)},
    "start": {"note": _reason()},
    "request_extension": {"days": _days(60), "reason": _reason()},
    "approve_extension": {"days": _days(60), "reason": _optional()},
    "refuse_extension": {"reason": _reason()},
    "request_suspension": {"reason_code": _one_of(SUSPENSION_REASONS), "plan": _reason(), "days": _days(180)},
    "approve_suspension": {"days": _days(180), "reason": _optional()},
    "refuse_suspension": {"reason": _reason()},
    "resume": {"reason": _optional()},
    "hold_hearing": {"minutes": Text(10_000, least=1, required=True), "days": _days(30)},
    "mediate": {"agreement": Text(10_000, least=1, required=True)},
    "submit_reply": {
        "findings": Text(10_000, least=1, required=True),
        "legal_basis": _reason(),
        "outcome": _one_of(OUTCOMES),
    },
    "return_reply": {"reason": _reason()},
    "approve_reply": {"note": _optional()},
    "co_report": {"report": Text(10_000, least=1, required=True)},
    "deliver": {"proof": _reason()},
    "rate": {"grade": _one_of(GRADES), "office_grade": _one_of(GRADES), "reason": _optional()},
    "change_rating": {"grade": _one_of(GRADES), "office_grade": _one_of(GRADES), "reason": _optional()},
    "ask_review": {"reason": _reason()},
    "ask_recheck": {"reason": _reason()},
    "withdraw": {"reason": _optional()},
    "rehandle": {"main_org_id": _org(), "co_org_ids": _orgs(), "reason": _optional()},
    "explain": {"reason": _reason(), "legal_basis": _reason()},
    "reopen": {"main_org_id": _org(), "co_org_ids": _orgs(), "reason": _reason()},
    "give_review_opinion": {
        "outcome": _one_of(REVIEW_OUTCOMES),
        "opinion": Text(10_000, least=1, required=True),
        "main_org_id": _org(required=False),
    },
    "give_recheck_opinion": {"outcome": _one_of(RECHECK_OUTCOMES), "opinion": Text(10_000, least=1, required=True)},
    "acknowledge_external": {"note": _reason()},
    "record_external_end": {"note": _reason()},
}
ACTIONS: dict[str, type[Schema]] = {
    event: Schema.from_dict(shape, name="".join(w.title() for w in event.split("_")) + "Input")  # type: ignore[misc]
    for event, shape in _FACTS.items()
}
