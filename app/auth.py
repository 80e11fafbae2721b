"""Who is asking: the token of a request, checked against its session by the statement that opens the transaction.

A token only names a session and its kind. Everything that matters (is the session revoked, has the person left, is the
appointment valid today) is read again with every request, in the same statement that sets the actor for row-level
security: signing out, handing over and leaving work at once, and cost no extra round trip.

Sessions run on the clock of the database server and not on `app.clock`: a demonstration that moves the product's clock by
sixty days must not sign everybody out. Appointments follow the product's calendar.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal
from uuid import UUID

from flask import current_app, request
from flask_jwt_extended import decode_token
from flask_jwt_extended.exceptions import JWTExtendedException
from jwt.exceptions import PyJWTError
from sqlalchemy import Row, column, text

from app import clock
from app.database import AREA_ROLES, ASSIGNED_ROLES, transaction
from app.errors import Forbidden, Unauthorised
from app.extensions import db
from workflows.actor import Actor, Role

Kind = Literal["staff", "villager", "receipt", "visitor"]

PAGE_COOKIE = "mj_case"
# Of the pages for staff; a browser may hold both.
OFFICE_COOKIE, OFFICE_PATH = "mj_office", "/p/office"

# Roles that decide over cases of a whole county or more, or over the system itself, sign in with a second factor.
SECOND_FACTOR_ROLES = frozenset(
    {
        Role.PETITION_OFFICE,
        Role.COUNTY_DISCIPLINE,
        Role.UPPER_DISCIPLINE,
        Role.AUDITOR,
        Role.SECURITY_ADMIN,
        Role.SYSTEM_ADMIN,
    }
)

VISITOR = Actor(
    kind="petitioner", person_id=None, role=Role.PETITIONER.value, org_id=None, org_level=None, head=False, scope=""
)


@dataclass(frozen=True, slots=True)
class Identity:
    """Who acts in the open transaction.

    `petition_id` is given when somebody signed in with a receipt: that one case is all they see. `session_id` is None for
    a visitor, who has no account and no receipt.
    """

    actor: Actor
    petition_id: UUID | None
    session_id: UUID | None
    kind: Kind


def second_factor_required(role: str) -> bool:
    """Whether `role` needs a second factor here: SECOND_FACTOR_ROLES, and only in production (accounts of a demonstration
    could not be tried otherwise). An account that has enrolled one is asked for it everywhere."""
    return current_app.config["SETTINGS"].mode == "production" and role in SECOND_FACTOR_ROLES


# The significant digits of a division code: two for the province, four for the city, and so on; the rest is zeros. A body
# above the province has the whole code book as its area only through its role, so its scope stays empty.
_SCOPE = """
    left(o.division_code, CASE o.level WHEN 1 THEN 2 WHEN 2 THEN 4 WHEN 3 THEN 6 WHEN 4 THEN 9 WHEN 5 THEN 12 ELSE 0 END)
