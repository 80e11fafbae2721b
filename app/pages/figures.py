"""The page of published figures, for everybody."""

import re

from flask import Response, request

from app.auth import visitor
from app.errors import Unknown
from app.pages.phone import pages
from app.pages.text import page
from app.statistics import service as statistics


@pages.get("/p/figures")
def figures() -> Response:
    """What was published of a month for a place and the places below it; the newest month and the province without a choice."""
    period, place = _asked("period", r"[0-9]{4}-[0-9]{2}"), _asked("division", r"[0-9]{12}")
    with visitor():
        shown = statistics.published(period, place)
    return page("figures.html", **shown)


def _asked(name: str, shape: str) -> str | None:
    """Raises Unknown for what names nothing that could be published."""
    given = request.args.get(name)
    if given is not None and not re.fullmatch(shape, given, re.ASCII):
        raise Unknown()
    return given
