"""The life of a supervision order (督办): issued, answered, verified, released; an answer may be sent back."""

from __future__ import annotations

from enum import StrEnum
from typing import Any, Protocol
from uuid import UUID

from statemachine import State
from statemachine.states import States

from workflows.actor import Actor, Label, Role
from workflows.base import HouseChart, StepTable, effect, guard, needs


class OrderState(StrEnum):
    ISSUED = "issued"
    ANSWERED = "answered"
    VERIFIED = "verified"
    RELEASED = "released"


ORDER_LABELS: dict[OrderState, Label] = {
    OrderState.ISSUED: Label("已下达", "issued"),
    OrderState.ANSWERED: Label("已反馈", "answered"),
    OrderState.VERIFIED: Label("已核实", "verified"),
    OrderState.RELEASED: Label("已解除", "released"),
}


ORDER_EVENT_LABELS: dict[str, Label] = {
    "answer": Label("反馈", "answer"),
    "send_back": Label("退回", "send back"),
    "verify": Label("核实", "verify"),
    "release": Label("解除", "release"),
}

ORDER_REFUSALS: dict[str, Label] = {
    "wrong-role": Label("该角色不能督办", "this role does not supervise"),
    "below-the-level-in-charge": Label("低于下达督办单的层级", "below the level that issued the order"),
    "not-the-body-supervised": Label("不是被督办单位", "not the body that is supervised"),
    "separation-of-duties": Label("反馈人不得自行核实", "who answered does not verify"),
    "returns-spent": Label("退回次数已用完", "returns are used up"),
}

# An answer is due by PT-22; when it passes the order is marked overdue and another one goes to the level above.
ORDER_TIMED: dict[str, tuple[tuple[str, str | None], ...]] = {"issued": (("PT-22", None),)}


class OrderRecord(Protocol):
    """What the chart reads of an order."""

    state: str
    level: int
    target_org_id: UUID | None
    answered_by: UUID | None
    verified_by: UUID | None
    returns: int


SUPERVISORS = frozenset({Role.PETITION_OFFICE, Role.COUNTY_DISCIPLINE, Role.UPPER_DISCIPLINE})


@guard("wrong-role", who=SUPERVISORS)
def is_supervisor(order: OrderRecord, actor: Actor | None, _facts: Any) -> bool:
    """Whether the actor may supervise at all."""
    return actor is not None and actor.kind == "staff" and actor.role in SUPERVISORS


@guard("below-the-level-in-charge", above=True)
def is_at_or_above(order: OrderRecord, actor: Actor | None, _facts: Any) -> bool:
    """Whether the actor's body stands at the level that issued the order or above it."""
    return actor is not None and actor.org_level is not None and actor.org_level <= order.level


@guard("not-the-body-supervised")
def is_of_target(order: OrderRecord, actor: Actor | None, _facts: Any) -> bool:
    """Whether the actor belongs to the body that the order is addressed to; an order to nobody waits for its issuer."""
    if actor is None or actor.kind != "staff" or actor.org_id is None:
        return False
    return actor.org_id == order.target_org_id if order.target_org_id else actor.role in SUPERVISORS


@guard("separation-of-duties")
def did_not_answer(order: OrderRecord, actor: Actor | None, _facts: Any) -> bool:
    """Whether somebody else wrote the answer."""
    return actor is not None and actor.person_id is not None and actor.person_id != order.answered_by


@guard("returns-spent", counter="returns")
def returns_left(order: OrderRecord, _actor: Actor | None, _facts: Any) -> bool:
    """Whether an answer may be sent back once more; after three the order can only be verified, or the case goes up."""
    return order.returns < 3


@effect()
def note_answer(order: Any, actor: Any, _facts: Any) -> None:
    """Remember who answered, for the separation of duties."""
    order.answered_by = actor.person_id


@effect()
def note_return(order: Any, _actor: Any, _facts: Any) -> None:
    """Count the answer that was sent back."""
    order.returns += 1


@effect()
def note_verifier(order: Any, actor: Any, _facts: Any) -> None:
    """Remember who verified."""
    order.verified_by = actor.person_id


class OrderChart(HouseChart):
    """Order, answer, verify, release. The clock PT-22 runs while it is issued."""

    s = States(
        {
            state.value: State(
                name=f"{label.zh} {label.en}", value=state.value, initial=state == "issued", final=state == "released"
            )
            for state, label in ORDER_LABELS.items()
        }
    )
    answer = s.issued.to(s.answered, cond=is_of_target, validators=needs("answer"), on=note_answer)
    send_back = s.answered.to(
        s.issued,
        cond=[is_supervisor, is_at_or_above, did_not_answer, returns_left],
        validators=needs("reason"),
        on=note_return,
    )
    verify = s.answered.to(s.verified, cond=[is_supervisor, is_at_or_above, did_not_answer], on=note_verifier)
    release = s.verified.to(s.released, cond=[is_supervisor, is_at_or_above], validators=needs("reason"))


TABLE = OrderChart.table = StepTable.of(OrderChart)