"""

_STAFF = text(
    f"""
    SELECT concat(set_config('mj.kind', 'staff', true), set_config('mj.person', a.id::text, true),
                  set_config('mj.role', p.role, true), set_config('mj.org', o.id::text, true),
                  set_config('mj.lo', scope.lo, true),
                  set_config('mj.hi', CASE WHEN scope.lo = '' THEN '' ELSE scope.lo || ':' END, true),
                  set_config('mj.reach', CASE WHEN p.role = ANY(:area) THEN 'area'
                                              WHEN p.role = ANY(:assigned) THEN 'assigned' ELSE '' END, true),
                  set_config('mj.petition', '', true), set_config('mj.purpose', :purpose, true)) AS actor,
           shift.seconds, a.id AS person_id, p.role, o.id AS org_id, o.level AS org_level, p.head, scope.lo AS scope,
           a.must_change_password, a.totp_confirmed_at IS NOT NULL AS enrolled
      FROM sessions s
      JOIN staff_accounts a ON a.id = s.account_id
      JOIN appointments p ON p.id = s.appointment_id AND p.account_id = a.id
      JOIN organisations o ON o.id = p.org_id
     CROSS JOIN LATERAL (SELECT {_SCOPE} AS lo) scope
     CROSS JOIN (SELECT coalesce((SELECT seconds FROM clock_offset), 0) AS seconds) shift
     CROSS JOIN LATERAL (SELECT ((now() + shift.seconds * interval '1 second') AT TIME ZONE 'Asia/Shanghai')::date AS d) day
     WHERE s.id = :session AND s.kind = 'staff' AND s.revoked_at IS NULL AND s.expires_at > now()
       AND (a.left_on IS NULL OR a.left_on > day.d)
       AND p.valid_from <= day.d AND (p.valid_to IS NULL OR p.valid_to >= day.d)
    """
).columns(
    *(column(name) for name in ("actor", "seconds", "person_id", "role", "org_id", "org_level", "head", "scope")),
    *(column(name) for name in ("must_change_password", "enrolled")),
)

# A villager sees what they filed, a receipt opens one case: both without an organisation, with the whole range of codes.
_OF_PETITIONER = tuple(column(name) for name in ("actor", "seconds", "person_id", "petition_id"))
_VILLAGER = text(
    """
    SELECT concat(set_config('mj.kind', 'petitioner', true), set_config('mj.person', s.villager_id::text, true),
                  set_config('mj.role', 'petitioner', true), set_config('mj.org', '', true), set_config('mj.lo', '', true),
                  set_config('mj.hi', ':', true), set_config('mj.reach', 'own', true), set_config('mj.petition', '', true),
                  set_config('mj.purpose', :purpose, true)) AS actor,
           coalesce((SELECT seconds FROM clock_offset), 0) AS seconds,
           s.villager_id AS person_id, NULL::uuid AS petition_id
      FROM sessions s
     WHERE s.id = :session AND s.kind = 'villager' AND s.villager_id IS NOT NULL
       AND s.revoked_at IS NULL AND s.expires_at > now()
    """
).columns(*_OF_PETITIONER)

_RECEIPT = text(
    """
    SELECT concat(set_config('mj.kind', 'petitioner', true), set_config('mj.person', '', true),
                  set_config('mj.role', 'petitioner', true), set_config('mj.org', '', true), set_config('mj.lo', '', true),
                  set_config('mj.hi', ':', true), set_config('mj.reach', 'receipt', true),
                  set_config('mj.petition', s.petition_id::text, true),
                  set_config('mj.purpose', :purpose, true)) AS actor,
           coalesce((SELECT seconds FROM clock_offset), 0) AS seconds,
           NULL::uuid AS person_id, s.petition_id
      FROM sessions s
     WHERE s.id = :session AND s.kind = 'receipt' AND s.petition_id IS NOT NULL
       AND s.revoked_at IS NULL AND s.expires_at > now()
    """
).columns(*_OF_PETITIONER)

_OPENING = {"staff": _STAFF, "villager": _VILLAGER, "receipt": _RECEIPT}
_PETITIONER_KINDS = frozenset({"villager", "receipt"})


@contextmanager
def signed_in(*kinds: str, purpose: str = "", unfinished: bool = False) -> Iterator[Identity]:
    """The transaction of the person whose token came with the request: committed at the end, rolled back on any exception.

    `kinds` limits who may come in: "staff", "petitioner" (with an account or by receipt), "villager", "receipt"; none
    named means everybody who is signed in. `unfinished` also lets in staff who have yet to change a first password or to
    enrol a second factor; only the routes that do these things ask for it.

    Raises Unauthorised (no token, bad token, session over, person or appointment gone) and Forbidden (another kind, or
    `must-change-password`, `must-enrol-second-factor`).
    """
    claims = token_claims(_token_of_request(), "access")
    if kinds and not _admits(claims["kind"], kinds):
        raise Forbidden("wrong-account")
    with _acting(claims, purpose, unfinished=unfinished) as who:
        yield who


@contextmanager
def still_signed_in(who: Identity, *, purpose: str = "") -> Iterator[Identity]:
    """A further transaction of the same person, for an answer that is longer than one. Session, account and appointment are
    asked again; the token was good when the request came, and its time may run out meanwhile.

    Raises Unauthorised when the session is over or person or appointment are gone.
    """
    with _acting({"kind": who.kind, "sub": str(who.session_id)}, purpose, unfinished=False) as now:
        yield now


@contextmanager
def _acting(claims: dict[str, Any], purpose: str, *, unfinished: bool) -> Iterator[Identity]:
    try:
        who = _open(claims, purpose, unfinished=unfinished)
        yield who
        db.session.commit()
    except BaseException:
        db.session.rollback()
        raise


@contextmanager
def visitor() -> Iterator[Identity]:
    """The transaction of somebody without account and receipt: they may file, ask for a code and sign in; they see no case."""
    with transaction(VISITOR):
        yield Identity(actor=VISITOR, petition_id=None, session_id=None, kind="visitor")


def token_claims(token: str | None, type_: Literal["access", "refresh"]) -> dict[str, Any]:
    """The claims of a token that we signed, that is not past its time and of the wanted type. Raises Unauthorised."""
    if not token:
        raise _unauthorised("not-signed-in")
    try:
        claims = _signed(token, current_app.config["JWT_SECRET_KEY"])
    except (PyJWTError, JWTExtendedException) as error:
        raise _unauthorised("invalid-token") from error
    if claims["exp"] <= time.time():
        raise _unauthorised("token-expired")
    if claims.get("type") != type_ or claims.get("kind") not in _OPENING or not _is_uuid(claims.get("sub")):
        raise _unauthorised("invalid-token")
    return claims


# A token comes with every request of its holder, and its signature stays good: only the time is looked at each time.
@lru_cache(maxsize=4096)
def _signed(token: str, _key: str) -> dict[str, Any]:
    claims: dict[str, Any] = decode_token(token, allow_expired=True)
    return claims


def _open(claims: dict[str, Any], purpose: str, *, unfinished: bool) -> Identity:
    kind: Kind = claims["kind"]
    values: dict[str, Any] = {"session": UUID(claims["sub"]), "purpose": purpose}
    if kind == "staff":
        values |= {"area": sorted(AREA_ROLES), "assigned": sorted(ASSIGNED_ROLES)}
    row = db.session.execute(_OPENING[kind], values).one_or_none()
    if row is None:
        raise _unauthorised("signed-out")
    clock.offset_seconds.set(row.seconds)
    if kind == "staff":
        if not unfinished:
            _require_finished(row)
        actor = Actor("staff", row.person_id, row.role, row.org_id, row.org_level, row.head, row.scope)
        return Identity(actor=actor, petition_id=None, session_id=values["session"], kind=kind)
    actor = Actor("petitioner", row.person_id, Role.PETITIONER.value, None, None, False, "")
    return Identity(actor=actor, petition_id=row.petition_id, session_id=values["session"], kind=kind)


def _require_finished(row: Row[Any]) -> None:
    if row.must_change_password:
        raise Forbidden("must-change-password")
    if not row.enrolled and second_factor_required(row.role):
        raise Forbidden("must-enrol-second-factor")


def _token_of_request() -> str | None:
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    if scheme:
        if scheme.lower() != "bearer":
            raise _unauthorised("invalid-token")
        return token.strip() or "-"
    # Only the server-rendered pages read the cookie: the API can then not be reached by another site's forms.
    if request.path == OFFICE_PATH or request.path.startswith(f"{OFFICE_PATH}/"):
        return request.cookies.get(OFFICE_COOKIE)
    return request.cookies.get(PAGE_COOKIE) if request.path.startswith("/p/") else None


def _admits(kind: str, kinds: tuple[str, ...]) -> bool:
    return kind in kinds or ("petitioner" in kinds and kind in _PETITIONER_KINDS)


def _unauthorised(slug: str) -> Unauthorised:
    return Unauthorised(slug, headers={"WWW-Authenticate": "Bearer"})


def _is_uuid(value: object) -> bool:
    try:
        return str(UUID(str(value))) == value
    except ValueError:
        return False
