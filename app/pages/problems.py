"""Refusals and faults as plain pages: what happened, and what the visitor can do next."""

from flask import Response, request

from app.auth import PAGE_COOKIE
from app.pages.text import catalogue, known, page, pick, t


def page_of(answer: Response) -> Response:
    """The problem+json response as a page in the visitor's language, with the same status and retry headers."""
    told = answer.get_json()
    status = answer.status_code
    advice = f"next.{told['type'].rpartition('/')[2]}"
    if advice not in catalogue():
        advice = f"next.{status}"
    if advice not in catalogue():
        advice = "next.500" if status >= 500 else "next.400"
    errors = told.get("errors")
    shown = page(
        "problem.html",
        status,
        title=pick((told["title"], told["title_en"])),
        advice=t(advice),
        fields=[known("field", name) for name in errors if known("field", name)] if isinstance(errors, dict) else [],
        has_case=PAGE_COOKIE in request.cookies and status != 401,
    )
    for name in ("Retry-After", "Allow"):
        if name in answer.headers:
            shown.headers[name] = answer.headers[name]
    return shown
