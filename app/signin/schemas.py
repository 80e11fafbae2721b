"""What signing in takes and gives."""

import re
from typing import Any

from marshmallow import ValidationError, fields, validate

from app.web import Schema, Text

_MOBILE = re.compile(r"(?:\+?86[- ]?)?(1[3-9]\d{9})", re.ASCII)


class Password(fields.String):
    """A password exactly as typed: nothing is trimmed or normalised."""

    def __init__(self, **more: Any):
        super().__init__(
            validate=validate.Length(min=1, max=200), load_only=True, metadata={"format": "password"}, **more
        )

    def _deserialize(self, value: Any, attr: str | None, data: Any, **more: Any) -> str:
        password = super()._deserialize(value, attr, data, **more)
        if "\0" in password or any("\ud800" <= letter <= "\udfff" for letter in password):
            raise ValidationError("not valid text")
        return password


class Phone(Text):
    """A mainland mobile number; spaces inside it and a leading +86 are dropped."""

    def __init__(self, **more: Any):
        super().__init__(20, least=11, **more)

    def _deserialize(self, value: Any, attr: str | None, data: Any, **more: Any) -> str:
        text = super()._deserialize(value, attr, data, **more)
        number = _MOBILE.fullmatch(text.replace(" ", "").replace("-", ""))
        if number is None:
            raise ValidationError("not a mobile number")
        return number[1]


def code_field(digits: int) -> fields.String:
    """A code of that many ASCII digits."""
    return fields.String(required=True, validate=validate.Regexp(rf"\A[0-9]{{{digits}}}\Z"))


class StaffSignIn(Schema):
    username = Text(64, least=1, required=True)
    password = Password(required=True)
    totp = fields.String(load_default=None, allow_none=True, validate=validate.Regexp(r"\A[0-9]{6}\Z"))
    appointment_id = fields.UUID(load_default=None, allow_none=True)


class PasswordChange(Schema):
    current_password = Password(required=True)
    new_password = Password(required=True)


class SecondFactorEnrolment(Schema):
    password = Password(required=True)


class SecondFactorConfirmation(Schema):
    code = code_field(6)


class CodeRequest(Schema):
    phone = Phone(required=True)


class PhoneSignIn(Schema):
    phone = Phone(required=True)
    code = code_field(6)


class Serial(Text):
    """A receipt number as copied from paper: small letters and spaces do not matter."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **more: Any) -> str:
        return super()._deserialize(value, attr, data, **more).upper().replace(" ", "")


class ReceiptSignIn(Schema):
    serial = Serial(40, least=1, required=True)
    pin = Text(20, least=1, required=True)


class RefreshRequest(Schema):
    refresh_token = Text(2000, least=1, required=True)


class AppointmentView(Schema):
    id = fields.UUID(required=True)
    role = fields.String(required=True)
    label = fields.String(required=True)
    label_en = fields.String(required=True)
    head = fields.Boolean(required=True)
    org_id = fields.UUID(required=True)
    org = fields.String(required=True)
    division_code = fields.String(required=True)


class RefreshedView(Schema):
    access_token = fields.String(required=True)
    refresh_token = fields.String(required=True)
    expires_in = fields.Integer(required=True, metadata={"description": "seconds that the access token lasts"})
    kind = fields.String(required=True, validate=validate.OneOf(["staff", "villager", "receipt"]))
    petition_id = fields.UUID(required=True, allow_none=True)
    appointment_id = fields.UUID(required=True, allow_none=True)


class TokensView(RefreshedView):
    appointments = fields.List(fields.Nested(AppointmentView), required=True, allow_none=True)
    must_change_password = fields.Boolean(required=True)
    must_enrol_second_factor = fields.Boolean(required=True)


class CodeSentView(Schema):
    expires_in_seconds = fields.Integer(required=True)
    again_in_seconds = fields.Integer(required=True)


class SecondFactorView(Schema):
    secret = fields.String(required=True)
    otpauth_uri = fields.String(required=True)


class ResetView(Schema):
    status = fields.String(required=True, validate=validate.OneOf(["asked", "reset"]))
    expires_at = fields.AwareDateTime(
        required=True, allow_none=True, metadata={"description": "end of the request, or of the one-time password"}
    )


class PasswordResetView(ResetView):
    sent_to_mailbox = fields.Boolean(required=True)
    one_time_password = fields.String(
        required=True, allow_none=True, metadata={"description": "shown this once, to the second person"}
    )


class MeView(Schema):
    kind = fields.String(required=True, validate=validate.OneOf(["staff", "villager", "receipt"]))
    petition_id = fields.UUID(required=True, allow_none=True)
    phone = fields.String()
    account_id = fields.UUID()
    username = fields.String()
    name = fields.String()
    appointment_id = fields.UUID()
    appointments = fields.List(fields.Nested(AppointmentView))
    second_factor = fields.Boolean()
    must_change_password = fields.Boolean()
    must_enrol_second_factor = fields.Boolean()
