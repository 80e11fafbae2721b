"""Proof that no case can be left lying, by two searches that each name every defect they find.

`inspect` reads a chart's shape: states, transitions, who may, what the clock sends. `walk` goes through every
configuration (state and counters) that real guards and effects can produce. The first names the cause, the second
misses nothing that the first cannot see. Neither knows a petition: a chart is handed in as data.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Hashable, Iterable, Mapping
from dataclasses import dataclass, field
from dis import get_instructions
from functools import cache
from types import FunctionType
from typing import Generic, TypeVar

from workflows.base import Guard, Step, StepTable

SYSTEM = frozenset({"system"})


@dataclass(frozen=True, order=True)
class Finding:
    """One defect: what kind, in which state, and the event or cycle concerned."""

    kind: str
    where: str
    detail: str = ""


@dataclass(frozen=True)
class Edge:
    """One transition as the inspection sees it.

    who: roles that may. counter: bounded counter that it spends. raises: the level goes strictly up. new_body: only a
    body that has not handled the case receives it. above: only a body at or above the level in charge may.
    dissatisfied: taken on a bad rating.
    """

    event: str
    source: str
    target: str
    who: frozenset[str]
    counter: str | None = None
    raises: bool = False
    new_body: bool = False
    above: bool = False
    dissatisfied: bool = False

    @property
    def human(self) -> frozenset[str]:
        """Roles other than the system's that may."""
        return self.who - SYSTEM


@dataclass(frozen=True)
class ChartDescription:
    """What `inspect` needs to know of a chart.

    timed: state → events that the clock sends there. rests: closed states that nothing forces on. work: states in which
    a body handles the case. answered: states after an answer. unassigned: states in which no handler has the case yet.
    statutory_ends: ends that the law provides for a case which went all the way up. roles: human roles that exist.
    """

    name: str
    initial: str
    states: frozenset[str]
    edges: tuple[Edge, ...]
    timed: Mapping[str, tuple[str, ...]]
    finals: frozenset[str]
    roles: frozenset[str]
    rests: frozenset[str] = frozenset()
    work: frozenset[str] = frozenset()
    answered: frozenset[str] = frozenset()
    unassigned: frozenset[str] = frozenset()
    statutory_ends: frozenset[str] = frozenset()

    def leaving(self, state: str) -> list[Edge]:
        """Edges that start in the state."""
        return [edge for edge in self.edges if edge.source == state]

    @property
    def must_move(self) -> list[str]:
        """States that may not be where a case stays."""
        return sorted(self.states - self.finals - self.rests)


def edges_of(table: StepTable) -> tuple[Edge, ...]:
    """The transitions of a real chart, with what its guards and effects say of themselves."""
    edges = []
    for step in table.steps:
        raises = any(each.raises for each in step.effects)
        counters = [each.counter for each in step.guards if each.counter]
        edges.append(
            Edge(
                event=step.event,
                source=step.source,
                target=step.target,
                who=step.who,
                # A level only ever goes up, so going up is itself a bounded counter.
                counter=counters[0] if counters else ("level" if raises else None),
                raises=raises,
                new_body=any(each.new_body for each in step.guards),
                above=any(each.above for each in step.guards),
                dissatisfied=any(each.dissatisfied for each in step.guards),
            )
        )
    return tuple(edges)


def inspect(chart: ChartDescription) -> list[Finding]:
    """Every defect of the chart's shape, in a fixed order; an empty list when there is none."""
    checks = (_exits, _clock, _reach, _cycles, _ratings, _same_body, _unassigned)
    return sorted({finding for check in checks for finding in check(chart)})


def _exits(chart: ChartDescription) -> Iterable[Finding]:
    """A person of an existing role can move the case on, and not only one person by one act."""
    for state in sorted(chart.states - chart.finals):
        leaving = [edge for edge in chart.leaving(state) if edge.target != state or edge.counter or edge.raises]
        pairs = {(role, edge.event) for edge in leaving for role in edge.human & chart.roles}
        if not pairs:
            yield Finding("no-human-exit", state)
        elif len(pairs) == 1 and state not in chart.rests:
            role, event = pairs.pop()
            yield Finding("trap", state, f"only {role} may act, and only {event}")


def _clock(chart: ChartDescription) -> Iterable[Finding]:
    """Something forces the next step, and the state offers what the clock sends."""
    for state in chart.must_move:
        offered = {edge.event for edge in chart.leaving(state) if "system" in edge.who}
        sent = chart.timed.get(state, ())
        for event in sent:
            if event not in offered:
                yield Finding("timed-event-not-offered", state, event)
        if not offered & set(sent):
            yield Finding("no-timed-exit", state)


