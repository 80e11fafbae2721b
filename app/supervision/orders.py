"""The one place where a supervision order (督办) is issued: for the door, for the clock and by hand alike."""

from datetime import datetime
from uuid import UUID, uuid4

from sqlalchemy import insert, update

from app import calendar_store, clock, outbox
from app.extensions import db
from app.petitions.models import Petition
from app.supervision.models import SupervisionOrder
from workflows.deadlines import limit
from workflows.policies import policies

# Inline: the web role may write an order that concerns another body, and reads nothing back.
_NEW_ORDER = insert(SupervisionOrder.__table__).inline()


def issue_order(petition: Petition, reason: str, *, level: int, issuer_org_id: UUID | None) -> SupervisionOrder:
    """Issue an order on a locked case, mark the case as supervised, tell both bodies, and return the order as written.

    It goes to the body that handles the case, or while nobody does to the one in charge; where that is the issuer itself
    it is addressed to nobody and waits for its issuer. It is red for a case with a red card or a second bad rating, and
    is to be answered within PT-22. reason: overdue, dissatisfied, silent, circling, or the words of whoever issues it.
    """
    target = petition.main_org_id or petition.owner_org_id
    order = SupervisionOrder(
        id=uuid4(), petition_id=petition.id, state="issued", level=level, issuer_org_id=issuer_org_id,
        target_org_id=None if target == issuer_org_id else target, reason=reason,
        colour="red" if petition.dissatisfied >= 2 or petition.colour == "red" else "yellow",
        issued_at=clock.now(), due_at=order_due_at(), returns=0, overdue=False,
    )  # fmt: skip
    db.session.execute(_NEW_ORDER, {column.key: getattr(order, column.key) for column in _NEW_ORDER.table.columns})
    petition.supervised = True
    announce_order(petition, order.due_at)
    return order


def announce_order(petition: Petition, due_at: datetime) -> None:
    """Tell the supervised body and the body in charge by when the order is to be answered."""
    outbox.announce("supervision_order", petition, due_at)


def release_orders(petition: Petition) -> None:
    """End every order of the case: each asked the body of one round to act, and that round or the case is over."""
    db.session.execute(
        update(SupervisionOrder)
        .where(SupervisionOrder.petition_id == petition.id, SupervisionOrder.state != "released")
        .values(state="released"),
        execution_options={"synchronize_session": False},
    )


def order_due_at() -> datetime:
    """When an order issued now must be answered: PT-22 (信访工作条例 Art 40) in the version in force today."""
    calendar, versions = calendar_store.current()
    return limit(policies(versions, clock.today())["PT-22"], clock.now(), calendar).at
