"""Every error leaves as problem+json (RFC 9457) with a stable `type`, in Chinese with English beside it."""

from http import HTTPStatus
from typing import Any

from flask import Flask, Response, current_app, jsonify, request
from flask_jwt_extended import JWTManager
from sqlalchemy.exc import DataError, DBAPIError, OperationalError
from sqlalchemy.orm.exc import StaleDataError
from werkzeug.exceptions import HTTPException

from app.extensions import db
from app.text import problem_text
from workflows.base import MissingFact, NotAllowed, WrongState


class Problem(Exception):
    """A refusal that the client can act on. `slug` is the stable end of its `type` URI."""

    status = HTTPStatus.BAD_REQUEST
    slug = "bad-request"

    def __init__(
        self, slug: str | None = None, *, status: int | None = None, headers: dict[str, str] | None = None, **more: Any
    ):
        self.slug = slug or self.slug
        self.status = HTTPStatus(status or self.status)
        self.headers = headers or {}
        self.more = more
        super().__init__(self.slug)


class Unknown(Problem):
    """Nothing by that id, or nothing that this reader may know of: the two answers are the same on purpose."""

    status, slug = HTTPStatus.NOT_FOUND, "not-found"


class Conflict(Problem):
    status, slug = HTTPStatus.CONFLICT, "conflict"


class Forbidden(Problem):
    status, slug = HTTPStatus.FORBIDDEN, "forbidden"


class Unauthorised(Problem):
    status, slug = HTTPStatus.UNAUTHORIZED, "not-signed-in"


class Invalid(Problem):
    """Well-formed input with an impossible value; `errors` maps a field to its messages."""

    status, slug = HTTPStatus.UNPROCESSABLE_ENTITY, "invalid-input"

    def __init__(self, errors: dict[str, Any], slug: str | None = None):
        super().__init__(slug, errors=errors)


class TooMany(Problem):
    status, slug = HTTPStatus.TOO_MANY_REQUESTS, "too-many-requests"


def problem(status: int, slug: str, *, headers: dict[str, str] | None = None, **more: Any) -> Response:
    """A problem+json response. Texts come from the catalogue app/text/problems.json."""
    zh, en = problem_text(slug)
    body = {"type": f"/problems/{slug}", "title": zh, "title_en": en, "status": int(status), **more}
    answer = jsonify(body)
    answer.status_code = int(status)
    answer.mimetype = "application/problem+json"
    answer.headers.update(headers or {})
    return answer


_HTTP_SLUGS = {
    400: "bad-request", 401: "not-signed-in", 403: "forbidden", 404: "not-found", 405: "method-not-allowed",
    406: "not-acceptable", 408: "timeout", 409: "conflict", 411: "length-required", 412: "precondition-failed",
    413: "too-large", 414: "uri-too-long", 415: "unsupported-media-type", 416: "range", 422: "invalid-input",
    428: "precondition-required", 429: "too-many-requests", 431: "headers-too-large",
}  # fmt: skip


def _from_http(error: HTTPException) -> Response:
    status = error.code or 500
    more: dict[str, Any] = {}
    data = getattr(error, "data", None) or {}
    if messages := data.get("messages"):
        more["errors"] = _flatten(messages)
    headers = dict(data.get("headers") or {})
    if status == 405 and error.valid_methods:  # type: ignore[attr-defined]
        headers["Allow"] = ", ".join(sorted(error.valid_methods))  # type: ignore[attr-defined]
    if status >= 500:
        return problem(status, "server-error")
    return problem(status, _HTTP_SLUGS.get(status, "bad-request"), headers=headers, **more)


def _flatten(messages: Any) -> Any:
    """webargs nests messages below the location ('json', 'query'…); the client only needs the field."""
    if isinstance(messages, dict) and set(messages) <= {
        "json",
        "query",
        "form",
        "files",
        "headers",
        "path",
        "json_or_form",
    }:
        flat: dict[str, Any] = {}
        for part in messages.values():
            flat.update(part if isinstance(part, dict) else {"_": part})
        return flat
    return messages


def register_errors(app: Flask) -> None:
    """Make `app` answer every exception as problem+json, or as a plain page below /p/."""

    def rendered(answer: Response) -> Any:
        if request.path.startswith("/p/") or request.path == "/":
            from app.pages.problems import page_of

            return page_of(answer)
        return answer

    @app.errorhandler(Problem)
    def _(error: Problem) -> Any:
        db.session.rollback()
        return rendered(problem(error.status, error.slug, headers=error.headers, **error.more))

    @app.errorhandler(WrongState)
    def _(error: WrongState) -> Any:
        db.session.rollback()
        return rendered(
            problem(409, "wrong-state", state=str(error.state), allowed_actions=[str(e) for e in error.open_events])
        )

    @app.errorhandler(NotAllowed)
    def _(error: NotAllowed) -> Any:
        db.session.rollback()
        return rendered(problem(403, "not-allowed", action=str(error.event), reason=error.code))

    @app.errorhandler(MissingFact)
    def _(error: MissingFact) -> Any:
        db.session.rollback()
        return rendered(problem(422, "invalid-input", errors={error.field: ["required"]}))

    @app.errorhandler(StaleDataError)
    def _(_error: StaleDataError) -> Any:
        db.session.rollback()
        return rendered(problem(409, "changed-meanwhile"))

    @app.errorhandler(DataError)
    def _(_error: DataError) -> Any:
        # PostgreSQL refuses what JSON allows (NUL in text, an integer beyond its type): the client's fault, not ours.
        db.session.rollback()
        return rendered(problem(422, "invalid-input", errors={"_": ["unstorable value"]}))

    @app.errorhandler(OperationalError)
    def _(_error: OperationalError) -> Any:
        db.session.rollback()
        current_app.logger.error("database unavailable")
        return rendered(problem(503, "database-unavailable", headers={"Retry-After": "5"}))

    @app.errorhandler(HTTPException)
    def _(error: HTTPException) -> Any:
        db.session.rollback()
        return rendered(_from_http(error))

    @app.errorhandler(Exception)
    def _(error: Exception) -> Any:
        db.session.rollback()
        # SQLAlchemy puts statement parameters, hence personal content, into its messages: log the kind only.
        if isinstance(error, DBAPIError):
            current_app.logger.error("database error %s", type(error.orig).__name__)
        else:
            current_app.logger.error("unexpected %s", type(error).__name__, exc_info=_without_values(error))
        if app.config.get("PROPAGATE_UNEXPECTED"):
            raise error
        return rendered(problem(500, "server-error"))


def _without_values(error: Exception) -> tuple[type, Exception, Any]:
    """The trace without the message, which may quote what a person wrote."""
    hidden = RuntimeError(type(error).__name__)
    return RuntimeError, hidden, error.__traceback__


def register_jwt_errors(jwt: JWTManager) -> None:
    """Make flask-jwt-extended answer in the house format."""
    jwt.unauthorized_loader(lambda _reason: problem(401, "not-signed-in", headers={"WWW-Authenticate": "Bearer"}))
    jwt.invalid_token_loader(lambda _reason: problem(401, "invalid-token", headers={"WWW-Authenticate": "Bearer"}))
    jwt.expired_token_loader(lambda _h, _p: problem(401, "token-expired", headers={"WWW-Authenticate": "Bearer"}))
    jwt.revoked_token_loader(lambda _h, _p: problem(401, "signed-out", headers={"WWW-Authenticate": "Bearer"}))
    jwt.needs_fresh_token_loader(lambda _h, _p: problem(401, "token-expired", headers={"WWW-Authenticate": "Bearer"}))
