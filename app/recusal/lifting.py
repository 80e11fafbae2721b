"""A petition that names somebody only by name excludes everybody so called. For one who is not meant two people of two bodies
lift that, with a reason, on record; one is enough to put it back.

The rules stand in the policies of the tables (migrations/sql/0016_liftings.sql). What is asked here again is asked only to
answer with words instead of a database error.
"""

from collections.abc import Iterable
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import select, text, update

from app import clock
from app.auth import Identity
from app.database import Target, insert_rows
from app.errors import Conflict, Forbidden, Unknown
from app.extensions import db
from app.petitions.models import Petition
from app.petitions.service import note
from app.recusal import service
from app.recusal.models import ExclusionRow, Lifting, LiftingStep
from app.transitions import lock
from workflows import recusal as rules
from workflows.petition import PetitionState
from workflows.recusal import Exclusion, Reason

_LIFTINGS = Target(Lifting.__table__)
_STEPS = Target(LiftingStep.__table__)
_VIEW = """
    SELECT l.id, l.petition_id, l.bearer_id, l.cleared_ids, l.account_id, l.org_id, l.reason, l.at, asker.name AS asked_by,
           coalesce(p.name, s.name) AS name, a.person_id,
           c.at AS confirmed_at, co.name AS confirmed_by, r.at AS revoked_at, ro.name AS revoked_by,
           CASE WHEN r.at IS NOT NULL THEN 'revoked' WHEN c.at IS NOT NULL THEN 'in_force' ELSE 'asked' END AS status
      FROM liftings l
      JOIN organisations asker ON asker.id = l.org_id
      JOIN staff_accounts a ON a.id = l.account_id
      LEFT JOIN persons p ON p.id = l.bearer_id
      LEFT JOIN staff_accounts s ON s.id = l.bearer_id
      LEFT JOIN lifting_steps c ON c.lifting_id = l.id AND c.step = 'confirm'
      LEFT JOIN organisations co ON co.id = c.org_id
      LEFT JOIN lifting_steps r ON r.lifting_id = l.id AND r.step = 'revoke'
      LEFT JOIN organisations ro ON ro.id = r.org_id
"""
_ONE = text(f"{_VIEW} WHERE l.id = :id")
_OF_CASE = text(f"{_VIEW} WHERE l.petition_id = :id ORDER BY l.at DESC, l.id")
_MAY = text("SELECT may_lift(:id) AS lift, (SELECT person_id FROM staff_accounts WHERE id = :account) AS person_id")


def ask_lifting(petition_id: UUID, who: Identity, bearer_id: UUID, reason: str) -> dict[str, Any]:
    """Say that a bearer of a name in the case is not the one meant. Lifts nothing yet.

    Raises Unknown, Forbidden `may-not-lift`, Conflict `not-a-namesake` when it does not follow from the name alone that the
    bearer must withdraw, and Conflict `already-asked`.
    """
    petition = lock(petition_id)
    _require_right(petition, who)
    if any(row.bearer_id == bearer_id and row.status != "revoked" for row in _of_case(petition_id)):
        raise Conflict("already-asked")
    cleared, _ = _examine(petition, bearer_id)
    lifting_id = uuid4()
    insert_rows(
        {
            _LIFTINGS: [
                {
                    "id": lifting_id, "petition_id": petition_id, "bearer_id": bearer_id, "cleared_ids": sorted(cleared),
                    "reason": reason, **_by(who),
                }
            ]
        }
    )  # fmt: skip
    note(petition, "ask_lifting", who, {"lifting_id": lifting_id})
    db.session.flush()
    return {"id": lifting_id, "status": "asked"}


def confirm_lifting(lifting_id: UUID, who: Identity) -> dict[str, Any]:
    """Lift what follows from the name alone: the bearer sees the case from here on where their post lets them.

    Where the case has gone meanwhile it stays. Raises Unknown, Forbidden `may-not-lift` or `second-body-needed`, Conflict
    `lifting-ended` or `not-a-namesake`.
    """
    lifting, petition, person_id = _held(lifting_id, who)
    same_human = person_id is not None and person_id == lifting.person_id
    if who.actor.person_id == lifting.account_id or who.actor.org_id == lifting.org_id or same_human:
        raise Forbidden("second-body-needed")
    if lifting.status != "asked":
        raise Conflict("lifting-ended")
    cleared, falling = _examine(petition, lifting.bearer_id)
    cleared |= set(lifting.cleared_ids)
    rows = _in_force(petition.id, falling)
    insert_rows({_STEPS: [_step(lifting, "confirm", who)]})
    if rows:
        db.session.execute(
            update(ExclusionRow).where(ExclusionRow.id.in_([one.id for one in rows])).values(lifting_id=lifting_id),
            execution_options={"synchronize_session": False},
        )
    accounts, bodies = {one.account_id for one in rows}, {one.org_id for one in rows}
    petition.cleared_ids = sorted({*petition.cleared_ids, *cleared})
    petition.excluded_account_ids = [one for one in petition.excluded_account_ids if one not in accounts]
    petition.excluded_org_ids = [one for one in petition.excluded_org_ids if one not in bodies]
    note(petition, "lift_exclusion", who, {"lifting_id": lifting_id})
    db.session.flush()
    return _as_view(lifting_id)


