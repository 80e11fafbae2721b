"""One page of documentation per chart, written from the chart itself: picture, transitions, time limits, messages."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from workflows.actor import ROLE_LABELS, Label, Role
from workflows.base import HouseChart, Step

Row = Sequence[str]
# Keyed by a StrEnum of the chart; Any because a Mapping does not take a narrower key type.
Words = Mapping[Any, Label]
Timed = Mapping[Any, Sequence[tuple[str, str | None]]]


def workflow_page(
    chart: type[HouseChart],
    timed: Timed,
    *,
    title: Label,
    states: Words,
    events: Words,
    refusals: Mapping[str, Label],
    rests: Iterable[str] = (),
    deadlines: tuple[Row, Sequence[Row]] | None = None,
    messages: tuple[Row, Sequence[Row]] | None = None,
    vocabulary: tuple[Row, Sequence[Row]] | None = None,
) -> str:
    """Markdown for docs/workflows: Mermaid diagram, states with what forces them on, transitions, reasons of refusal.

    timed: state → (time limit, event sent when it passes, or None). refusals: guard code → words. rests: closed states
    that may still move. deadlines, messages, vocabulary: header and rows of further tables, left out when None.
    """
    table = chart.table
    steps = sorted(table.steps, key=lambda step: list(states).index(step.source))
    parts = [
        f"# {title.zh} {title.en}",
        "Written from the chart by `make diagrams`; do not edit.",
        _picture(steps, states, events, table.initial, table.finals),
        "## 状态 States",
        _grid(
            ("state", "名称", "name", "kind", "forced on by"),
            [_state_row(state, label, table.finals, set(rests), timed) for state, label in states.items()],
        ),
        *(() if vocabulary is None else ("## 词汇 Vocabulary", _grid(*vocabulary))),
        "## 流转 Transitions",
        "A row marked ↺ leaves the state as it is. Of several rows for one event the first that agrees is taken.",
        _grid(
            ("from", "event", "操作", "to", "who", "guards", "needs"),
            [_step_row(step, states, events) for step in steps],
        ),
        "## 拒绝理由 Reasons of refusal",
        _grid(
            ("code", "说明", "meaning"),
            [(f"`{code}`", *refusals[code]) for code in dict.fromkeys(g.code for s in steps for g in s.guards)],
        ),
    ]
    if deadlines is not None:
        parts += ["## 时限 Time limits", _grid(*deadlines)]
    if messages is not None:
        parts += ["## 消息 Messages", _grid(*messages)]
    return "\n\n".join(parts) + "\n"


def _picture(
    steps: Sequence[Step],
    states: Words,
    events: Words,
    initial: str,
    finals: Iterable[str],
) -> str:
    """A loop is drawn only where the level goes up; notes are left to the table, they would double the lines."""
    lines = ["```mermaid", "stateDiagram-v2"]
    lines += [f'    state "{label.zh} {state}" as {state}' for state, label in states.items()]
    lines.append(f"    [*] --> {initial}")
    arrows: dict[tuple[str, str], dict[str, None]] = {}
    for step in steps:
        if step.source != step.target or any(change.raises for change in step.effects):
            arrows.setdefault((step.source, step.target), {})[events[step.event].zh] = None
    lines += [f"    {source} --> {target}: {' / '.join(words)}" for (source, target), words in arrows.items()]
    lines += [f"    {state} --> [*]" for state in states if state in set(finals)]
    return "\n".join([*lines, "```"])


def _state_row(
    state: str,
    label: Label,
    finals: frozenset[str],
    rests: set[str],
    timed: Timed,
) -> Row:
    kind = "end" if state in finals else "rest" if state in rests else ""
    forced = [f"{policy} → `{event}`" if event else f"{policy} (reminder)" for policy, event in timed.get(state, ())]
    return (f"`{state}`", label.zh, label.en, kind, "; ".join(forced))


def _step_row(step: Step, states: Words, events: Words) -> Row:
    who = [ROLE_LABELS[role].zh for role in Role if role in step.who]
    guards = [f"`{each.__name__}`" for each in step.guards if each.who is None]
    return (
        states[step.source].zh,
        f"`{step.event}`",
        f"{events[step.event].zh} {events[step.event].en}",
        "↺" if step.target == step.source else states[step.target].zh,
        "; ".join(who),
        ", ".join(guards),
        ", ".join(f"`{field}`" for demand in step.demands for field in demand.fields),
    )


def _grid(header: Row, rows: Iterable[Row]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)
