"""Pages for staff, until a console exists: sign in, the list of alerts, one alert with its evidence side by side. They read; every
step is taken through the API."""

import re
from typing import Any
from uuid import UUID

from flask import Response, redirect, request, url_for

from app.alerts import reading
from app.auth import OFFICE_COOKIE, OFFICE_PATH, signed_in
from app.errors import Forbidden, Unauthorised
from app.pages.phone import pages
from app.pages.text import dress, page
from app.signin import service as signin
from app.signin.limits import one_try
from workflows.alert import COLOURS

PAGE = 50
_FILTERS = {"colour": None, "state": None, "rule_code": None, "packet_id": None, "place": None, "limit": PAGE}


@pages.get("/p/office")
def office() -> Response:
    """The form that asks for user name, password and code."""
    return page("office.html", told="out" if "out" in request.args else None)


@pages.post("/p/office")
def sign_in_office() -> Response:
    """Sign in as staff, and go to the alerts."""
    given = {name: request.form.get(name, "")[:200] for name in ("username", "password", "totp")}
    try:
        with one_try("staff", given["username"]):
            tokens = signin.sign_in_staff(given["username"], given["password"], given["totp"].strip() or None, None)
    except (Unauthorised, Forbidden) as refused:
        told = "code" if refused.slug == "second-factor-needed" else "wrong"
        return page("office.html", 401, told=told, username=given["username"])
    answer = _see("alerts_page")
    answer.set_cookie(
        OFFICE_COOKIE, signin.page_token(tokens), path=OFFICE_PATH, httponly=True, samesite="Strict", secure=request.is_secure
    )
    return answer


@pages.post("/p/office/sign-out")
def leave_office() -> Response:
    """End the session, in this browser and on the server."""
    try:
        with signed_in("staff", unfinished=True) as who:
            if who.session_id:
                signin.revoke(who.session_id, "signed-out")
    except Unauthorised:
        # Already over: the cookie goes all the same.
        pass
    answer = _see("office", out=1)
    answer.delete_cookie(OFFICE_COOKIE, path=OFFICE_PATH)
    return answer


@pages.get("/p/office/alerts")
def alerts_page() -> Response:
    """The alerts that I may see, newest first, fifty a page; by colour and open or done."""
    colour = request.args.get("colour")
    query = {
        **_FILTERS, "open": request.args.get("done") is None, "colour": colour if colour in COLOURS else None,
        "cursor": request.args.get("cursor", "")[:200] or None,
    }  # fmt: skip
    with signed_in("staff"):
        found = reading.list_alerts(query)
    return page("alerts.html", **found, yuan=yuan, colours=COLOURS, colour=query["colour"], done=not query["open"])


@pages.get("/p/office/alerts/<uuid:alert_id>")
def alert_page(alert_id: UUID) -> Response:
    """One alert: rule, evidence side by side, the order of its days, what was done, what may be done."""
    with signed_in("staff") as who:
        alert = reading.alert_view(alert_id, who)
    dated = [pair for one in alert["evidence"] for pair in _days_of(one)]
    return page("alert.html", alert=alert, strip=sorted(dated, key=lambda pair: pair[0]), yuan=yuan)


def yuan(fen: int | None) -> str:
    """Fen as yuan with two places and thousands."""
    return "—" if fen is None else f"¥{fen // 100:,}.{fen % 100:02d}"


def _days_of(row: dict[str, Any]) -> list[tuple[str, dict[str, str]]]:
    """Each day that stands in a row of evidence, with the name of its field."""
    return [
        (str(one["value"])[:10], one["label"])
        for one in row["fields_"]
        if one["type"] in ("date", "ts") or re.fullmatch(r"\d{4}-\d{2}-\d{2}", str(one["value"]))
        if one["value"] is not None
    ]


def _see(view: str, **more: Any) -> Response:
    return dress(redirect(url_for(f"pages.{view}", **more), 303))  # type: ignore[arg-type]
