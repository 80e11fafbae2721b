"""Bring staff accounts in line with a list kept elsewhere: a csv file that is imported again and again.

A list is the whole truth about the bodies that it names: an appointment there which it no longer holds is ended, never
deleted. A list with damaged rows ends nothing, and somebody who still handles open cases, or is the last system
administrator, is kept and reported: hand over first. New accounts get a one-time password that must be changed.
"""

import csv
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from uuid import UUID

from sqlalchemy import or_, select, text
from sqlalchemy.orm import Session

from app import clock
from app.directory.bodies import HELD_AT, may_hold
from app.directory.codes import fault_of, level_of
from app.directory.models import Appointment, Division, Organisation, StaffAccount
from app.directory.service import valid_on
from app.directory.staff import add_staff, administrators, appoint, end_appointment
from app.petitions.handing_over import count_cases_of
from app.signin.service import hash_password, one_time_password
from workflows.actor import Role

COLUMNS = ("username", "name", "role", "org_name", "division_code", "head", "email")
ROWS_LIMIT = 100_000
_USERNAME = re.compile(r"[a-z0-9][a-z0-9._-]{1,49}")
_EMAIL = re.compile(r"[^@\s<>,;]{1,64}@[^@\s<>,;]{1,190}")
_YES_NO = {
    "1": True,
    "yes": True,
    "true": True,
    "是": True,
    "0": False,
    "no": False,
    "false": False,
    "否": False,
    "": False,
}


class StaffListError(ValueError):
    """The file as a whole can not be used; the text says why and repeats nothing personal."""


@dataclass(frozen=True, slots=True)
class StaffRow:
    """One row: an account with one role at one body."""

    line: int
    username: str
    name: str
    role: Role
    org_name: str
    division_code: str
    head: bool
    email: str | None

    @property
    def body(self) -> tuple[str, str]:
        """What tells the body: its division and its name."""
        return self.division_code, self.org_name


@dataclass(slots=True)
class StaffChanges:
    """What an import did. User names, except `rejected` (line, reason), `bodies_added` (names) and `unchanged`.

    `passwords` holds the one-time passwords of the added accounts; they are stored nowhere else in clear.
    """

    added: list[str] = field(default_factory=list)
    changed: list[str] = field(default_factory=list)
    ended: list[str] = field(default_factory=list)
    needs_hand_over: list[str] = field(default_factory=list)
    withheld: list[str] = field(default_factory=list)
    bodies_added: list[str] = field(default_factory=list)
    rejected: list[tuple[int, str]] = field(default_factory=list)
    unchanged: int = 0
    passwords: dict[str, str] = field(default_factory=dict, repr=False)


def read_staff_list(path: Path) -> tuple[list[StaffRow], list[tuple[int, str]]]:
    """The usable rows of a csv file (UTF-8, with or without a byte-order mark) and the others as (line, reason).

    Raises StaffListError when it is not such a file.
    """
    rows: list[StaffRow] = []
    rejected: list[tuple[int, str]] = []
    seen: dict[str, StaffRow] = {}
    keys: set[tuple[str, Role, tuple[str, str]]] = set()
    for line, record in _records(path):
        found = _row_of(line, record)
        if isinstance(found, str):
            rejected.append((line, found))
            continue
        first = seen.setdefault(found.username, found)
        if (first.name, first.email) != (found.name, found.email):
            rejected.append((line, "name-or-email-differs-from-an-earlier-row"))
            continue
        key = (found.username, found.role, found.body)
        if key in keys:
            rejected.append((line, "row-repeated"))
            continue
        keys.add(key)
        rows.append(found)
    return rows, rejected


def import_staff(session: Session, rows: list[StaffRow], rejected: list[tuple[int, str]]) -> StaffChanges:
    """Write what the list changes and say what it was. A repeated import changes nothing. The caller commits.

    `session` must see every case (the owner's does): who still handles one is not ended. Bodies that are missing are made,
    of the kind that the role stands for.
    """
    # Two imports at once would each compare with a state that the other is about to change.
    session.execute(text("LOCK TABLE appointments IN SHARE ROW EXCLUSIVE MODE"))
    changes = StaffChanges(rejected=list(rejected))
    bodies: dict[tuple[str, str], Organisation] = {}
    listed: set[tuple[UUID, str, UUID]] = set()
    for row in rows:
        body = _body_of(session, row, bodies, changes)
        if isinstance(body, str):
            changes.rejected.append((row.line, body))
            continue
        account = session.scalar(select(StaffAccount).where(StaffAccount.username == row.username))
        if account is None:
            password = one_time_password()
            account = add_staff(
                session,
                username=row.username,
                name=row.name,
                role=row.role,
                organisation=body,
                password_hash=hash_password(password),
                head=row.head,
                email=row.email,
            )
            changes.added.append(row.username)
            changes.passwords[row.username] = password
        elif account.left_on is not None:
            changes.rejected.append((row.line, "account-has-left"))
            continue
        elif _bring_in_line(session, account, row, body):
            if row.username not in changes.added and row.username not in changes.changed:
                changes.changed.append(row.username)
        else:
            changes.unchanged += 1
        listed.add((account.id, row.role.value, body.id))
    _end_missing(session, {body.id for body in bodies.values()}, listed, changes)
    session.flush()
    return changes


