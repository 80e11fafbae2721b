"""Staff accounts: adding one, ending an appointment, and handing over when somebody leaves."""

from datetime import date, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from app import clock
from app.database import set_actor
from app.directory.bodies import may_hold
from app.directory.codes import prefix_of
from app.directory.models import Appointment, Organisation, StaffAccount
from app.directory.service import valid_on
from app.errors import Conflict, Invalid, Unknown
from app.extensions import db
from app.petitions import handing_over
from app.signin.service import end_sessions
from workflows.actor import ROLE_LABELS, Actor, Role


def add_staff(
    session: Session,
    *,
    username: str,
    name: str,
    role: str,
    organisation: Organisation,
    password_hash: str,
    head: bool = False,
    email: str | None = None,
    must_change_password: bool = True,
) -> StaffAccount:
    """A new account with one role at one body from today on. The caller commits.

    Raises Invalid when the role does not exist at such a body, and Conflict when the user name is taken.
    """
    if not may_hold(role, organisation.kind, organisation.level):
        raise Invalid({"role": ["role-not-at-this-body"]})
    if session.scalar(select(StaffAccount.id).where(StaffAccount.username == username)):
        raise Conflict("username-taken")
    account = StaffAccount(
        username=username,
        name=name,
        email=email,
        password_hash=password_hash,
        must_change_password=must_change_password,
    )
    session.add(account)
    session.flush()
    appoint(session, account, role, organisation, head=head)
    return account


def appoint(session: Session, account: StaffAccount, role: str, organisation: Organisation, *, head: bool) -> None:
    """Give an account a role at a body from today on. The caller commits."""
    session.add(
        Appointment(account_id=account.id, role=role, org_id=organisation.id, head=head, valid_from=clock.today())
    )
    session.flush()


def end_appointment(appointment: Appointment, today: date) -> None:
    """End an appointment so that it no longer holds today; one that only began today holds to the end of the day."""
    appointment.valid_to = max(appointment.valid_from, today - timedelta(days=1))


def administrators(session: Session) -> set[UUID]:
    """Ids of the accounts that are system administrator today."""
    query = (
        select(StaffAccount.id)
        .join(Appointment, Appointment.account_id == StaffAccount.id)
        .where(
            Appointment.role == Role.SYSTEM_ADMIN.value,
            StaffAccount.left_on.is_(None),
            valid_on(Appointment, clock.today()),
        )
    )
    return set(session.scalars(query))


def staff_of(org_id: UUID) -> list[dict[str, Any]]:
    """The accounts with an appointment at a body, past ones included, with their appointments there, by user name."""
    query = (
        select(StaffAccount, Appointment)
        .join(Appointment, Appointment.account_id == StaffAccount.id)
        .where(Appointment.org_id == org_id)
        .order_by(StaffAccount.username, Appointment.valid_from)
    )
    found: dict[UUID, dict[str, Any]] = {}
    for account, appointment in db.session.execute(query):
        entry = found.setdefault(
            account.id,
            {
                "id": account.id,
                "username": account.username,
                "name": account.name,
                "left_on": account.left_on,
                "appointments": [],
            },
        )
        label = ROLE_LABELS[Role(appointment.role)]
        entry["appointments"].append(
            {
                "role": appointment.role,
                "role_label": label.zh,
                "role_label_en": label.en,
                "head": appointment.head,
                "valid_from": appointment.valid_from,
                "valid_to": appointment.valid_to,
            }
        )
    return list(found.values())


def hand_over(account_id: UUID, successor_id: UUID, actor: Actor) -> dict[str, Any]:
    """Somebody leaves: the successor takes over their open petitions, their appointments and sessions end at once.

    All of it or nothing, and no deadline moves. Returns both ids, the day, and how many petitions and appointments it
    concerned. `actor` is the system administrator in whose transaction this runs; the cases stay invisible to them.

    Raises Unknown; Invalid for a successor who is the same person, unknown or gone; Conflict `already-left`,
    `last-administrator`, `successor-elsewhere` (no appointment at the body that handles one of the petitions) or
    `successor-handled-before` (the first handler never handles the second round).
    """
    account, successor = _lock_accounts(account_id, successor_id)
    today = clock.today()
    if account.left_on is not None:
        raise Conflict("already-left")
    if administrators(db.session()) == {account.id}:
        raise Conflict("last-administrator")
    posts = db.session.scalars(
        select(Appointment.org_id).where(Appointment.account_id == successor.id, valid_on(Appointment, today))
    )
    org_ids = set(posts)
    moved = _move_cases(account, successor, org_ids, actor)
    ended = list(
        db.session.scalars(
            select(Appointment).where(
                Appointment.account_id == account.id, or_(Appointment.valid_to.is_(None), Appointment.valid_to >= today)
            )
        )
    )
    for appointment in ended:
        end_appointment(appointment, today)
    account.left_on = today
    end_sessions(account.id, "left")
    db.session.flush()
    return {
        "account_id": account.id,
        "successor_id": successor.id,
        "left_on": today,
        "petitions_moved": moved,
        "appointments_ended": len(ended),
    }


def _move_cases(account: StaffAccount, successor: StaffAccount, org_ids: set[UUID], actor: Actor) -> int:
    """Move the leaver's cases with the leaver's own sight, at each body of theirs in turn: the administrator may order the
    hand-over but sees no case, and row-level security holds for this step as for any other."""
    query = (
        select(Appointment.role, Organisation)
        .join(Organisation, Organisation.id == Appointment.org_id)
        .where(Appointment.account_id == account.id)
        .distinct()
    )
    moved = 0
    for role, body in db.session.execute(query).all():
        scope = prefix_of(body.division_code)
        set_actor(Actor("staff", account.id, role, body.id, body.level, False, scope), purpose="hand-over")
        moved += handing_over.hand_over_cases(account.id, successor.id, org_ids, actor)
    set_actor(actor)
    return moved


def _lock_accounts(account_id: UUID, successor_id: UUID) -> tuple[StaffAccount, StaffAccount]:
    if account_id == successor_id:
        raise Invalid({"successor_id": ["same-person"]})
    # Locked in one order, so that two hand-overs in opposite directions wait for each other and do not dead-lock.
    query = select(StaffAccount).where(StaffAccount.id.in_([account_id, successor_id])).order_by(StaffAccount.id)
    found = {row.id: row for row in db.session.scalars(query.with_for_update())}
    if account_id not in found:
        raise Unknown()
    if successor_id not in found:
        raise Invalid({"successor_id": ["account-unknown"]})
    if found[successor_id].left_on is not None:
        raise Invalid({"successor_id": ["account-has-left"]})
    return found[account_id], found[successor_id]
