"""Statistics over HTTP: for staff, and what is published for everybody."""

import csv
import io
from typing import Any

from flask import Response, jsonify, request

from app.auth import signed_in, visitor
from app.privacy import reads
from app.statistics import service
from app.statistics.schemas import PetitionStatistics, PublishedFigures, PublishedQuery, StatisticsQuery
from app.web import Blueprint

statistics = Blueprint("statistics", __name__, url_prefix="/api/v1", description="统计 statistics")
# A month is never changed once it is published; only a new one makes the answer another.
FRESH_SECONDS = 3600
_CSV = {"200": {"description": "CSV", "content": {"text/csv": {"schema": {"type": "string"}}}}}
_UNCHANGED = {"304": {"description": "still what the If-None-Match names"}}


@statistics.get("/statistics/petitions")
@statistics.arguments(StatisticsQuery, location="query")
@statistics.response(200, PetitionStatistics)
def count_petitions(query: dict[str, Any]) -> Any:
    """The cases that I may see, in numbers: by place, state, category and month, on time, satisfied."""
    with signed_in("staff") as who:
        return service.count_petitions(query, who)


@statistics.get("/statistics/petitions.csv")
@statistics.arguments(StatisticsQuery, location="query")
@statistics.doc(responses=_CSV)
def export_statistics(query: dict[str, Any]) -> Response:
    """The same numbers as CSV. The export goes on record."""
    with signed_in("staff") as who:
        rows = service.table_of(service.count_petitions(query, who))
        reads.record_export(who, query)
    written = io.StringIO()
    csv.writer(written).writerows(rows)
    return Response(written.getvalue(), mimetype="text/csv")


@statistics.get("/public/statistics")
@statistics.arguments(PublishedQuery, location="query")
@statistics.response(200, PublishedFigures)
@statistics.doc(security=[], responses=_UNCHANGED)
def get_published_figures(query: dict[str, Any]) -> Any:
    """Published figures of a closed month, for everybody: approximate, and without small numbers."""
    with visitor():
        answer = jsonify(PublishedFigures().dump(service.published(query["period"], query["division"])))
    answer.headers["Cache-Control"] = f"public, max-age={FRESH_SECONDS}"
    answer.add_etag()
    return answer.make_conditional(request)