def write_passwords(path: Path, passwords: dict[str, str]) -> None:
    """Write `username,password` lines to a new file that only its owner can read. Raises FileExistsError."""
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(("username", "password"))
        writer.writerows(passwords.items())


def _records(path: Path) -> Iterator[tuple[int, dict[str, str]]]:
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file, strict=True)
            if tuple(reader.fieldnames or ()) != COLUMNS:
                raise StaffListError(f"{path.name}: the first line must be {','.join(COLUMNS)}")
            for number, record in enumerate(reader, start=1):
                if number > ROWS_LIMIT:
                    raise StaffListError(f"{path.name} has more than {ROWS_LIMIT} rows")
                yield reader.line_num, record
    except OSError as error:
        raise StaffListError(f"{path.name} can not be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise StaffListError(f"{path.name} is not UTF-8 text") from error
    except csv.Error as error:
        raise StaffListError(f"{path.name} is not a csv file") from error


def _row_of(line: int, record: dict[str, str]) -> StaffRow | str:
    if None in record or None in record.values():
        return "wrong-number-of-columns"
    cells = {name: record[name].strip() for name in COLUMNS}
    if any(not cell.isprintable() or len(cell) > 200 for cell in cells.values()):
        return "control-character-or-too-long"
    if not _USERNAME.fullmatch(cells["username"]):
        return "username-not-2-to-50-of-a-z-0-9-dot-dash"
    if not cells["name"] or not cells["org_name"]:
        return "name-or-org-name-missing"
    if cells["role"] not in HELD_AT:
        return "role-unknown"
    if fault := fault_of(cells["division_code"]):
        return fault.value
    if cells["head"].lower() not in _YES_NO:
        return "head-not-yes-or-no"
    if cells["email"] and not _EMAIL.fullmatch(cells["email"]):
        return "email-not-an-address"
    return StaffRow(
        line=line,
        username=cells["username"],
        name=cells["name"],
        role=Role(cells["role"]),
        org_name=cells["org_name"],
        division_code=cells["division_code"],
        head=_YES_NO[cells["head"].lower()],
        email=cells["email"] or None,
    )


def _body_of(
    session: Session, row: StaffRow, bodies: dict[tuple[str, str], Organisation], changes: StaffChanges
) -> Organisation | str:
    body = bodies.get(row.body) or session.scalar(
        select(Organisation).where(
            Organisation.division_code == row.division_code, Organisation.name == row.org_name, Organisation.active
        )
    )
    if body is None:
        division = session.get(Division, row.division_code)
        if division is None or division.withdrawn_on is not None:
            return "division-unknown-or-withdrawn"
        kind, level = HELD_AT[row.role][0], level_of(row.division_code)
        if not may_hold(row.role, kind, level):
            return "role-not-at-this-level"
        body = Organisation(name=row.org_name, kind=kind.value, division_code=row.division_code, level=level.value)
        session.add(body)
        session.flush()
        changes.bodies_added.append(row.org_name)
    elif not may_hold(row.role, body.kind, body.level):
        return "role-not-at-this-body"
    bodies[row.body] = body
    return body


def _bring_in_line(session: Session, account: StaffAccount, row: StaffRow, body: Organisation) -> bool:
    """Make an existing account as the row says; whether anything had to change."""
    changed = (account.name, account.email) != (row.name, row.email)
    account.name, account.email = row.name, row.email
    appointment = session.scalar(
        select(Appointment).where(
            Appointment.account_id == account.id,
            Appointment.role == row.role.value,
            Appointment.org_id == body.id,
            valid_on(Appointment, clock.today()),
        )
    )
    if appointment is None:
        appoint(session, account, row.role, body, head=row.head)
        return True
    changed = changed or appointment.head != row.head or appointment.valid_to is not None
    appointment.head, appointment.valid_to = row.head, None
    session.flush()
    return changed


def _end_missing(
    session: Session, body_ids: set[UUID], listed: set[tuple[UUID, str, UUID]], changes: StaffChanges
) -> None:
    today = clock.today()
    current = session.execute(
        select(Appointment, StaffAccount)
        .join(StaffAccount, StaffAccount.id == Appointment.account_id)
        .where(Appointment.org_id.in_(body_ids), or_(Appointment.valid_to.is_(None), Appointment.valid_to >= today))
        .order_by(StaffAccount.username)
    )
    for appointment, account in current:
        if (account.id, appointment.role, appointment.org_id) in listed:
            continue
        last = appointment.role == Role.SYSTEM_ADMIN and administrators(session) == {account.id}
        if changes.rejected:
            changes.withheld.append(account.username)
        elif last or count_cases_of(session, account.id, appointment.org_id):
            changes.needs_hand_over.append(account.username)
        elif appointment.valid_to is None:
            end_appointment(appointment, today)
            session.flush()
            changes.ended.append(account.username)