def _reach(chart: ChartDescription) -> Iterable[Finding]:
    seen, queue = {chart.initial}, deque([chart.initial])
    while queue:
        for edge in chart.leaving(queue.popleft()):
            if edge.target not in seen:
                seen.add(edge.target)
                queue.append(edge.target)
    for state in sorted(chart.states - seen):
        yield Finding("unreachable-final" if state in chart.finals else "unreachable-state", state)


def _cycles(chart: ChartDescription) -> Iterable[Finding]:
    """Without the edges that spend a counter nothing may go round. A note that leaves the state alone is no round."""
    free = {(e.source, e.target) for e in chart.edges if e.counter is None and e.source != e.target}
    left = set(chart.states)
    while leaves := {state for state in left if not any(a == state and b in left for a, b in free)}:
        left -= leaves
    # States that only lead into a cycle go too, so that the finding names the cycle itself.
    while roots := {state for state in left if not any(b == state and a in left for a, b in free)}:
        left -= roots
    if left:
        yield Finding("unbounded-cycle", min(left), " ".join(sorted(left)))


def _ratings(chart: ChartDescription) -> Iterable[Finding]:
    """A bad rating goes strictly up or to a statutory end, and stays up until somebody above deals with it."""
    unhappy = set()
    for edge in chart.edges:
        if not edge.dissatisfied:
            continue
        if not edge.raises and edge.target not in chart.statutory_ends:
            yield Finding("rating-does-not-go-up", edge.source, f"{edge.event} → {edge.target}")
        unhappy.add(edge.target)
    for edge in chart.edges:
        if edge.source not in unhappy or edge.source in chart.finals | chart.rests:
            continue
        answered_above = edge.above and edge.target in chart.rests and "system" not in edge.who
        given_anew = edge.target in chart.work and edge.new_body
        noted = edge.target == edge.source
        if not (edge.raises or edge.target in chart.statutory_ends or answered_above or given_anew or noted):
            yield Finding("rating-does-not-go-up", edge.source, f"{edge.event} → {edge.target}")


def _same_body(chart: ChartDescription) -> Iterable[Finding]:
    """After an answer the case does not return to whoever gave it."""
    for edge in chart.edges:
        if edge.source in chart.answered and edge.target in chart.work and not edge.new_body:
            yield Finding("same-body-again", edge.source, f"{edge.event} → {edge.target}")


def _unassigned(chart: ChartDescription) -> Iterable[Finding]:
    """Left to the clock alone, a case that nobody has taken still goes up."""
    for start in sorted(chart.unassigned):
        seen, queue, goes_up = {start}, deque([start]), False
        while queue and not goes_up:
            state = queue.popleft()
            for edge in chart.leaving(state):
                if edge.event in chart.timed.get(state, ()) and "system" in edge.who:
                    goes_up = goes_up or edge.raises
                    if edge.target not in seen:
                        seen.add(edge.target)
                        queue.append(edge.target)
        if not goes_up:
            yield Finding("unassigned-never-escalated", start)


# --- what a walk has to remember ---------------------------------------------------------------------------------


@cache
def impersonal(step: Step) -> tuple[Guard, ...]:
    """The step's guards that never look at the actor: when one refuses, nobody needs to be asked."""
    return tuple(
        each
        for each in step.guards
        if isinstance(each.ask, FunctionType) and all(op.argval != "actor" for op in get_instructions(each.ask))
    )


def _names_read(ask: FunctionType) -> set[str]:
    """Names that a question uses, and those that the questions use which it asks in turn."""
    names = set(ask.__code__.co_names)
    for name in tuple(names):
        other = ask.__globals__.get(name)
        if isinstance(other, Guard):
            other = other.ask
        if isinstance(other, FunctionType) and other.__module__ == ask.__module__:
            names |= _names_read(other)
    return names


def live_fields(
    table: StepTable,
    fields: Iterable[str],
    unread: Iterable[Guard] = (),
    besides: Mapping[str, set[str]] | None = None,
) -> dict[str, tuple[str, ...]]:
    """State → fields that some guard may still read before they are set anew; the rest cannot change what is possible.

    Without this a closed case would count once for every way in which it was once parked. fields: those that are told
    apart. unread: guards that have nothing to remember in the walked world. besides: what an event's effects read of
    their own.
    """
    besides, skipped = besides or {}, list(unread)
    known = set(fields).union(*besides.values())
    live: dict[str, set[str]] = {state: set() for state in table.states}
    changed = True
    while changed:
        changed = False
        for step in table.steps:
            read = {each.counter for each in step.guards if each.counter} | besides.get(step.event, set())
            for each in step.guards:
                if isinstance(each.ask, FunctionType) and each not in skipped:
                    read |= _names_read(each.ask)
            resets = {name for change in step.effects for name in change.resets}
            needed = (read & known) | (live[step.target] - resets)
            if not needed <= live[step.source]:
                live[step.source] |= needed
                changed = True
    return {state: tuple(sorted(names)) for state, names in live.items()}


