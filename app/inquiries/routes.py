"""Queries over all datasets, and the record of their use, over HTTP."""

from typing import Any

from app.auth import signed_in
from app.inquiries import record, searching
from app.inquiries.schemas import QueryAnswer, QueryDraft, UsePage, UseQuery
from app.web import Blueprint

inquiries = Blueprint("inquiries", __name__, url_prefix="/api/v1", description="一键查询 inquiries")


@inquiries.post("/inquiries")
@inquiries.arguments(QueryDraft)
@inquiries.response(200, QueryAnswer)
def query_everything(draft: dict[str, Any]) -> Any:
    """Everything that the records of my area hold about one person, company or village. Each use is on record with its purpose."""
    with signed_in("staff") as who:
        return searching.query_everything(draft, who)


@inquiries.get("/inquiries")
@inquiries.arguments(UseQuery, location="query")
@inquiries.response(200, UsePage)
def list_inquiries(query: dict[str, Any]) -> Any:
    """Who asked the records in my area, about whom as a keyed hash, when and why. For discipline bodies and auditors."""
    with signed_in("staff") as who:
        return record.list_uses(query, who)
