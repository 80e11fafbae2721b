"""The petitioner's pages: file, receipt, look up, follow, rate, ask for review. No script; every form redirects."""

import re
import secrets
from typing import Any
from uuid import UUID

from flask import Response, current_app, redirect, request, url_for
from marshmallow import ValidationError
from sqlalchemy.exc import SQLAlchemyError
from werkzeug.datastructures import FileStorage

from app.access_log import count_filing
from app.auth import PAGE_COOKIE, VISITOR, Identity, signed_in, visitor
from app.database import transaction
from app.directory import service as directory
from app.errors import Conflict, Invalid, Problem, Unauthorised, Unknown
from app.files import service as files
from app.pages.phone import RECEIPT_COOKIE, keep_receipt, kept_receipt, own_case, pages
from app.pages.story import promises, readable
from app.pages.text import dress, page, pick, t
from app.papers import service as papers
from app.petitions import reading
from app.petitions import service as petitions
from app.petitions.limits import allow_filing
from app.petitions.schemas import ACTIONS, CATEGORIES, WAYS, DisputeDraft, MessageDraft, PetitionDraft
from app.privacy import own_data
from app.privacy.schemas import DataRequestDraft, OwnData
from app.signin import service as signin
from app.signin.limits import one_try
from app.text import problem_text

PROVINCE = "330000000000"
PETITIONER_ACTIONS = ("rate", "change_rating", "ask_review", "ask_recheck", "withdraw")
_STEPS = {2: "city", 3: "county", 4: "township", 5: "village"}
_DANGER = ("no", "called")
PRIVACY_PARTS = ("who", "what", "why", "seen", "ways", "read", "kept", "rights", "complain")
# Rows of the form for the people that a petition is about, and for those it is to be kept from.
_ACCUSED, _KEPT_AWAY = 3, 5
_MONEY = re.compile(r"(\d{1,11})(?:\.(\d{1,2}))?")


@pages.get("/")
def home() -> Response:
    """The first page: report, look up, whom to call in an emergency."""
    return page("home.html")


# --- filing ----------------------------------------------------------------------------------------------------------


@pages.get("/p/privacy")
def privacy() -> Response:
    """What is kept about a petitioner, what for, how long, and the petitioner's rights (个人信息保护法 Arts 17, 35)."""
    return page("privacy.html", parts=PRIVACY_PARTS)


@pages.get("/p/file")
def file() -> Response:
    """One question a page: danger, place step by step, then the form."""
    danger = request.args.get("danger")
    if danger not in _DANGER:
        return page("danger.html", calling=danger == "now")
    code = request.args.get("place", PROVINCE)
    with visitor():
        place = directory.open_division(code)
        below = directory.children(code)
    if place.level < 5:
        # Where a city has no townships (Longgang) the next step is named after what is really there.
        step = _STEPS[below[0].level] if below else ""
        return page("place.html", danger=danger, places=below, step=step, path=place.path if place.level > 1 else "")
    return _form(place, danger, secrets.token_urlsafe(32), {}, {})


@pages.post("/p/file")
def send_file() -> Response:
    """File what the form says; with mistakes the form comes back with everything that was written (but no file)."""
    written = _written()
    key = written.get("key", "")
    if not re.fullmatch(r"[A-Za-z0-9_-]{22,64}", key):
        raise Invalid({"key": ["made by the form"]})
    draft, errors = _draft(written)
    if not errors:
        allow_filing()
        try:
            with visitor() as who:
                receipt = petitions.file_petition(draft, who, key=key)
        except Invalid as refused:
            errors = {name: t("error.check") for name in refused.more["errors"]}
    if errors:
        with visitor():
            place = directory.open_division(written.get("division_code", ""))
        return _form(place, "called" if written.get("danger") == "called" else "no", key, written, errors)
    kept = ("id", "serial", "pin", "filed_at", "promises", "commitment", "promise")
    shown = {name: receipt[name] for name in kept if name in receipt}
    shown["in_danger"] = draft["in_danger"]
    shown["photo"] = _attach_to_new_case(UUID(str(receipt["id"])), request.files.get("photo"))
    answer = _see("receipt")
    answer.set_cookie(RECEIPT_COOKIE, keep_receipt(_as_text(shown)), **_private("/p/receipt"))
    return answer


