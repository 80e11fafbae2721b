"""Petitions made straight through the one door, for tests of what the worker does with them."""

from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

from flask import Flask
from sqlalchemy import select, text
from sqlalchemy.orm import Session

from app import clock, outbox, transitions
from app.database import SYSTEM, transaction
from app.directory.models import Appointment, Organisation, StaffAccount
from app.petitions.models import NewPetition, Petition
from app.supervision.models import ClockOffset
from workflows.actor import Actor, Role

VILLAGE = "330213007213"
SCOPE_DIGITS = {1: 2, 2: 4, 3: 6, 4: 9, 5: 12}

STRANGER = Actor("petitioner", None, Role.PETITIONER, None, None, False, "")


class Cases:
    """Files as a stranger through the web role, acts through the worker role, looks behind the policies as the owner."""

    def __init__(self, app: Flask, worker_app: Flask, session: Session):
        self.app, self.worker_app, self.session = app, worker_app, session

    def travel(self, span: timedelta) -> None:
        """Move the product's clock forward by the span, as the demonstration does."""
        row = self.session.get(ClockOffset, 1, populate_existing=True)
        if row is None:
            self.session.add(ClockOffset(singleton=1, seconds=int(span.total_seconds())))
        else:
            row.seconds += int(span.total_seconds())
        self.session.commit()

    def file(self, **more: Any) -> UUID:
        """A petition from Shangyi village in Fenghua, filed now, with its deadlines and messages."""
        stranger = replace(STRANGER, person_id=more.get("villager_id"))
        with self.app.app_context(), transaction(stranger):
            now = clock.now()
            values = {
                "id": uuid4(), "serial": f"MJ-{uuid4().hex[:16].upper()}", "pin_mac": "-", "version": 1,
                "filed_at": now, "filed_on": clock.today(), "last_visible_at": now, "division_code": VILLAGE,
                "title": "村里的账目", "body": "请查一查。", "category": "finance", "channel": "web",
                "item_type": "appeal", "priority": "P2", "simple": False, "way": "named", "people_count": 1,
                "state": "filed", "level": 4, "round": 1, "designated": False, "supervised": False,
                "owner_org_id": transitions.body_in_charge(VILLAGE, 4),
            }  # fmt: skip
            for column in Petition.__table__.columns:
                if column.key not in values:
                    numbers = not column.nullable and column.default.is_scalar
                    values[column.key] = None if column.nullable else 0 if numbers else []
            petition = NewPetition(**{**values, **more})

            facts = {
                "priority": petition.priority, "level": 4, "simple": petition.simple, "channel": petition.channel,
            }  # fmt: skip
            transitions.open_case(petition, stranger, facts)
            return petition.id

    def put(self, *message: Any, **more: Any) -> None:
        """Put a message into the outbox as the worker: the web role writes on no case that it does not see."""
        with self.worker_app.app_context(), transaction(SYSTEM):
            outbox.put(*message, **more)

    def act(self, petition_id: UUID, event: str, actor: Actor = SYSTEM, **facts: Any) -> str:
        """Send an event to the case and return the state it is in afterwards."""
        with self.worker_app.app_context(), transaction(SYSTEM):
            petition = transitions.lock(petition_id)
            transitions.move(petition, event, actor, **facts)
            return petition.state

    def dispatched(self, **more: Any) -> UUID:
        """A case that lies at a department of the county, not yet signed in."""
        case = self.file(**more)
        self.act(case, "auto_register")
        clerk = self.staff("shangtian.office")
        self.act(case, "accept", clerk)
        self.act(case, "dispatch", clerk, main_org_id=self.staff("fenghua.agri").org_id)
        return case

    def handled(self, **more: Any) -> UUID:
        """A case that a department of the county handles."""
        case = self.dispatched(**more)
        self.act(case, "auto_sign")
        self.act(case, "start", self.staff("fenghua.agri"), note="已联系信访人")
        return case

    def answer(self, case: UUID, handler: str = "fenghua.agri") -> None:
        """Let the body that handles the case answer it, and the answer reach the petitioner."""
        reply = {"findings": "属实", "legal_basis": "条例", "outcome": "supported"}
        self.act(case, "submit_reply", self.staff(handler), **reply)
        self.act(case, "approve_reply", self.staff(f"{handler}.head"))
        self.act(case, "deliver")

    def resolved(self, **more: Any) -> UUID:
        """A case that was answered and waits for its rating."""
        case = self.handled(**more)
        self.answer(case)
        return case

    def rate(self, case: UUID, grade: str) -> str:
        """Let the petitioner rate the answer and return the state it leads to."""
        reason = "没有解决" if grade == "dissatisfied" else None
        return self.act(case, "rate", STRANGER, grade=grade, office_grade="basic", reason=reason)

    def staff(self, username: str) -> Actor:
        """A demonstration account as actor."""
        post = self.session.execute(
            select(Appointment.role, Appointment.head, StaffAccount.id, Organisation)
            .join(StaffAccount, StaffAccount.id == Appointment.account_id)
            .join(Organisation, Organisation.id == Appointment.org_id)
            .where(StaffAccount.username == username)
        ).one()
        self.session.rollback()
        body = post.Organisation
        scope = body.division_code[: SCOPE_DIGITS[body.level]]
        return Actor("staff", post.id, post.role, body.id, body.level, post.head, scope)

    def row(self, petition_id: UUID) -> Petition:
        """The case as it is in the database now."""
        self.session.rollback()
        return self.session.get(Petition, petition_id, populate_existing=True)

    def events(self, petition_id: UUID) -> list[str]:
        """The names of the events of the case, oldest first."""
        self.session.rollback()
        found = text("SELECT event FROM petition_events WHERE petition_id = :id ORDER BY seq")
        return list(self.session.scalars(found, {"id": petition_id}))
