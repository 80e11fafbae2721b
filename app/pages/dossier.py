"""The dossier for the authority above the province as a page to print: A4, no script, Chinese with English beside it."""

import hashlib
from base64 import b64encode
from datetime import date, datetime
from functools import cache
from pathlib import Path
from typing import Any
from uuid import UUID

from flask import Response, current_app, make_response, render_template
from markupsafe import Markup

from app.auth import signed_in
from app.clock import SHANGHAI
from app.pages.text import catalogue
from app.petitions.dossier import external_dossier
from app.web import Blueprint, ProblemSchema

dossier = Blueprint(
    "dossier", __name__, url_prefix="/api/v1", description="上报卷宗 dossier for the external authority"
)

HTML = {"200": {"description": "HTML", "content": {"text/html": {"schema": {"type": "string"}}}}}


@dossier.get("/petitions/<uuid:petition_id>/dossier")
@dossier.doc(responses=HTML)
@dossier.alt_response(409, schema=ProblemSchema, content_type="application/problem+json", success=False)
def print_dossier(petition_id: UUID) -> Response:
    """A case above the province as a page to print, for the provincial desk; each reading is noted on its timeline."""
    with signed_in("staff") as who:
        return _page(external_dossier(petition_id, who))


def _page(found: dict[str, Any]) -> Response:
    style, digest = _style()
    answer = make_response(
        render_template(
            "dossier.html", style=style, pair=catalogue().get, on=_day, at=_minute,
            authority=current_app.config["SETTINGS"].external_authority, **found,
        )
    )  # fmt: skip
    # The style stands in the page, so that a saved copy prints as well; nothing else may load or run.
    answer.headers["Content-Security-Policy"] = (
        f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
    return answer


@cache
def _style() -> tuple[Markup, str]:
    css = Path(__file__).with_name("static").joinpath("dossier.css").read_text(encoding="utf-8")
    return Markup(css), b64encode(hashlib.sha256(css.encode()).digest()).decode()  # noqa: S704 - our own file


def _day(value: datetime | date | None) -> str:
    if isinstance(value, datetime):
        value = value.astimezone(SHANGHAI).date()
    return value.isoformat() if value else ""


def _minute(value: datetime | str) -> str:
    moment = datetime.fromisoformat(value) if isinstance(value, str) else value
    return f"{moment.astimezone(SHANGHAI):%Y-%m-%d %H:%M}"
