"""Shapes of papers and receipts at the border of the API."""

from marshmallow import fields, validate

from app.papers.kinds import BY_HAND, METHODS, NAMES
from app.petitions.schemas import Day, Instant, Receipt
from app.signin.schemas import Phone, code_field
from app.web import Schema, Text


class ReceiptView(Receipt):
    class Meta(Receipt.Meta):
        exclude = ("pin",)

    code = fields.String(metadata={"description": "what the QR code holds"})


class DeliveryView(Schema):
    method = fields.String(validate=validate.OneOf(METHODS))
    label = fields.String()
    label_en = fields.String()
    on = Day()
    at = Instant()
    body = fields.String(allow_none=True, metadata={"description": "name of the recording body, never of a person"})
    note = fields.String()


class DeliveryDraft(Schema):
    method = fields.String(required=True, validate=validate.OneOf(BY_HAND))
    on = fields.Date(required=True)
    note = Text(500, load_default="")


class PaperView(Schema):
    seq = fields.Integer(metadata={"description": "of the event that decided it; names the paper within its case"})
    kind = fields.String(validate=validate.OneOf(NAMES))
    label = fields.String()
    label_en = fields.String()
    number = fields.String()
    printed_number = fields.String()
    code = fields.String(metadata={"description": "verification code, as printed on the paper"})
    decided_at = Instant()
    body = fields.String(allow_none=True)
    basis = fields.List(fields.String())
    next = fields.String(metadata={"description": "what the petitioner may do next"})
    next_en = fields.String()
    last_on = fields.Date(allow_none=True, metadata={"description": "last day of the next step, in Asia/Shanghai"})
    sha256 = fields.String(metadata={"description": "of the file as it was made first, by `maker`"})
    maker = fields.String()
    url = fields.String()
    deliveries = fields.List(fields.Nested(DeliveryView))


class PaperList(Schema):
    items = fields.List(fields.Nested(PaperView))


class PaperCheck(Schema):
    number = Text(100, least=1, required=True)
    code = Text(40, least=1, required=True)


class PaperCheckView(Schema):
    genuine = fields.Boolean(required=True)
    kind = fields.String()
    label = fields.String()
    label_en = fields.String()
    decided_on = fields.Date()
    sha256 = fields.String()


class Recovery(Schema):
    phone = Phone(required=True)
    code = code_field(6)
    name = Text(50, least=1, required=True)


class RecoveredReceipt(Schema):
    serial = fields.String()
    pin = fields.String(metadata={"description": "a new one; the earlier PIN of this number no longer opens the case"})
    filed_at = Instant()


class RecoveredReceipts(Schema):
    items = fields.List(fields.Nested(RecoveredReceipt))
