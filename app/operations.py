"""/healthz, /readyz, /metrics and the contract's own pages."""

import threading
from collections import Counter
from typing import Any

from flask import Blueprint, Response, current_app, jsonify
from flask_swagger_ui import get_swaggerui_blueprint
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from app.extensions import db

operations = Blueprint("operations", __name__)
# Assets come from the package, and no validator host is asked.
operations.register_blueprint(
    get_swaggerui_blueprint("/docs", "/openapi.json", config={"app_name": "Mingjian", "validatorUrl": None}),
    url_prefix="/docs",
)
_lock = threading.Lock()
_requests: Counter[tuple[str, int]] = Counter()
_seconds: Counter[str] = Counter()


def count_request(endpoint: str, status: int, seconds: float) -> None:
    """Count one answered request of this process."""
    with _lock:
        _requests[endpoint, status] += 1
        _seconds[endpoint] += seconds  # type: ignore[assignment]


@operations.get("/healthz")
def healthz() -> Any:
    """The process answers."""
    return jsonify(status="ok")


@operations.get("/readyz")
def readyz() -> Any:
    """The database answers and is migrated; shows a shifted demonstration clock."""
    try:
        seconds = db.session.execute(text("SELECT (SELECT seconds FROM clock_offset)")).scalar()
        provisional = db.session.execute(text("SELECT count(*) FROM holiday_years")).scalar()
    except SQLAlchemyError:
        return jsonify(status="database unavailable"), 503
    finally:
        db.session.rollback()
    mode = current_app.config["SETTINGS"].mode
    if mode == "production" and seconds:
        return jsonify(status="refused: a production database carries a clock offset"), 503
    return jsonify(status="ready", mode=mode, clock_offset_seconds=seconds or 0, calendar_years=provisional)


@operations.get("/metrics")
def metrics() -> Response:
    """Counters of this process, and files in quarantine, in the Prometheus text format; endpoints only, no ids."""
    with _lock:
        lines = ["# TYPE mingjian_requests_total counter"]
        lines += [
            f'mingjian_requests_total{{endpoint="{e}",status="{s}"}} {n}' for (e, s), n in sorted(_requests.items())
        ]
        lines.append("# TYPE mingjian_request_seconds_total counter")
        lines += [f'mingjian_request_seconds_total{{endpoint="{e}"}} {n:.6f}' for e, n in sorted(_seconds.items())]
    waiting = _files_in_quarantine()
    if waiting is not None:
        lines += ["# TYPE mingjian_files_quarantined gauge", f"mingjian_files_quarantined {waiting}"]
    return Response("\n".join(lines) + "\n", mimetype="text/plain")


def _files_in_quarantine() -> int | None:
    """How many files wait for the virus scanner; None while the database does not answer: the counters are shown anyway."""
    try:
        # A function of the owner, because nobody is signed in here and row-level security shows no file to nobody.
        found: int = db.session.execute(text("SELECT files_in_quarantine()")).scalar_one()
        return found
    except SQLAlchemyError:
        return None
    finally:
        db.session.rollback()