def revoke_lifting(lifting_id: UUID, who: Identity) -> dict[str, Any]:
    """Put back everything that was lifted, and whatever would follow today: it holds at once. One person is enough.

    Raises Unknown, Forbidden `may-not-lift`, Conflict `lifting-ended`.
    """
    lifting, petition, _ = _held(lifting_id, who)
    if lifting.status == "revoked":
        raise Conflict("lifting-ended")
    insert_rows({_STEPS: [_step(lifting, "revoke", who)]})
    if lifting.status == "in_force":
        still = {one for row in _of_case(petition.id) if row.status == "in_force" for one in row.cleared_ids}
        petition.cleared_ids = sorted(still)
        note(petition, "restore_exclusion", who, {"lifting_id": lifting_id})
        db.session.flush()
        lifted = db.session.scalars(select(ExclusionRow).where(ExclusionRow.lifting_id == lifting_id))
        known = {*petition.excluded_account_ids, *petition.excluded_org_ids}
        back = [
            Exclusion(one.account_id, one.org_id, Reason(one.reason), one.rests_on, one.kin_scope)
            for one in lifted
            if (one.account_id or one.org_id) not in known
        ]
        if back:
            service.exclude(petition, back)
        service.refresh(petition)
        db.session.flush()
    return _as_view(lifting_id)


def list_liftings(petition_id: UUID) -> list[Any]:
    """What was asked for, confirmed and revoked in a case, newest first; empty for whoever may not lift."""
    return [row._mapping for row in _of_case(petition_id)]


def _examine(petition: Petition, bearer_id: UUID) -> tuple[set[UUID], list[Exclusion]]:
    """The bearer as person and account, and what falls away for them. Raises Conflict `not-a-namesake`."""
    finding = service.look(petition)
    directory, named = finding.involvement.directory, finding.involvement.named
    accused = {one["name"] for one in petition.accused}
    same = [one for one in named if one.name in accused and bearer_id in (one.person, one.account)]
    persons = {one.person for one in same if one.person is not None}
    cleared: set[Any] = {bearer_id, *persons, *(one.account for one in same if one.account is not None)}
    cleared |= {one.account for one in directory.services if one.person in persons}
    meant = rules.without(finding.matter, petition.cleared_ids)
    left = rules.exclusions(rules.without(meant, cleared), directory, clock.today())
    other = select(ExclusionRow.id).where(
        ExclusionRow.petition_id == petition.id,
        ExclusionRow.lifting_id.is_(None),
        ExclusionRow.account_id.in_(cleared),
        ExclusionRow.reason != Reason.NAMED,
    )
    # Whoever is also kept away by wish, by kinship, by their own word or from the leading case stays away.
    if not same or petition.parent_id or any(one.account in cleared for one in left) or db.session.scalar(other):
        raise Conflict("not-a-namesake")
    return cleared, rules.falls_away(meant, cleared, directory, clock.today())


def _in_force(petition_id: UUID, falling: Iterable[Exclusion]) -> list[ExclusionRow]:
    """The stored exclusions whose very ground falls away; one that was written for another ground stays."""
    grounds = {(one.account, one.body): (one.reason, one.rests_on) for one in falling}
    rows = db.session.scalars(
        select(ExclusionRow).where(ExclusionRow.petition_id == petition_id, ExclusionRow.lifting_id.is_(None))
    )
    return [one for one in rows if grounds.get((one.account_id, one.org_id)) == (Reason(one.reason), one.rests_on)]


def _held(lifting_id: UUID, who: Identity) -> tuple[Any, Petition, UUID | None]:
    """A lifting behind the lock of its case. Raises Unknown and Forbidden `may-not-lift`."""
    petition = lock(_row(lifting_id).petition_id)
    person_id = _require_right(petition, who)
    return _row(lifting_id), petition, person_id


def _row(lifting_id: UUID) -> Any:
    row = db.session.execute(_ONE, {"id": lifting_id}).one_or_none()
    if row is None:
        raise Unknown()
    return row


def _of_case(petition_id: UUID) -> list[Any]:
    return list(db.session.execute(_OF_CASE, {"id": petition_id}))


def _as_view(lifting_id: UUID) -> Any:
    return _row(lifting_id)._mapping


def _require_right(petition: Petition, who: Identity) -> UUID | None:
    """The person behind the account. What is under seal has a list of its own. Raises Forbidden `may-not-lift`."""
    row = db.session.execute(_MAY, {"id": petition.id, "account": who.actor.person_id}).one()
    if not row.lift or petition.state == PetitionState.SEALED:
        raise Forbidden("may-not-lift")
    found: UUID | None = row.person_id
    return found


def _step(lifting: Any, step: str, who: Identity) -> dict[str, Any]:
    return {"lifting_id": lifting.id, "petition_id": lifting.petition_id, "step": step, **_by(who)}


def _by(who: Identity) -> dict[str, Any]:
    return {"account_id": who.actor.person_id, "role": who.actor.role, "org_id": who.actor.org_id, "at": clock.now()}
