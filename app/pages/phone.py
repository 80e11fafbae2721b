"""What the pages have in common: whose phone it is, the case that it has open, the receipt that it was given."""

from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

from flask import Blueprint, current_app, request
from itsdangerous import BadData, URLSafeTimedSerializer

from app.auth import Identity
from app.errors import Forbidden, Unauthorised

pages = Blueprint("pages", __name__, template_folder="templates", static_folder="static", static_url_path="/p/static")

RECEIPT_COOKIE = "mj_receipt"
RECEIPT_SECONDS = 3600


@pages.before_request
def refuse_other_sites() -> None:
    """Refuse a form that another site sends: old browsers do not know SameSite cookies. Raises Forbidden."""
    origin = request.headers.get("Origin")
    if request.method == "POST" and origin and urlsplit(origin).netloc != request.host:
        public = urlsplit(current_app.config["SETTINGS"].public_url).netloc
        if urlsplit(origin).netloc != public:
            raise Forbidden("cross-site")


def own_case(who: Identity) -> UUID:
    """The case that a receipt has opened. Raises Unauthorised when there is none."""
    if who.petition_id is None:
        raise Unauthorised()
    return who.petition_id


def keep_receipt(receipt: dict[str, Any]) -> str:
    """The value of RECEIPT_COOKIE for a receipt given now; JSON values only."""
    return str(_sealer().dumps(receipt))


def kept_receipt() -> dict[str, Any] | None:
    """The receipt given on this phone within the hour, with its PIN; None once the visitor has put it away."""
    try:
        shown: dict[str, Any] = _sealer().loads(request.cookies.get(RECEIPT_COOKIE, ""), max_age=RECEIPT_SECONDS)
    except BadData:
        return None
    return shown


def _sealer() -> URLSafeTimedSerializer:
    return URLSafeTimedSerializer(current_app.config["SECRET_KEY"], salt="receipt-page")
