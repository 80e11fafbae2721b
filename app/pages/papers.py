"""The petitioner's pages about paper: receipt and its code, the slip, the papers of the case, a lost receipt, a check."""

import re
from typing import Any

from flask import Response, request

from app.auth import signed_in, visitor
from app.errors import Unauthorised
from app.pages.phone import kept_receipt, own_case, pages
from app.pages.text import dress, page
from app.papers import receipts, recovery
from app.papers import service as papers
from app.papers.printing import pdf_answer
from app.signin import limits
from app.signin import service as signin
from app.signin.limits import one_try


@pages.get("/p/receipt.pdf")
def case_receipt_pdf() -> Response:
    """The receipt of the case that is open on this phone."""
    with signed_in("receipt") as who:
        return _sheet(receipts.receipt_pdf(receipts.receipt_of(own_case(who), who)), "receipt")


@pages.get("/p/receipt/sheet.pdf")
def receipt_pdf() -> Response:
    """The receipt of the petition that was filed a moment ago on this phone."""
    return _sheet(receipts.receipt_pdf(_filed()), "receipt")


@pages.get("/p/receipt/code.svg")
def receipt_code() -> Response:
    """The QR code of that receipt."""
    picture = receipts.code_picture(receipts.code_text(_filed()), "svg")
    return dress(Response(picture, mimetype="image/svg+xml"))


@pages.post("/p/receipt/slip")
def receipt_slip() -> Response:
    """Number and PIN on a slip: offered only until the visitor says that they are written down."""
    filed = _filed()
    return _sheet(receipts.slip_pdf(filed["serial"], filed["pin"]), "slip")


@pages.get("/p/papers/<int:seq>.pdf")
def paper_pdf(seq: int) -> Response:
    """A statutory paper of the case that is open on this phone; opening it is its delivery, asking for its size is not."""
    with signed_in("receipt") as who:
        return _sheet(*papers.print_paper(own_case(who), seq, who, opened=request.method != "HEAD"))


@pages.get("/p/recover")
def recover() -> Response:
    """First question of a lost receipt: the phone that was given."""
    return page("recover.html", step="phone", told=None, phone="")


@pages.post("/p/recover/code")
def send_recovery_code() -> Response:
    """Send a code; the page is the same whether or not the phone is known."""
    phone = _phone()
    if phone is None:
        return page("recover.html", 422, step="phone", told="phone", phone="")
    with visitor():
        limits.count("code-address", limits.client_address())
        signin.send_code(phone)
    return page("recover.html", step="code", told=None, phone=phone)


@pages.post("/p/recover")
def recover_receipts() -> Response:
    """Number and new PIN of every case filed with this phone under this name."""
    phone, name = _phone(), request.form.get("name", "").strip()[:50]
    code = re.sub(r"[^0-9]", "", request.form.get("code", ""))[:6]
    if phone is None:
        return page("recover.html", 422, step="phone", told="phone", phone="")
    try:
        with one_try("recovery", phone) as who:
            found = recovery.recover_receipts(phone, code, name, who)
    except Unauthorised:
        return page("recover.html", 401, step="code", told="wrong", phone=phone)
    return page("recover.html", step="found", told=None, found=found)


@pages.get("/p/verify")
def verify() -> Response:
    """Anybody checks a paper: number and code, and whether it was issued here."""
    number, code = (request.args.get(name, "").strip()[:100] for name in ("number", "code"))
    told: dict[str, Any] | None = None
    if number and code and "\0" not in number + code:
        with visitor():
            limits.count("paper", limits.client_address())
        with visitor():
            told = papers.verify_paper(number, code)
    return page("verify.html", number=number, code=code, told=told)


def _filed() -> dict[str, Any]:
    filed = kept_receipt()
    if filed is None:
        raise Unauthorised()
    return filed


def _phone() -> str | None:
    digits = re.sub(r"[\s-]|^\+?86(?=1)", "", request.form.get("phone", ""))
    return digits if re.fullmatch(r"1[3-9][0-9]{9}", digits) else None


def _sheet(pdf: bytes, name: str) -> Response:
    return dress(pdf_answer(pdf, name))
