"""Places, bodies, persons and staff: what the other features look up. Changes of staff are in app.directory.staff."""

from collections.abc import Collection, Iterable, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Row, Select, and_, or_, select, tuple_

from app import clock
from app.directory.bodies import DISCIPLINE_KINDS, INTAKE_KINDS, KIND_LABELS, OrgKind
from app.directory.codes import fault_of, is_placeholder, level_of, lineage_of, pad, prefix_of, scope_range
from app.directory.models import Appointment, Division, Kinship, Organisation, Person, Post, StaffAccount
from app.errors import Invalid, Unknown
from app.extensions import db

SEARCH_LIMIT = 50


# Divisions


def find_division(code: str) -> Division | None:
    """The division with this twelve-digit code, withdrawn ones included; None for an unknown or impossible code."""
    return None if fault_of(code) else db.session.get(Division, code)


def open_division(code: str, field: str = "division_code") -> Division:
    """The division that a new case may name. Raises Invalid naming `field` when it is unknown, withdrawn or no place."""
    fault = fault_of(code)
    if fault:
        raise Invalid({field: [fault.value]})
    division = db.session.get(Division, code)
    if division is None:
        raise Invalid({field: ["division-unknown"]})
    if division.withdrawn_on is not None:
        raise Invalid({field: ["division-withdrawn"]})
    if is_placeholder(code, division.name):
        raise Invalid({field: ["division-is-no-place"]})
    return division


def children(code: str | None) -> list[Division]:
    """The divisions right below `code` (12 digits, or its significant ones: "33"), withdrawn ones left out, by code.

    None gives the provinces. A level that is only filled in the list (Longgang has no townships) is skipped, so that a
    person who chooses step by step never has to choose it. Raises Unknown for a code that is no division.
    """
    if code is not None:
        code = pad(code)
        if find_division(code) is None:
            raise Unknown()
    rows = _live(Division.parent_code == code)
    found: list[Division] = []
    for row in rows:
        found += children(row.code) if is_placeholder(row.code, row.name) else [row]
    return found


def search_divisions(parent: str | None, name: str) -> list[Division]:
    """At most 50 divisions whose name contains `name`, anywhere below `parent`, higher levels first.

    Equal names are common (莲花镇 is two places): always show the path. Raises Invalid for an impossible `parent`.
    """
    conditions = [Division.name.contains(name, autoescape=True)]
    if parent is not None:
        lo, hi = _range_of(parent, "parent")
        conditions += [Division.code >= lo, Division.code < hi]
    query = (
        select(Division)
        .where(*conditions, Division.withdrawn_on.is_(None))
        .order_by(Division.level, Division.code)
        .limit(SEARCH_LIMIT)
    )
    return [row for row in db.session.scalars(query) if not is_placeholder(row.code, row.name)]


def _live(condition: ColumnElement[bool]) -> list[Division]:
    query = select(Division).where(condition, Division.withdrawn_on.is_(None)).order_by(Division.code)
    return list(db.session.scalars(query))


# Organisations


def find_organisation(org_id: UUID) -> Organisation:
    """The organisation. Raises Unknown."""
    organisation = db.session.get(Organisation, org_id)
    if organisation is None:
        raise Unknown()
    return organisation


def list_organisations(under: str | None = None, kind: str | None = None) -> list[Organisation]:
    """Every active organisation in the area `under` (a code or its significant digits), by place and name."""
    return list(db.session.scalars(_organisations(under, kind)))


def organisation_page(under: str | None, kind: str | None, after: UUID | None, limit: int) -> dict[str, Any]:
    """One page of `list_organisations`, with labels; `after` is the last id of the page before. Raises Invalid."""
    query = _organisations(under, kind)
    if after is not None:
        last = db.session.get(Organisation, after)
        if last is None:
            raise Invalid({"cursor": ["not a cursor of this list"]})
        query = query.where(
            tuple_(Organisation.division_code, Organisation.name, Organisation.id)
            > tuple_(last.division_code, last.name, last.id)
        )
    rows = list(db.session.scalars(query.limit(limit + 1)))
    items = [
        {
            "id": row.id,
            "name": row.name,
            "kind": row.kind,
            "kind_label": KIND_LABELS[OrgKind(row.kind)].zh,
            "kind_label_en": KIND_LABELS[OrgKind(row.kind)].en,
            "division_code": row.division_code,
            "level": row.level,
            "parent_id": row.parent_id,
        }
        for row in rows[:limit]
    ]
    return {"items": items, "next_cursor": items[-1]["id"] if len(rows) > limit else None}


def _organisations(under: str | None, kind: str | None) -> Select[tuple[Organisation]]:
    query = select(Organisation).where(Organisation.active)
    if under is not None:
        lo, hi = _range_of(under, "division")
        query = query.where(Organisation.division_code >= lo, Organisation.division_code < hi)
    if kind is not None:
        query = query.where(Organisation.kind == kind)
    return query.order_by(Organisation.division_code, Organisation.name, Organisation.id)


