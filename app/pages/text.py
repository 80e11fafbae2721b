"""The words of the plain pages in both languages, and the one function that turns a template into a safe response."""

import json
import re
from datetime import date, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from flask import Response, make_response, render_template, request

from app.clock import SHANGHAI, today

LANGUAGES = ("zh", "en")
LANGUAGE_COOKIE = "mj_lang"

# Nothing may be loaded or sent anywhere but here, and nothing may run: the pages hold no script at all.
CONTENT_SECURITY_POLICY = (
    "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)


@cache
def catalogue() -> dict[str, tuple[str, str]]:
    """Every text of the pages: key → (Chinese, English)."""
    words = json.loads(Path(__file__).with_name("text.json").read_text(encoding="utf-8"))
    return {key: (zh, en) for key, (zh, en) in words.items()}


def language() -> str:
    """The visitor's language: asked for in this address, else remembered in the cookie, else Chinese."""
    for wish in (request.args.get("lang"), request.cookies.get(LANGUAGE_COOKIE)):
        if wish in LANGUAGES:
            return wish
    return "zh"


def pick(pair: tuple[str, str]) -> str:
    """The Chinese or the English half of a pair, as the visitor reads."""
    return pair[LANGUAGES.index(language())]


def t(key: str, **values: Any) -> str:
    """The text of `key` in the visitor's language. Raises KeyError for a key that the catalogue does not hold."""
    words = pick(catalogue()[key])
    return words.format(**values) if values else words


def known(group: str, code: Any) -> str | None:
    """The text of a code of a closed list, such as a state; None for a code without plain words of its own."""
    key = f"{group}.{code}"
    return t(key) if key in catalogue() else None


def _as_date(value: datetime | date | str) -> date:
    if isinstance(value, str):
        value = date.fromisoformat(value) if len(value) == 10 else datetime.fromisoformat(value)
    return value.astimezone(SHANGHAI).date() if isinstance(value, datetime) else value


def day(value: datetime | date | str | None) -> str:
    """A day as people write it, counted in Asia/Shanghai."""
    if value is None:
        return ""
    on = _as_date(value)
    return pick((f"{on.year}年{on.month}月{on.day}日", f"{on.day} {on:%b} {on.year}"))


def minute(value: datetime | str) -> str:
    """A day with hour and minute in Asia/Shanghai."""
    at = datetime.fromisoformat(value) if isinstance(value, str) else value
    return f"{day(at)} {at.astimezone(SHANGHAI):%H:%M}"


def days_until(value: datetime | date | str) -> int:
    """Whole days from today to that day; negative when it has passed."""
    return (_as_date(value) - today()).days


def last_day_of(until: datetime | str) -> date:
    """The last day of a window whose end is the first instant too late, often the midnight that follows the day."""
    at = datetime.fromisoformat(until) if isinstance(until, str) else until
    return (at - timedelta(seconds=1)).astimezone(SHANGHAI).date()


def _switch_address() -> str:
    """This address in the other language. Only steps of the filing form and the choice of published figures are carried
    along: they name no person."""
    kept = {
        name: request.args[name]
        for name in ("danger", "place", "period", "division")
        if re.fullmatch(r"[\w-]{1,12}", request.args.get(name, ""))
    }
    return "?" + urlencode({**kept, "lang": "zh" if language() == "en" else "en"})


def page(template: str, status: int = 200, **values: Any) -> Response:
    """Render a template in the visitor's language, with the headers that every page carries."""
    words = {
        "t": t, "known": known, "pick": pick, "day": day, "minute": minute, "last_day_of": last_day_of,
        "lang": language(), "switch": _switch_address() if request.method in ("GET", "HEAD") else None,
    }  # fmt: skip
    answer = make_response(render_template(template, **words, **values), status)
    return dress(answer)


def dress(answer: Response) -> Response:
    """Add the security headers, keep the page out of caches, and remember a language that was asked for."""
    answer.headers["Content-Security-Policy"] = CONTENT_SECURITY_POLICY
    answer.headers["X-Content-Type-Options"] = "nosniff"
    # Not "no-referrer": with it some browsers send `Origin: null` with our own forms, which we refuse.
    answer.headers["Referrer-Policy"] = "same-origin"
    answer.headers["Cache-Control"] = "no-store"
    wish = request.args.get("lang")
    if wish in LANGUAGES:
        answer.set_cookie(
            LANGUAGE_COOKIE,
            wish,
            max_age=365 * 86400,
            path="/",
            httponly=True,
            samesite="Lax",
            secure=request.is_secure,
        )
    return answer