def _form(
    place: directory.Division, danger: str, key: str, written: dict[str, str], errors: dict[str, str]
) -> Response:
    names = {
        "title": t("file.subject"), "body": t("file.body"), "category": t("file.category"), "name": t("file.name"),
        "phone": t("file.phone"), "address": t("file.address"), "accused": t("file.accused"), "keep_from": t("file.keep"), "claimed": t("file.claimed"),
        "division_code": t("place.title"), "item_type": t("file.kind"), "guardian": t("file.guardian"),
        "guardian_phone": t("file.guardian_phone"),
    }  # fmt: skip
    return page(
        "file.html", 422 if errors else 200, place=place.code, path=place.path, danger=danger, key=key, names=names,
        written=written, errors=errors, categories=CATEGORIES, accused=_ACCUSED, kept_away=_KEPT_AWAY,
    )  # fmt: skip


def _draft(written: dict[str, str]) -> tuple[dict[str, Any], dict[str, str]]:
    """The petition as the service takes it, and what is wrong with it: field of the form → message."""
    errors: dict[str, str] = {}
    way = written.get("who") if written.get("who") in WAYS else "named"
    anonymous = way == "anonymous"
    for name in ("title", "body", "category") if anonymous else ("title", "body", "category", "name"):
        if not written.get(name):
            errors[name] = t("error.missing")
    if not anonymous and not any(written.get(name) for name in ("phone", "address", "guardian_phone")):
        # Without either nobody could be told in writing (信访工作条例 Art 23), and the petition would be anonymous in fact.
        errors["phone"] = t("error.reach")
    raw: dict[str, Any] = {
        name: written[name] for name in ("division_code", "title", "body", "category", "item_type") if written.get(name)
    }
    raw["way"] = way
    raw["in_danger"] = written.get("danger") == "called"
    for field, prefix, most in (("accused", "accused", _ACCUSED), ("keep_from", "keep", _KEPT_AWAY)):
        rows = [(written.get(f"{prefix}_name_{n}"), written.get(f"{prefix}_post_{n}", "")) for n in range(1, most + 1)]
        raw[field] = [{"name": name, "post": post} for name, post in rows if name]
        if any(post and not name for name, post in rows):
            errors[field] = t("error.person")
    if not anonymous:
        # An anonymous petition carries no identity, even when the fields were filled in before the choice.
        raw |= {name: written[name] for name in ("name", "address", "guardian") if written.get(name)}
        raw |= {name: _digits(written.get(name, "")) for name in ("phone", "guardian_phone")}
        raw["under_14"] = written.get("under_14") == "yes"
        if raw["under_14"] and "guardian" not in raw:
            errors["guardian"] = t("error.guardian")
    if claimed := written.get("claimed", "").replace(",", "").replace("，", ""):
        amount = _MONEY.fullmatch(claimed)
        if amount is None or not (fen := int(amount[1]) * 100 + int((amount[2] or "0").ljust(2, "0"))):
            errors["claimed"] = t("error.amount")
        else:
            raw["claimed_fen"] = fen
    try:
        return PetitionDraft().load(raw), errors
    except ValidationError as wrong:
        for name in wrong.normalized_messages():
            errors.setdefault(name, t("error.phone" if name in ("phone", "guardian_phone") else "error.check"))
        return {}, errors


def _digits(phone: str) -> str | None:
    return re.sub(r"[\s-]|^\+?86(?=1)", "", phone) or None


def _attach_to_new_case(petition_id: UUID, photo: FileStorage | None) -> str:
    """Attach in a transaction of its own: a refused photo must not lose the petition. Says what came of it."""
    if photo is None or not photo.filename:
        return "none"
    who = Identity(actor=VISITOR, petition_id=petition_id, session_id=None, kind="receipt")
    try:
        with transaction(VISITOR, petition_id=petition_id):
            # A form that is sent twice files once, so its photo must not arrive twice either.
            if not files.list_for(petition_id):
                files.attach_whole(petition_id, who, photo.filename, photo.stream)
    except Problem as refused:
        count_filing(f"photo of a filing not taken: {refused.slug}")
        return "refused"
    except (OSError, SQLAlchemyError) as failed:
        count_filing(f"photo of a filing lost: {type(failed).__name__}")
        return "refused"
    return "kept"


