"""The generated files: openapi.yaml from the code, docs/workflows from the charts. Both are committed and gated."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml
from flask import current_app

from notifications.alert_catalogue import ALERT, ALERT_OTHER
from notifications.catalogue import CLUE, OTHER, PETITION
from notifications.notice import Notice
from workflows.actor import Label
from workflows.alert import ALERT_EVENT_LABELS, ALERT_LABELS, ALERT_LIMITS, ALERT_REFUSALS, VOCABULARY, AlertChart
from workflows.alert import RESTS as ALERT_RESTS
from workflows.alert import TIMED as ALERT_TIMED
from workflows.clue import CLUE_EVENT_LABELS, CLUE_LABELS, CLUE_LIMITS, CLUE_REFUSALS, ClueChart
from workflows.clue import RESTS as CLUE_RESTS
from workflows.clue import TIMED as CLUE_TIMED
from workflows.diagrams import workflow_page
from workflows.order import ORDER_EVENT_LABELS, ORDER_LABELS, ORDER_REFUSALS, ORDER_TIMED, OrderChart
from workflows.petition import EVENT_LABELS, RESTS, STATE_LABELS, TIMED, PetitionChart
from workflows.petition_guards import REFUSALS
from workflows.policies import NATIONAL, PRESETS, ZHEJIANG, Policy
from workflows.rule import RULE_EVENT_LABELS, RULE_LABELS, RULE_REFUSALS, RuleChart

ROOT = Path(__file__).parent.parent


def openapi() -> str:
    """The contract as YAML, the same bytes for the same code."""
    api = current_app.extensions["contract"]
    return str(yaml.safe_dump(_plain(api.spec.to_dict()), allow_unicode=True, sort_keys=False, width=120))


def pages() -> dict[str, str]:
    """docs/workflows/<name>.md of every chart."""
    limits = []
    for policy_id in dict.fromkeys(p.id for p in (*NATIONAL, *ZHEJIANG)):
        rows = {name: _limit(policy_id, preset) for name, preset in PRESETS.items()}
        if len(set(rows.values())) == 1:
            limits.append((policy_id, "", *rows["national"]))
        else:
            limits += [(policy_id, name, *row) for name, row in rows.items() if row]
    page = workflow_page(
        PetitionChart, TIMED, title=Label("信访事项", "Petition"), states=STATE_LABELS, events=EVENT_LABELS, refusals=REFUSALS, rests=RESTS,
        deadlines=(("id", "preset", "时限 limit", "长度 amount", "性质 kind", "依据 basis"), limits),
        messages=(("event", "audience"), _heard({**PETITION, **OTHER})),
    )  # fmt: skip
    clue = workflow_page(
        ClueChart, CLUE_TIMED, title=Label("密封线索", "Clue"), states=CLUE_LABELS, events=CLUE_EVENT_LABELS,
        refusals=CLUE_REFUSALS, rests=CLUE_RESTS,
        deadlines=(("id", "时限 limit", "长度 amount", "性质 kind", "依据 basis"),
                   [(one.id, *_limit(one.id, CLUE_LIMITS)) for one in CLUE_LIMITS]),
        messages=(("event", "audience"), _heard(CLUE)),
    )  # fmt: skip
    alert = workflow_page(
        AlertChart, ALERT_TIMED, title=Label("预警", "Alert"), states=ALERT_LABELS, events=ALERT_EVENT_LABELS,
        refusals=ALERT_REFUSALS, rests=ALERT_RESTS,
        deadlines=(("id", "时限 limit", "长度 amount", "性质 kind", "依据 basis"),
                   [(one.id, *_limit(one.id, ALERT_LIMITS)) for one in ALERT_LIMITS]),
        messages=(("event", "audience"), _heard({**ALERT, **ALERT_OTHER})),
        vocabulary=(("平台用语 of the platform", "流程用语 of the flow", "state here"), VOCABULARY),
    )  # fmt: skip
    order = workflow_page(
        OrderChart, ORDER_TIMED, title=Label("督办单", "Supervision order"), states=ORDER_LABELS, events=ORDER_EVENT_LABELS,
        refusals=ORDER_REFUSALS,
    )  # fmt: skip
    rule = workflow_page(
        RuleChart, {}, title=Label("规则", "Rule"), states=RULE_LABELS, events=RULE_EVENT_LABELS, refusals=RULE_REFUSALS,
    )  # fmt: skip
    return {"petition.md": page, "clue.md": clue, "alert.md": alert, "order.md": order, "rule.md": rule}


def _heard(catalogue: Mapping[str, tuple[Notice, ...]]) -> list[tuple[str, str]]:
    return [(event, notice.audience) for event, notices in sorted(catalogue.items()) for notice in notices]


def _limit(policy_id: str, preset: Sequence[Policy]) -> tuple[str, ...]:
    kinds = {"statutory": "法定", "local": "地方", "working": "工作"}
    return next(
        ((p.name_zh, _amount(p), kinds[p.kind], p.basis or "—") for p in preset if p.id == policy_id),
        (),
    )


def _amount(policy: Policy) -> str:
    others = [f"{v.fact} {v.value}: {v.amount} {v.unit}" for v in policy.variants]
    return "; ".join([f"{policy.amount} {policy.unit}", *others])


def write() -> Path:
    """Write openapi.yaml and return its path."""
    path = ROOT / "openapi.yaml"
    path.write_text(openapi(), encoding="utf-8")
    return path


def diagrams() -> list[Path]:
    """Write docs/workflows and return the paths."""
    folder = ROOT / "docs" / "workflows"
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for name, page in pages().items():
        (folder / name).write_text(page, encoding="utf-8")
        written.append(folder / name)
    return written


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value
