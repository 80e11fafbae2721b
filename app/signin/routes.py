"""/api/v1/auth: signing in, second factors, tokens."""

from typing import Any
from uuid import UUID

from app.auth import signed_in, visitor
from app.errors import Unauthorised
from app.signin import limits, resets, second_factor, service
from app.signin.limits import one_try
from app.signin.schemas import (
    CodeRequest,
    CodeSentView,
    MeView,
    PasswordChange,
    PasswordResetView,
    PhoneSignIn,
    ReceiptSignIn,
    RefreshedView,
    RefreshRequest,
    ResetView,
    SecondFactorConfirmation,
    SecondFactorEnrolment,
    SecondFactorView,
    StaffSignIn,
    TokensView,
)
from app.web import Blueprint

signin = Blueprint("signin", __name__, url_prefix="/api/v1/auth", description="Signing in and out")


@signin.post("/staff/sign-in")
@signin.doc(security=[])
@signin.arguments(StaffSignIn)
@signin.response(200, TokensView)
def sign_in_staff(body: dict[str, Any]) -> service.Tokens:
    """Sign in with user name, password and, where enrolled, a time-based code."""
    with one_try("staff", body["username"]):
        return service.sign_in_staff(**body)


@signin.post("/staff/password")
@signin.arguments(PasswordChange)
@signin.response(204)
def change_password(body: dict[str, Any]) -> None:
    """Change the own password; every other device is signed out."""
    with signed_in("staff", unfinished=True) as who:
        service.require_strong_password(who, body["current_password"], body["new_password"])
        limits.count("own-password", str(who.actor.person_id))
    with signed_in("staff", unfinished=True) as who:
        service.change_password(who, body["current_password"], body["new_password"])
        limits.forget("own-password", str(who.actor.person_id))


@signin.post("/staff/totp")
@signin.arguments(SecondFactorEnrolment)
@signin.response(200, SecondFactorView)
def enrol_second_factor(body: dict[str, Any]) -> dict[str, str]:
    """A new secret for an authenticator; nothing changes until it is confirmed."""
    count_own_try()
    with signed_in("staff", unfinished=True) as who:
        secret = second_factor.enrol(who, body["password"])
        limits.forget("own-password", str(who.actor.person_id))
        return secret


@signin.post("/staff/totp/confirm")
@signin.arguments(SecondFactorConfirmation)
@signin.response(204)
def confirm_second_factor(body: dict[str, Any]) -> None:
    """Confirm the secret with its first code; from now on signing in needs one."""
    count_own_try()
    with signed_in("staff", unfinished=True) as who:
        second_factor.confirm(who, body["code"])
        limits.forget("own-password", str(who.actor.person_id))


@signin.post("/staff/<uuid:account_id>/totp-reset")
@signin.response(200, ResetView)
def reset_second_factor(account_id: UUID) -> dict[str, Any]:
    """Take the second factor off an account; two administrators, one asks and the other grants."""
    with signed_in("staff") as who:
        return resets.reset_second_factor(who, account_id)


@signin.post("/staff/<uuid:account_id>/password-reset")
@signin.response(200, PasswordResetView)
def reset_password(account_id: UUID) -> dict[str, Any]:
    """Give an account a one-time password; two administrators, one asks and the other grants."""
    with signed_in("staff") as who:
        return resets.reset_password(who, account_id)


@signin.post("/phone/code")
@signin.doc(security=[])
@signin.arguments(CodeRequest)
@signin.response(202, CodeSentView)
def send_code(body: dict[str, Any]) -> dict[str, int]:
    """Send a code to a phone. The answer is the same whether or not the phone is known or a code was just sent."""
    with visitor():
        limits.count("code-address", limits.client_address())
        service.send_code(body["phone"])
    return {
        "expires_in_seconds": int(service.CODE_LIFE.total_seconds()),
        "again_in_seconds": int(service.CODE_PAUSE.total_seconds()),
    }


@signin.post("/phone/sign-in")
@signin.doc(security=[])
@signin.arguments(PhoneSignIn)
@signin.response(200, TokensView)
def sign_in_by_code(body: dict[str, Any]) -> service.Tokens:
    """Sign in with the code sent to a phone; the first time makes the account."""
    with one_try("phone", body["phone"]):
        return service.sign_in_by_code(**body)


@signin.post("/receipt/sign-in")
@signin.doc(security=[])
@signin.arguments(ReceiptSignIn)
@signin.response(200, TokensView)
def sign_in_by_receipt(body: dict[str, Any]) -> service.Tokens:
    """Open the one case of a receipt with its number and PIN."""
    with one_try("receipt", body["serial"]):
        return service.sign_in_by_receipt(**body)


@signin.post("/refresh")
@signin.doc(security=[])
@signin.arguments(RefreshRequest)
@signin.response(200, RefreshedView)
def refresh_tokens(body: dict[str, Any]) -> service.Tokens:
    """New tokens for a refresh token, which is good once: using it again ends the whole session."""
    with visitor():
        tokens = service.refresh(body["refresh_token"])
    # Raised after the commit, so that revoking the session of a copied token is not rolled back with the refusal.
    if tokens is None:
        raise Unauthorised("signed-out")
    return tokens


@signin.post("/sign-out")
@signin.response(204)
def sign_out() -> None:
    """End this session; its tokens stop working at once."""
    with signed_in(unfinished=True) as who:
        assert who.session_id is not None
        service.revoke(who.session_id, "signed-out")


@signin.get("/me")
@signin.response(200, MeView)
def me() -> dict[str, Any]:
    """Who is signed in, in which appointment, and what has to be done first."""
    with signed_in(unfinished=True) as who:
        return service.me(who)


def count_own_try() -> None:
    """Count a try at the password or code of the person signed in; committed before the secret is looked at."""
    with signed_in("staff", unfinished=True) as who:
        limits.count("own-password", str(who.actor.person_id))
