"""The life of a version of a rule: checked, tried on its own cases, looked at over real records, compared with what is in force, run
without consequence, approved by a second person, and retired one day. Every change of a rule begins anew."""

from __future__ import annotations

from enum import StrEnum
from typing import Any, Protocol
from uuid import UUID

from statemachine import State
from statemachine.states import States

from workflows.actor import Actor, Label, Role
from workflows.base import HouseChart, StepTable, effect, guard


class RuleState(StrEnum):
    DRAFT = "draft"
    CHECKED = "checked"
    TRIED = "tried"
    PREVIEWED = "previewed"
    BACK_TESTED = "back_tested"
    SHADOW = "shadow"
    LIVE = "live"
    RETIRED = "retired"


RULE_LABELS: dict[RuleState, Label] = {
    RuleState.DRAFT: Label("草稿", "draft"),
    RuleState.CHECKED: Label("已校验", "checked"),
    RuleState.TRIED: Label("样例已测试", "tried on its cases"),
    RuleState.PREVIEWED: Label("已预览", "previewed"),
    RuleState.BACK_TESTED: Label("已回测", "back-tested"),
    RuleState.SHADOW: Label("影子运行", "running without consequence"),
    RuleState.LIVE: Label("生效", "in force"),
    RuleState.RETIRED: Label("停用", "retired"),
}

RULE_EVENT_LABELS: dict[str, Label] = {
    "check": Label("校验", "check"),
    "try_out": Label("样例测试", "try on its cases"),
    "preview": Label("预览", "preview"),
    "back_test": Label("回测", "back-test"),
    "start_shadow": Label("影子运行", "run without consequence"),
    "approve": Label("批准生效", "approve"),
    "retire": Label("停用", "retire"),
    "supersede": Label("由新版本取代", "superseded by a newer version"),
}

RULE_REFUSALS: dict[str, Label] = {
    "wrong-role": Label("该角色不能提出规则", "this role proposes no rules"),
    "not-an-approver": Label("规则由县级或以上纪委监委批准", "rules are approved by discipline commissions of counties and above"),
    "another-bodys-rule": Label("不是本级的规则", "the rule is not one of this level"),
    "second-person": Label("起草人不得批准自己的规则", "who wrote a rule does not approve it"),
    "no-shadow-run": Label("影子运行尚未完成一次", "it has not yet run without consequence"),
    "only-with-a-newer-version": Label("仅随新版本生效而发生", "happens only when a newer version comes into force"),
}

PROPOSERS = frozenset(
    {Role.TOWNSHIP_DISCIPLINE, Role.DEPARTMENT_HANDLER, Role.DISPATCHED_GROUP, Role.COUNTY_DISCIPLINE, Role.UPPER_DISCIPLINE}
)
APPROVERS = frozenset({Role.COUNTY_DISCIPLINE, Role.UPPER_DISCIPLINE})


class RuleRecord(Protocol):
    """What the chart reads of a version. `scope`: digits of the place whose rule it is, empty for what is shipped."""

    state: str
    scope: str
    author_id: UUID | None
    approver_id: UUID | None


def scope_of(actor: Actor) -> str:
    """Whose rules the actor proposes: of the own county, or of the city or province whose body it is."""
    return actor.scope[:6]


@guard("wrong-role", who=PROPOSERS)
def is_proposer(_rule: RuleRecord, actor: Actor | None, _facts: Any) -> bool:
    """Whether the actor may propose rules at all."""
    return actor is not None and actor.kind == "staff" and actor.role in PROPOSERS


@guard("not-an-approver", who=APPROVERS)
def is_approver(_rule: RuleRecord, actor: Actor | None, _facts: Any) -> bool:
    """Whether the actor may put rules into force and take them out."""
    return actor is not None and actor.kind == "staff" and actor.role in APPROVERS


@guard("another-bodys-rule")
def is_of_the_level(rule: RuleRecord, actor: Actor | None, _facts: Any) -> bool:
    """Whether it is a rule of the actor's county, city or province; what is shipped is the province's."""
    if actor is None or not actor.scope:
        return False
    return scope_of(actor) == rule.scope if rule.scope else len(actor.scope) == 2


@guard("second-person")
def did_not_write(rule: RuleRecord, actor: Actor | None, _facts: Any) -> bool:
    """Whether somebody else wrote it."""
    return actor is not None and actor.person_id is not None and actor.person_id != rule.author_id


@guard("no-shadow-run")
def has_run_without_consequence(_rule: RuleRecord, _actor: Actor | None, facts: Any) -> bool:
    """Whether it has run over all records since it was allowed to, without a fault; known only where the door looked."""
    return bool(facts.get("shadow_runs", 1) > 0)


@guard("only-with-a-newer-version", who=APPROVERS)
def newer_is_approved(_rule: RuleRecord, _actor: Actor | None, facts: Any) -> bool:
    """Whether a newer version comes into force with the same step."""
    return facts.get("newer") is not None


@effect()
def note_approver(rule: Any, actor: Any, _facts: Any) -> None:
    """Remember who put it into force."""
    rule.approver_id = actor.person_id


class RuleChart(HouseChart):
    """Write, check, try, preview, back-test, shadow, approve; the version in force stays so until the newer one is."""

    s = States(
        {
            state.value: State(
                name=f"{label.zh} {label.en}", value=state.value, initial=state == "draft", final=state == "retired"
            )
            for state, label in RULE_LABELS.items()
        }
    )
    _ours = [is_proposer, is_of_the_level]
    check = s.draft.to(s.checked, cond=_ours)
    try_out = s.checked.to(s.tried, cond=_ours)
    preview = s.tried.to(s.previewed, cond=_ours) | s.previewed.to(s.previewed, cond=_ours)
    back_test = s.previewed.to(s.back_tested, cond=_ours) | s.back_tested.to(s.back_tested, cond=_ours)
    start_shadow = s.back_tested.to(s.shadow, cond=_ours)
    approve = s.shadow.to(
        s.live, cond=[is_approver, is_of_the_level, did_not_write, has_run_without_consequence], on=note_approver
    )
    retire = (
        s.draft.to(s.retired, cond=_ours)
        | s.checked.to(s.retired, cond=_ours)
        | s.tried.to(s.retired, cond=_ours)
        | s.previewed.to(s.retired, cond=_ours)
        | s.back_tested.to(s.retired, cond=_ours)
        | s.shadow.to(s.retired, cond=_ours)
        | s.live.to(s.retired, cond=[is_approver, is_of_the_level])
    )
    supersede = s.live.to(s.retired, cond=[newer_is_approved, is_approver, is_of_the_level])


TABLE = RuleChart.table = StepTable.of(RuleChart)
