"""Open cases change hands when the person who handles them leaves."""

from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app import timeline
from app.errors import Conflict
from app.extensions import db
from app.petitions.models import OPEN_STATES, Petition
from workflows.actor import Actor


def hand_over_cases(from_id: UUID, to_id: UUID, org_ids: set[UUID], actor: Actor) -> int:
    """Move the open cases that one account handles to another, and say so on each timeline. Returns how many.

    `org_ids` are the bodies where the successor holds an appointment; `actor` is who orders it. The open transaction must
    see the cases. State and deadlines stay as they are. Raises Conflict `successor-elsewhere` or
    `successor-handled-before`, with the number of such cases, and then moves none.
    """
    petitions = list(
        db.session.scalars(
            select(Petition)
            .where(Petition.main_handler_id == from_id, Petition.state.in_(OPEN_STATES))
            .order_by(Petition.id)
            .with_for_update()
        )
    )
    # Whoever orders it may have to withdraw from some of them, and then learns of those neither by a count nor by a refusal.
    hidden = {
        petition.id
        for petition in petitions
        if actor.person_id in petition.excluded_account_ids or actor.org_id in petition.excluded_org_ids
    }
    told = [petition for petition in petitions if petition.id not in hidden]
    elsewhere = sum(petition.main_org_id not in org_ids for petition in told)
    if elsewhere:
        raise Conflict("successor-elsewhere", count=elsewhere)
    before = sum(to_id in petition.past_handler_ids for petition in told)
    if before:
        raise Conflict("successor-handled-before", count=before)
    for petition in petitions:
        # Whoever must withdraw, or handled it before, gets nothing; the body keeps the case.
        fit = petition.main_org_id in org_ids and to_id not in (*petition.past_handler_ids, *petition.excluded_account_ids)
        petition.main_handler_id = to_id if fit else None
        petition.version += 1
        timeline.append(
            petition.id,
            petition.version,
            "hand_over",
            actor,
            from_state=petition.state,
            to_state=petition.state,
            facts={"from_id": from_id, "to_id": to_id},
        )
    db.session.flush()
    return len(told)


def count_cases_of(session: Session, account_id: UUID, org_id: UUID) -> int:
    """How many open cases an account handles for a body, as far as the session sees."""
    query = select(func.count()).where(
        Petition.main_handler_id == account_id, Petition.main_org_id == org_id, Petition.state.in_(OPEN_STATES)
    )
    return session.scalar(query) or 0