@pages.get("/p/receipt")
def receipt() -> Response:
    """Number and PIN, until the visitor says that they are written down."""
    shown = kept_receipt()
    if shown is None:
        return _see("case")
    return page("receipt.html", receipt=shown, promises=promises(shown["promises"]))


@pages.post("/p/receipt")
def leave_receipt() -> Response:
    """Forget the PIN on this phone and open the case."""
    shown = kept_receipt()
    answer = _see("case")
    if shown is not None:
        with visitor():
            tokens = signin.sign_in_by_receipt(shown["serial"], shown["pin"])
        _open_case(answer, tokens)
    answer.delete_cookie(RECEIPT_COOKIE, path="/p/receipt")
    return answer


def _as_text(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _as_text(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_as_text(item) for item in value]
    if isinstance(value, str | int | None):
        return value
    return value.isoformat() if hasattr(value, "isoformat") else str(value)


# --- the case --------------------------------------------------------------------------------------------------------


@pages.get("/p/case")
def case() -> Response:
    """The case of the receipt that this phone has looked up, or the form that asks for number and PIN."""
    if PAGE_COOKIE not in request.cookies:
        return page("look_up.html", told="out" if "out" in request.args else None)
    try:
        return _case_page({}, {})
    except Unauthorised:
        answer = page("look_up.html", told="over")
        answer.delete_cookie(PAGE_COOKIE, path="/p")
        return answer


@pages.post("/p/case")
def sign_in() -> Response:
    """Open a case with number and PIN."""
    serial = re.sub(r"[^0-9A-Z-]", "", request.form.get("serial", "").upper())[:40]
    pin = re.sub(r"[^0-9]", "", request.form.get("pin", ""))[:20]
    try:
        with one_try("receipt", serial):
            tokens = signin.sign_in_by_receipt(serial, pin)
    except Unauthorised:
        return page("look_up.html", 401, told="wrong", serial=serial)
    answer = _see("case")
    _open_case(answer, tokens)
    return answer


@pages.post("/p/sign-out")
def sign_out() -> Response:
    """End the session, on this phone and on the server."""
    try:
        with signed_in("receipt") as who:
            if who.session_id:
                signin.revoke(who.session_id, "signed-out")
    except Unauthorised:
        # Already over: the cookie goes all the same.
        pass
    answer = _see("case", out=1)
    answer.delete_cookie(PAGE_COOKIE, path="/p")
    return answer


@pages.post("/p/case/messages")
def send_message() -> Response:
    """A message from the petitioner to the staff."""
    written = _written()
    told, errors = _load(MessageDraft(), {"body": written.get("body", "")}, {"body": "message"})
    if errors:
        return _case_page(written, errors)
    with signed_in("receipt") as who:
        petitions.add_message(own_case(who), who, told["body"])
    return _see("case", done=1)


@pages.post("/p/case/record")
def answer_record() -> Response:
    """What somebody else wrote down: confirm it, or say what is wrong with it."""
    written = _written()
    if written.get("answer") == "confirm":
        with signed_in("receipt") as who:
            petitions.confirm(own_case(who), who)
        return _see("case", done=1)
    told, errors = _load(DisputeDraft(), {"body": written.get("said", "")}, {"body": "said"})
    if errors:
        return _case_page(written, errors)
    with signed_in("receipt") as who:
        petitions.dispute_record(own_case(who), who, told["body"])
    return _see("case", done=1)


@pages.post("/p/case/files")
def send_photo() -> Response:
    """Later evidence."""
    photo = request.files.get("photo")
    if photo is None or not photo.filename:
        return _case_page({}, {"photo": t("error.photo")})
    with signed_in("receipt") as who:
        files.attach_whole(own_case(who), who, photo.filename, photo.stream)
    return _see("case", done=1)


@pages.get("/p/my-data")
def my_data() -> Response:
    """What is kept about the holder of this receipt, what they asked for and what came of it."""
    if PAGE_COOKIE not in request.cookies:
        return _see("case")
    return _my_data_page(None)


@pages.get("/p/my-data/copy")
def copy_my_data() -> Response:
    """The same as a file to keep."""
    with signed_in("receipt") as who:
        copied = OwnData().dump(own_data.own_data(who))
    answer = dress(current_app.response_class(current_app.json.dumps(copied), mimetype="application/json"))
    answer.headers["Content-Disposition"] = 'attachment; filename="my-data.json"'
    return answer


@pages.post("/p/my-data")
def ask_about_my_data() -> Response:
    """Ask for correction or deletion."""
    written = {name: value.replace("\r\n", "\n").strip() for name, value in request.form.items()}
    with signed_in("receipt") as who:
        corrected = {name: written[name] for name in ("name", "phone", "address") if written.get(name)}
        draft = {"petition_id": str(own_case(who)), "kind": written.get("kind", ""), "wish": written.get("wish", "")}
        try:
            own_data.request_change(DataRequestDraft().load({**draft, "corrected": corrected or None}), who)
        except ValidationError as wrong:
            raise Invalid(wrong.normalized_messages()) from wrong
        except Conflict as refused:
            zh_en = problem_text(refused.slug)
        else:
            zh_en = None
    return _see("my_data", done=1) if zh_en is None else _my_data_page(pick(zh_en))


def _my_data_page(error: str | None) -> Response:
    with signed_in("receipt") as who:
        cases = own_data.own_data(who)["cases"]
    return page("my_data.html", 409 if error else 200, cases=cases, error=error, done="done" in request.args)


@pages.post("/p/case/<event>")
def act_on_case(event: str) -> Response:
    """Rate, change the rating, ask for review or re-review, withdraw."""
    if event not in PETITIONER_ACTIONS:
        raise Unknown()
    written = _written()
    raw: dict[str, Any] = {"reason": written.get("reason") or None}
    if event in ("rate", "change_rating"):
        raw |= {"grade": written.get("body_grade") or None, "office_grade": written.get("office_grade") or None}
    fields = {"reason": f"{event}-reason", "grade": "body-grade", "office_grade": "office-grade"}
    facts, errors = _load(ACTIONS[event](), raw, fields)
    if event == "withdraw" and written.get("sure") != "yes":
        errors["sure"] = t("withdraw.tick")
    if "dissatisfied" in raw.values() and not raw["reason"]:
        errors[fields["reason"]] = t("error.reason")
    if errors:
        return _case_page(written, errors)
    with signed_in("receipt") as who:
        petitions.act(own_case(who), event, who, facts, version=_version(written))
    return _see("case", done=1)


def _written() -> dict[str, str]:
    return {name: value.replace("\r\n", "\n").strip() for name, value in request.form.items()}


def _case_page(written: dict[str, str], errors: dict[str, str]) -> Response:
    """The case; with `errors` (id of the field → what is wrong) every form keeps what was written into it."""
    with signed_in("receipt") as who:
        view = reading.case_view(own_case(who), who)
        given = papers.list_papers(own_case(who), who)
    return page(
        "case.html", 422 if errors else 200, written=written, errors=errors, done="done" in request.args, papers=given,
        **readable(view),
    )  # fmt: skip


def _load(schema: Any, raw: dict[str, Any], ids: dict[str, str]) -> tuple[dict[str, Any], dict[str, str]]:
    """What the schema makes of the form, and what is wrong: id of the field on the page → message."""
    try:
        return schema.load(raw), {}
    except ValidationError as wrong:
        return {}, {ids[name]: t(_fault(name, raw[name])) for name in wrong.normalized_messages()}


def _fault(name: str, given: str | None) -> str:
    if name in ("grade", "office_grade"):
        return "error.choose"
    return "error.long" if given else "error.missing"


def _version(written: dict[str, str]) -> int | None:
    number = written.get("version", "")
    return int(number) if re.fullmatch(r"[0-9]{1,9}", number) else None


def _see(endpoint: str, **values: Any) -> Response:
    """Send the browser on with GET, so that a reload never repeats a form."""
    return dress(redirect(url_for(f"pages.{endpoint}", **values), 303))  # type: ignore[arg-type]


def _private(path: str) -> dict[str, Any]:
    return {"path": path, "httponly": True, "samesite": "Strict", "secure": request.is_secure}


def _open_case(answer: Response, tokens: signin.Tokens) -> None:
    answer.set_cookie(PAGE_COOKIE, signin.page_token(tokens), **_private("/p"))