# --- the exhaustive walk -----------------------------------------------------------------------------------------

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Move(Generic[T]):
    """One step that guards allow: what was done, by a person (True), by the clock (False) or forced by something that need
    not happen (None), and the record afterwards."""

    event: str
    human: bool | None
    after: T
    fault: str | None = None


@dataclass
class WalkReport:
    """What the walk saw. `edges` counts moves between different configurations, `notes` those that change nothing."""

    configurations: int = 0
    edges: int = 0
    notes: int = 0
    longest: int = 0
    by_state: dict[str, int] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)


def walk(
    starts: Iterable[T],
    moves: Callable[[T], Iterable[Move[T]]],
    key: Callable[[T], Hashable],
    state: Callable[[T], str],
    ends: frozenset[str],
    rests: frozenset[str],
    limit: int = 500_000,
) -> WalkReport:
    """Go through every configuration that can be reached from `starts`.

    A configuration is what `key` tells apart. Found are: configurations outside `ends` and `rests` that no person or no
    clock moves on, moves with a fault, configurations from which no end or rest can be reached, and any way to go
    round for ever. More configurations than `limit` count as going round: some counter has no bound.
    """
    report = WalkReport()
    records = {key(record): record for record in starts}
    queue = deque(records)
    after: dict[Hashable, set[Hashable]] = {}
    faults: set[Finding] = set()
    while queue:
        here = queue.popleft()
        record = records[here]
        name = state(record)
        report.by_state[name] = report.by_state.get(name, 0) + 1
        movers = set()
        after[here] = set()
        for move in moves(record):
            there = key(move.after)
            if move.fault is not None:
                faults.add(Finding(move.fault, name, f"{move.event} → {state(move.after)}"))
            if there == here:
                report.notes += 1
                continue
            movers.add(move.human)
            after[here].add(there)
            if there not in records:
                records[there] = move.after
                queue.append(there)
        if name not in ends | rests:
            if True not in movers:
                faults.add(Finding("no-human-exit", name))
            if False not in movers:
                faults.add(Finding("no-timed-exit", name))
        if len(records) > limit:
            faults.add(Finding("unbounded-counter", name, f"more than {limit} configurations"))
            break
    report.configurations = len(after)
    report.edges = sum(map(len, after.values()))
    if len(records) <= limit:
        faults |= _endless(after, records, state, report)
        faults |= _without_end(after, records, state, ends | rests)
    report.findings = sorted(faults)
    return report


def _endless(
    after: dict[Hashable, set[Hashable]], records: dict[Hashable, T], state: Callable[[T], str], report: WalkReport
) -> set[Finding]:
    """Take away, again and again, what nothing leads to; whatever is left goes round. Measures the longest path."""
    incoming = dict.fromkeys(after, 0)
    for targets in after.values():
        for there in targets:
            incoming[there] += 1
    depth = {here: 0 for here, count in incoming.items() if count == 0}
    queue = deque(depth)
    taken = 0
    while queue:
        here = queue.popleft()
        taken += 1
        for there in after[here]:
            depth[there] = max(depth.get(there, 0), depth[here] + 1)
            incoming[there] -= 1
            if incoming[there] == 0:
                queue.append(there)
    report.longest = max(depth.values(), default=0)
    if taken == len(after):
        return set()
    left = {here for here, count in incoming.items() if count > 0}
    # What merely follows a cycle is no part of it.
    while tail := {here for here in left if not after[here] & left}:
        left -= tail
    return {Finding("endless-path", state(records[here])) for here in left}


def _without_end(
    after: dict[Hashable, set[Hashable]], records: dict[Hashable, T], state: Callable[[T], str], ends: frozenset[str]
) -> set[Finding]:
    before: dict[Hashable, list[Hashable]] = {}
    for here, targets in after.items():
        for there in targets:
            before.setdefault(there, []).append(here)
    reach = {here for here in after if state(records[here]) in ends}
    queue = deque(reach)
    while queue:
        for here in before.get(queue.popleft(), ()):
            if here not in reach:
                reach.add(here)
                queue.append(here)
    return {Finding("no-end-in-reach", state(records[here])) for here in after if here not in reach}
