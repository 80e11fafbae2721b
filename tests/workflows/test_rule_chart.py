"""The life of a rule: whoever wrote it does not put it into force, and nobody passes a step over."""

from dataclasses import dataclass
from uuid import UUID, uuid4

import pytest

from workflows.actor import Actor, Role
from workflows.base import NotAllowed, WrongState
from workflows.rule import RULE_EVENT_LABELS, RULE_LABELS, RULE_REFUSALS, TABLE, RuleChart

STEPS = ["check", "try_out", "preview", "back_test", "start_shadow"]


@dataclass
class Version:
    state: str = "draft"
    scope: str = "330213"
    author_id: UUID | None = None
    approver_id: UUID | None = None


def staff(role: Role = Role.COUNTY_DISCIPLINE, scope: str = "330213", level: int = 3) -> Actor:
    return Actor("staff", uuid4(), role, uuid4(), level, False, scope)


def in_shadow(author: Actor, scope: str = "330213") -> Version:
    version = Version(author_id=author.person_id, scope=scope)
    for event in STEPS:
        TABLE.send(version, event, author)
    return version


def test_a_second_person_of_the_same_level_puts_a_rule_into_force() -> None:
    author, second = staff(Role.TOWNSHIP_DISCIPLINE, "330213007", 4), staff()
    version = in_shadow(author)
    TABLE.send(version, "approve", second, shadow_runs=1)
    assert (version.state, version.approver_id) == ("live", second.person_id)


@pytest.mark.parametrize(
    ("actor", "facts", "code"),
    [
        (None, {}, "second-person"),
        (staff(Role.TOWNSHIP_DISCIPLINE, "330213007", 4), {}, "not-an-approver"),
        (staff(scope="330281"), {}, "another-bodys-rule"),
        (staff(Role.UPPER_DISCIPLINE, "3302", 2), {}, "another-bodys-rule"),
        (staff(), {"shadow_runs": 0}, "no-shadow-run"),
    ],
)
def test_nobody_else_does(actor: Actor | None, facts: dict[str, int], code: str) -> None:
    author = staff()
    version = in_shadow(author)
    with pytest.raises(NotAllowed) as refused:
        TABLE.send(version, "approve", actor or author, **facts)
    assert refused.value.code == code
    assert version.state == "shadow"


def test_what_is_shipped_is_changed_by_the_province_alone() -> None:
    province = staff(Role.UPPER_DISCIPLINE, "33", 1)
    for actor in (staff(), staff(Role.UPPER_DISCIPLINE, "3302", 2)):
        assert TABLE.refusal(Version(scope=""), "check", actor) == "another-bodys-rule"
    assert TABLE.refusal(Version(scope=""), "check", province) is None


@pytest.mark.parametrize("skipped", [*STEPS])
def test_no_step_can_be_passed_over(skipped: str) -> None:
    author, version = staff(), Version()
    for event in STEPS[: STEPS.index(skipped)]:
        TABLE.send(version, event, author)
    after = [*STEPS, "approve"][STEPS.index(skipped) + 1]
    with pytest.raises(WrongState):
        TABLE.send(version, after, author)


def test_a_version_goes_only_when_a_newer_one_comes_or_an_approver_retires_it() -> None:
    approver = staff()
    assert TABLE.refusal(Version("live"), "supersede", approver) == "only-with-a-newer-version"
    assert TABLE.refusal(Version("live"), "retire", staff(Role.TOWNSHIP_DISCIPLINE, "330213007", 4)) == "not-an-approver"
    assert TABLE.refusal(Version("live"), "supersede", approver, newer=2) is None


def test_every_state_event_and_refusal_has_its_words_and_every_state_an_exit() -> None:
    assert {state.value for state in RULE_LABELS} == TABLE.states
    assert set(RULE_EVENT_LABELS) == {step.event for step in TABLE.steps}
    assert set(RULE_REFUSALS) == {guard.code for step in TABLE.steps for guard in step.guards}
    assert all(TABLE.steps_from(state) for state in TABLE.states - TABLE.finals)
    assert RuleChart.table is TABLE
