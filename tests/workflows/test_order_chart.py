"""The life of a supervision order (督办), asked of the chart alone."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

import pytest

from workflows.actor import SYSTEM_ACTOR, Actor, Role
from workflows.base import MissingFact, NotAllowed, WrongState
from workflows.order import ORDER_LABELS, TABLE, OrderChart, OrderState

BODY, COUNTY, CITY = UUID(int=1), UUID(int=2), UUID(int=3)
CLERK, HEAD, ABOVE, HANDLER = (UUID(int=n) for n in range(11, 15))


@dataclass
class Order:
    """An order of the county to a body below it."""

    state: str = "issued"
    level: int = 3
    target_org_id: UUID | None = BODY
    answered_by: UUID | None = None
    verified_by: UUID | None = None
    returns: int = 0


def staff(role: Role, org: UUID, level: int | None, person: UUID | None) -> Actor:
    return Actor("staff", person, role.value, org, level, False, "")


TARGET = staff(Role.DEPARTMENT_HANDLER, BODY, 3, HANDLER)
OFFICE = staff(Role.PETITION_OFFICE, COUNTY, 3, CLERK)
COLLEAGUE = staff(Role.PETITION_OFFICE, COUNTY, 3, HEAD)
SUPERIOR = staff(Role.UPPER_DISCIPLINE, CITY, 2, ABOVE)
TOWN = staff(Role.COUNTY_DISCIPLINE, BODY, 4, CLERK)
NO_LEVEL = staff(Role.PETITION_OFFICE, COUNTY, None, CLERK)
NOBODY = staff(Role.PETITION_OFFICE, COUNTY, 3, None)


def refusal(order: Order, event: str, actor: Actor | None, **facts: Any) -> str | None:
    return TABLE.refusal(order, event, actor, **facts)


def test_an_order_goes_from_issue_to_release_and_remembers_who_answered_and_who_verified() -> None:
    order = Order()
    TABLE.send(order, "answer", TARGET, answer="已办")
    assert (order.state, order.answered_by) == ("answered", HANDLER)
    TABLE.send(order, "send_back", OFFICE, reason="不实")
    assert (order.state, order.returns) == ("issued", 1)
    TABLE.send(order, "answer", TARGET, answer="已改")
    TABLE.send(order, "verify", SUPERIOR)
    assert (order.state, order.verified_by) == ("verified", ABOVE)
    TABLE.send(order, "release", OFFICE, reason="已整改")
    assert order.state == "released"
    assert TABLE.open_events(order, OFFICE) == []


REFUSED = [
    ("answer", Order(), OFFICE, "not-the-body-supervised"),
    ("answer", Order(), None, "not-the-body-supervised"),
    ("answer", Order(), SYSTEM_ACTOR, "not-the-body-supervised"),
    # An order to nobody waits for a supervisor.
    ("answer", Order(target_org_id=None), TARGET, "not-the-body-supervised"),
    ("answer", Order(target_org_id=None), OFFICE, None),
    ("verify", Order("answered", answered_by=HANDLER), TARGET, "wrong-role"),
    ("verify", Order("answered", answered_by=HANDLER), None, "wrong-role"),
    ("verify", Order("answered", answered_by=HANDLER), TOWN, "below-the-level-in-charge"),
    ("verify", Order("answered", answered_by=HANDLER), NO_LEVEL, "below-the-level-in-charge"),
    ("verify", Order("answered", level=2, answered_by=HANDLER), OFFICE, "below-the-level-in-charge"),
    ("verify", Order("answered", answered_by=CLERK), OFFICE, "separation-of-duties"),
    ("verify", Order("answered", answered_by=CLERK), NOBODY, "separation-of-duties"),
    ("verify", Order("answered", answered_by=CLERK), COLLEAGUE, None),
    ("send_back", Order("answered", answered_by=CLERK), OFFICE, "separation-of-duties"),
    ("send_back", Order("answered", answered_by=HANDLER, returns=3), OFFICE, "returns-spent"),
    ("send_back", Order("answered", answered_by=HANDLER, returns=2), OFFICE, None),
    ("release", Order("verified"), TARGET, "wrong-role"),
    ("release", Order("verified"), TOWN, "below-the-level-in-charge"),
    ("release", Order("verified"), SUPERIOR, None),
    ("release", Order("answered"), OFFICE, "wrong-state"),
    ("answer", Order("released"), TARGET, "wrong-state"),
]


@pytest.mark.parametrize(("event", "order", "actor", "code"), REFUSED)
def test_each_refusal_has_its_own_code(event: str, order: Order, actor: Actor | None, code: str | None) -> None:
    assert refusal(order, event, actor) == code
    if code == "wrong-state":
        with pytest.raises(WrongState):
            TABLE.send(order, event, actor, answer="a", reason="r")
    elif code is not None:
        with pytest.raises(NotAllowed) as refused:
            TABLE.send(order, event, actor, answer="a", reason="r")
        assert refused.value.code == code


@pytest.mark.parametrize(
    ("event", "order", "actor", "field"),
    [
        ("answer", Order(), TARGET, "answer"),
        ("send_back", Order("answered", answered_by=HANDLER), OFFICE, "reason"),
        ("release", Order("verified"), OFFICE, "reason"),
    ],
)
def test_a_step_without_its_words_is_refused(event: str, order: Order, actor: Actor, field: str) -> None:
    before = Order(**vars(order))
    with pytest.raises(MissingFact) as missing:
        TABLE.send(order, event, actor)
    assert (missing.value.field, order) == (field, before)


def test_every_state_of_the_chart_has_its_words_and_only_the_release_is_an_end() -> None:
    assert TABLE.states == {*OrderState} == set(ORDER_LABELS)
    assert TABLE.finals == {"released"}
    assert OrderChart.table is TABLE


def test_an_answer_cannot_be_sent_back_for_ever() -> None:
    order, rounds = Order(), 0
    while TABLE.may(order, "answer", TARGET) and rounds < 10:
        TABLE.send(order, "answer", TARGET, answer="已办")
        rounds += 1
        if TABLE.may(order, "send_back", OFFICE):
            TABLE.send(order, "send_back", OFFICE, reason="不实")
    assert (rounds, TABLE.open_events(order, OFFICE)) == (4, ["verify"])
