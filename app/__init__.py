"""The shell: HTTP, database, scheduling. `create_app()` makes the Flask application."""

import os
import re
import time
import uuid

import orjson
from flask import Flask, Response, g, request
from sqlalchemy import event
from werkzeug.middleware.proxy_fix import ProxyFix

from app import access_log
from app.config import DatabaseRole, Settings
from app.database import require_bound_role
from app.errors import register_errors, register_jwt_errors
from app.extensions import db, jwt, migrate
from app.ledger.keys import signer
from app.sealing import keyring_of
from app.web import Api, Json

API_VERSION = "0.1.0"


# Never connected to: the contract is written without a database.
_NOWHERE = "postgresql+psycopg://nobody@localhost:1/none"


class MingjianApp(Flask):
    json_provider_class = Json


def create_app(settings: Settings | None = None, *, role: DatabaseRole = "web") -> Flask:
    """The application, bound to the database as `role`: `web` serves, `worker` sweeps, `owner` migrates.

    Raises SettingsError when the environment does not suffice.
    """
    settings = settings or Settings.from_environment(os.environ)
    app = MingjianApp(__name__)
    app.config.update(
        SETTINGS=settings,
        SECRET_KEY=settings.secret_key,
        SQLALCHEMY_DATABASE_URI=_address(settings, role),
        SQLALCHEMY_ENGINE_OPTIONS={
            "pool_size": settings.pool_size,
            "max_overflow": 4,
            "pool_recycle": 1800,
            # Errors of the driver quote statement parameters, hence personal content.
            "hide_parameters": True,
            "json_deserializer": orjson.loads,
        },
        MAX_CONTENT_LENGTH=settings.max_upload_mb * 2**20,
        MAX_FORM_MEMORY_SIZE=2**20,
        JWT_ACCESS_TOKEN_EXPIRES=settings.access_token_minutes * 60,
        JWT_REFRESH_TOKEN_EXPIRES=settings.refresh_token_days * 86400,
        JWT_SECRET_KEY=settings.secret_key,
        JWT_TOKEN_LOCATION=["headers"],
        API_TITLE="明鉴 Mingjian",
        API_VERSION=API_VERSION,
        OPENAPI_VERSION="3.1.0",
        OPENAPI_URL_PREFIX="/",
        OPENAPI_JSON_PATH="openapi.json",
    )
    access_log.set_up(settings.log_level)
    if settings.trusted_proxies:
        app.wsgi_app = ProxyFix(app.wsgi_app, x_for=settings.trusted_proxies, x_proto=settings.trusted_proxies)  # type: ignore[method-assign]
    db.init_app(app)
    migrate.init_app(app, db)
    jwt.init_app(app)
    register_errors(app)
    register_jwt_errors(jwt)
    _register_routes(app)
    _register_request_log(app)
    from app.cli import register_cli

    register_cli(app)
    return app


def serve() -> Flask:
    """The web application for a WSGI server.

    Raises UnsafeRole when row-level security would not bind its connection, NoAnswer when there is none, and SettingsError
    without a master key or the key of the ledger.
    """
    from app.files.service import warn_without_scanner

    app = create_app()
    keyring_of(app.config["SETTINGS"])
    with app.app_context():
        # Asked at the start: without it no petition could be filed.
        signer()
        require_bound_role("web")
        db.session.remove()
        warn_without_scanner()
    return app


def _address(settings: Settings, role: DatabaseRole) -> str:
    """The database URL of the role. A command line has only the owner's, a worker only its own."""
    own = {"web": settings.database_url, "worker": settings.worker_database_url, "owner": settings.owner_database_url}
    found = own[role] or settings.owner_database_url or settings.worker_database_url
    if found is None and settings.mode != "production":
        return _NOWHERE
    return found or settings.url_for(role)


def _register_routes(app: Flask) -> None:
    from app.alerts.routes import alerts
    from app.clues.routes import clues
    from app.directory.routes import directory
    from app.files.routes import files
    from app.identity.routes import identity
    from app.inquiries.routes import inquiries
    from app.ledger.routes import ledger
    from app.messages.routes import messages
    from app.operations import operations
    from app.pages import alerts as _alert_pages  # noqa: F401, its pages hang on the same blueprint
    from app.pages import figures as _figures  # noqa: F401, its page hangs on the same blueprint
    from app.pages import papers as _paper_pages  # noqa: F401, its pages hang on the same blueprint
    from app.pages.dossier import dossier
    from app.pages.routes import pages
    from app.papers.routes import papers
    from app.petitions.routes import petitions
    from app.privacy.routes import privacy
    from app.records.routes import records
    from app.recusal.routes import recusal
    from app.rules.routes import rules
    from app.signin.routes import signin
    from app.statistics.routes import statistics
    from app.supervision.routes import supervision

    api = Api(app)
    api.spec.components.security_scheme("bearer", {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"})
    api.spec.options["security"] = [{"bearer": []}]
    for blueprint in (
        signin, petitions, clues, dossier, identity, privacy, recusal, supervision, directory, files, messages, papers,
        ledger, statistics, records, alerts, inquiries, rules,
    ):  # fmt: skip
        api.register_blueprint(blueprint)
    app.extensions["contract"] = api
    app.register_blueprint(operations)
    app.register_blueprint(pages)


# Ids, codes and file tokens stay out of the log; the route's own name is enough to count and to time.
_SAFE_ID = re.compile(r"^[A-Za-z0-9-]{8,64}$")


def _register_request_log(app: Flask) -> None:
    @app.before_request
    def _begin() -> None:
        given = request.headers.get("X-Request-Id", "")
        g.request_id = given if _SAFE_ID.match(given) else uuid.uuid4().hex
        g.started = time.perf_counter()

    @app.after_request
    def _end(response: Response) -> Response:
        response.headers.setdefault("X-Request-Id", g.get("request_id", ""))
        response.headers.setdefault("X-Content-Type-Options", "nosniff")
        response.headers.setdefault("Referrer-Policy", "no-referrer")
        response.headers.setdefault("Cache-Control", "no-store")
        seconds = time.perf_counter() - g.get("started", time.perf_counter())
        from app.operations import count_request

        count_request(request.endpoint or "none", response.status_code, seconds)
        access_log.write(request.method, request.endpoint, response.status_code, seconds, g.get("request_id"))
        return response


def count_statements(app: Flask) -> list[str]:
    """A list that fills with every SQL statement issued from now on; for the budgets in the test-suite."""
    seen: list[str] = []
    with app.app_context():
        event.listen(db.engine, "before_cursor_execute", lambda _c, _cur, statement, *_: seen.append(statement))
    return seen