def _range_of(place: str, field: str) -> tuple[str, str]:
    """The range of codes of a place, given as a code or its significant digits. Raises Invalid naming `field`."""
    fault = fault_of(pad(place))
    if fault:
        raise Invalid({field: [fault.value]})
    return scope_range(prefix_of(pad(place)))


def body_for(division_code: str, level: int, kinds: Sequence[str] = INTAKE_KINDS) -> Organisation | None:
    """The active body of one of `kinds` that answers for a place at exactly this level; None where there is none.

    Of several, the kind named first wins. A place above the level (a county, when a township is asked) has none.
    """
    at = next((code for code in lineage_of(division_code) if level_of(code) == level), None)
    if at is None:
        return None
    found = list(
        db.session.scalars(
            select(Organisation)
            .where(
                Organisation.division_code == at,
                Organisation.level == level,
                Organisation.kind.in_(list(kinds)),
                Organisation.active,
            )
            .order_by(Organisation.name)
        )
    )
    return min(found, key=lambda one: list(kinds).index(one.kind), default=None)


def owner_above(
    division_code: str, level: int, kinds: Sequence[str] = (*INTAKE_KINDS, *DISCIPLINE_KINDS)
) -> Organisation | None:
    """The body in charge of a place at `level`, or, where none stands there, at the next level above that has one.

    So a case never goes to nobody: it goes up (Longgang has no townships). None only when no body stands anywhere above
    either, or for level 0, the authority outside the system.
    """
    for at in range(level, 0, -1):
        found = body_for(division_code, at, kinds)
        if found is not None:
            return found
    return None


def organisation_names(ids: Iterable[UUID | None]) -> dict[UUID, str]:
    """Id → name, with one query; ids that are None or unknown are left out."""
    wanted = {one for one in ids if one is not None}
    if not wanted:
        return {}
    rows = db.session.execute(select(Organisation.id, Organisation.name).where(Organisation.id.in_(wanted)))
    return {row.id: row.name for row in rows}


# Persons


def persons_named(name: str, division_code: str) -> list[Person]:
    """Persons of that name with a post today at a body of the place or of one above it, or who live in the place."""
    today = clock.today()
    holds = (
        select(Post.id)
        .join(Organisation, Organisation.id == Post.org_id)
        .where(
            Post.person_id == Person.id,
            Organisation.division_code.in_(lineage_of(division_code)),
            valid_on(Post, today),
        )
    )
    query = select(Person).where(Person.name == name, or_(Person.division_code == division_code, holds.exists()))
    return list(db.session.scalars(query.order_by(Person.id)))


def kin_of(person_ids: Iterable[UUID]) -> dict[UUID, str]:
    """Person id → relation of everybody who is kin today to one of the persons, in either direction of the edge."""
    wanted = set(person_ids)
    if not wanted:
        return {}
    query = select(Kinship).where(
        or_(Kinship.person_id.in_(wanted), Kinship.relative_id.in_(wanted)), valid_on(Kinship, clock.today())
    )
    found: dict[UUID, str] = {}
    for edge in db.session.scalars(query):
        for one, other in ((edge.person_id, edge.relative_id), (edge.relative_id, edge.person_id)):
            if one in wanted and other not in wanted:
                found[other] = edge.relation
    return found


def valid_on(model: type[Post] | type[Kinship] | type[Appointment], day: Any) -> ColumnElement[bool]:
    """The condition that a row with validity dates holds on `day`, a date or a parameter; both ends belong to it."""
    return and_(model.valid_from <= day, or_(model.valid_to.is_(None), model.valid_to >= day))


# Staff


def staff_serving_at(org_ids: Collection[UUID]) -> dict[UUID, list[Row[Any]]]:
    """Body → the accounts (id, email) that serve there today, with one query."""
    if not org_ids:
        return {}
    today = clock.today()
    found = db.session.execute(
        select(Appointment.org_id, StaffAccount.id, StaffAccount.email)
        .join(StaffAccount, StaffAccount.id == Appointment.account_id)
        .where(
            Appointment.org_id.in_(org_ids),
            valid_on(Appointment, today),
            or_(StaffAccount.left_on.is_(None), StaffAccount.left_on > today),
        )
        .distinct()
    )
    staff: dict[UUID, list[Row[Any]]] = {}
    for row in found:
        staff.setdefault(row.org_id, []).append(row)
    return staff
def serving(org_id: Any, day: Any) -> Select[tuple[UUID]]:
    """The query of the accounts that serve at a body on a day. Both may be parameters, or columns of an enclosing query."""
    return (
        select(StaffAccount.id)
        .join(Appointment, Appointment.account_id == StaffAccount.id)
        .where(
            Appointment.org_id == org_id,
            valid_on(Appointment, day),
            or_(StaffAccount.left_on.is_(None), StaffAccount.left_on > day),
        )
    )


def staff_names(ids: Iterable[UUID | None]) -> dict[UUID, str]:
    """Account id → name of the person, with one query."""
    wanted = {one for one in ids if one is not None}
    if not wanted:
        return {}
    rows = db.session.execute(select(StaffAccount.id, StaffAccount.name).where(StaffAccount.id.in_(wanted)))
    return {row.id: row.name for row in rows}
