"""The demonstration province: real divisions and holidays, invented bodies, people and accounts.

Only demonstration and test mode may load it, because every account shares one published password.
"""

import json
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal, NamedTuple
from uuid import UUID

from argon2 import PasswordHasher
from flask import current_app
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app.directory.bodies import may_hold
from app.directory.codes import level_of, lineage_of
from app.directory.divisions import import_divisions, read_list
from app.directory.models import Appointment, Division, Kinship, Organisation, Person, Post, StaffAccount
from app.supervision.calendar_import import import_holidays
from workflows.actor import ROLE_LABELS, Label, Role

DATA = Path(__file__).parent / "data"
PASSWORD = "correct horse battery"
# The two counties in which the scenes play; enough for tests, and twenty times smaller than the province.
SOME = ("330213", "330502")


class NotADemonstration(RuntimeError):
    """The demonstration province was asked for in production mode."""


class DemoAccount(NamedTuple):
    """One demonstration account, for the reader who wants to sign in."""

    username: str
    role: Label
    organisation: str


@dataclass(frozen=True, slots=True)
class Loaded:
    """How many rows of each kind a load added; all zero when everything was there."""

    divisions: int
    holiday_years: int
    organisations: int
    persons: int
    accounts: int


def load(session: Session, *, divisions: Literal["all", "some"] = "all", mode: str | None = None) -> Loaded:
    """Load what is missing of the demonstration province; what is there stays as it is. The caller commits.

    `divisions="some"` takes only the two counties of the scenes and their ancestors. `mode` is that of the settings
    unless given. Raises NotADemonstration in production mode.
    """
    mode = mode or current_app.config["SETTINGS"].mode
    if mode not in ("demo", "test"):
        raise NotADemonstration("the demonstration province has published passwords: it is never loaded in production")
    places = _load_divisions(session, divisions)
    years = import_holidays(session).years
    session.flush()
    begin = date.fromisoformat(_document()["valid_from"])
    organisations, new_organisations = _load_organisations(session)
    persons, new_persons = _load_persons(session, organisations, begin)
    new_accounts = _load_accounts(session, organisations, persons, begin, mode)
    return Loaded(places, len(years), new_organisations, new_persons, new_accounts)


def accounts() -> list[DemoAccount]:
    """Every demonstration account: username, role and name of the organisation. All have the password PASSWORD."""
    names = {row["key"]: row["name"] for row in _document()["organisations"]}
    return [
        DemoAccount(row["username"], ROLE_LABELS[Role(row["role"])], names[row["org"]])
        for row in _document()["accounts"]
    ]


@lru_cache(maxsize=1)
def _document() -> dict[str, Any]:
    document: dict[str, Any] = json.loads((DATA / "demonstration.json").read_text(encoding="utf-8"))
    return document


def _load_divisions(session: Session, which: str) -> int:
    rows = read_list(DATA / "zhejiang.csv.gz")
    if which == "all":
        return len(import_divisions(session, rows, "zhejiang.csv.gz").added)
    # A part of a list with the row of its province would withdraw the rest of that province, so it only fills a void.
    if session.scalar(select(func.count()).select_from(Division)):
        return 0
    ancestors = {code for county in SOME for code in lineage_of(f"{county}000000")}
    part = [row for row in rows if row.code in ancestors or row.code.startswith(SOME)]
    return len(import_divisions(session, part, "zhejiang.csv.gz, two counties").added)


def _load_organisations(session: Session) -> tuple[dict[str, UUID], int]:
    stored = {(row.division_code, row.name): row for row in session.scalars(select(Organisation))}
    ids: dict[str, UUID] = {}
    new = 0
    for row in _document()["organisations"]:
        organisation = stored.get((row["division"], row["name"]))
        if organisation is None:
            organisation = Organisation(
                name=row["name"],
                kind=row["kind"],
                division_code=row["division"],
                level=level_of(row["division"]).value,
                parent_id=ids[row["parent"]] if row["parent"] else None,
            )
            session.add(organisation)
            session.flush()
            new += 1
        ids[row["key"]] = organisation.id
    return ids, new


def _load_persons(session: Session, organisations: dict[str, UUID], begin: date) -> tuple[dict[str, UUID], int]:
    stored = {(row.division_code, row.name): row for row in session.scalars(select(Person))}
    ids: dict[str, UUID] = {}
    fresh: set[str] = set()
    for row in _document()["persons"]:
        person = stored.get((row["division"], row["name"]))
        if person is None:
            person = Person(name=row["name"], division_code=row["division"])
            session.add(person)
            session.flush()
            fresh.add(row["key"])
            for post in row["posts"]:
                org_id = organisations[post["org"]]
                session.add(Post(person_id=person.id, org_id=org_id, title=post["title"], valid_from=begin))
        ids[row["key"]] = person.id
    for edge in _document()["kinships"]:
        if edge["person"] in fresh or edge["relative"] in fresh:
            one, other = ids[edge["person"]], ids[edge["relative"]]
            session.add(Kinship(person_id=one, relative_id=other, relation=edge["relation"], valid_from=begin))
    session.flush()
    return ids, len(fresh)


def _load_accounts(
    session: Session, organisations: dict[str, UUID], persons: dict[str, UUID], begin: date, mode: str
) -> int:
    stored = set(session.scalars(select(StaffAccount.username)))
    missing = [row for row in _document()["accounts"] if row["username"] not in stored]
    if not missing:
        return 0
    # One hash for all: the password is public anyway, and seventy of them would take seconds at every fresh start.
    hasher = PasswordHasher(time_cost=1, memory_cost=64, parallelism=1) if mode == "test" else PasswordHasher()
    password_hash = hasher.hash(PASSWORD)
    bodies = {row["key"]: row for row in _document()["organisations"]}
    made = []
    for row in missing:
        body = bodies[row["org"]]
        if not may_hold(row["role"], body["kind"], level_of(body["division"])):
            raise ValueError(f"demonstration.json: {row['username']} can not be {row['role']} at {row['org']}")
        account = StaffAccount(
            username=row["username"],
            name=row["name"],
            person_id=persons[row["person"]] if row["person"] else None,
            email=f"{row['username']}@mingjian.example",
            password_hash=password_hash,
            must_change_password=False,
        )
        session.add(account)
        made.append((account, row))
    session.flush()
    for account, row in made:
        session.add(
            Appointment(
                account_id=account.id,
                role=row["role"],
                org_id=organisations[row["org"]],
                head=row["head"],
                valid_from=begin,
            )
        )
    session.flush()
    return len(made)
