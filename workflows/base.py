"""What every chart of the house shares: strict flags, three refusals, one way to send, one static table.

A chart is a flat python-statemachine class. `StepTable` is the same chart read once into plain tuples, so that a list
page or the explorer may ask "what is open here" without building a machine for each row. A test proves both equal.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar

from statemachine import State, StateMachine

Facts = Mapping[str, Any]

RESERVED_FACTS = frozenset({"event_data", "machine", "event", "model", "transition", "state", "source", "target"})


class WrongState(Exception):
    """The state does not offer the event. `open_events` is what this actor may do instead."""

    def __init__(self, state: str, open_events: list[str]):
        super().__init__(f"the case is {state}")
        self.state = state
        self.open_events = open_events


class NotAllowed(Exception):
    """The state offers the event, but a guard refuses it. `code` is the stable name of the reason."""

    def __init__(self, event: str, code: str):
        super().__init__(f"{event}: {code}")
        self.event = event
        self.code = code


class MissingFact(Exception):
    """The event needs a fact that was not sent, or that is outside its closed list. `field` names it."""

    def __init__(self, field: str):
        super().__init__(f"{field} is required")
        self.field = field


class Callback:
    """Something that hangs on a transition and says more of itself than a bare function could."""

    def __init__(self, function: Callable[..., Any], name: str | None = None):
        self.__name__ = name or function.__name__
        self.__doc__ = function.__doc__
        # The library keeps signatures under these two attributes of plain functions; all callbacks of a kind have one.
        self.__qualname__ = type(self).__name__
        self.__code__ = type(self).__call__.__code__


class Guard(Callback):
    """A question about record, actor and facts; without side effects, total, and true of facts not yet sent.

    What the explorer and the documents need to know of it stands beside the question: `who` is the set of roles it can
    say yes to (None: it does not ask for a role), `counter` the bounded counter it checks, `new_body` that only a body
    that has never handled the case passes, `above` that only a body at or above the level in charge passes,
    `dissatisfied` that it asks for a bad rating.
    """

    def __init__(
        self,
        ask: Callable[[Any, Any, Facts], bool],
        code: str,
        who: Iterable[str] | None = None,
        counter: str | None = None,
        new_body: bool = False,
        above: bool = False,
        dissatisfied: bool = False,
    ):
        super().__init__(ask)
        self.ask = ask
        self.code = code
        self.who = None if who is None else frozenset(str(role) for role in who)
        self.counter = counter
        self.new_body = new_body
        self.above = above
        self.dissatisfied = dissatisfied

    def __call__(self, model: Any, actor: Any = None, **facts: Any) -> bool:
        return self.ask(model, actor, facts)


class Demand(Callback):
    """Facts that must be complete before the case moves; runs when the event is sent, never when it is offered."""

    def __init__(self, name: str, fields: Iterable[str], check: Callable[[Facts], None]):
        super().__init__(check, name)
        self.fields = tuple(fields)
        self.check = check

    def __call__(self, **facts: Any) -> None:
        self.check(facts)


class Effect(Callback):
    """A change of the record's own attributes. `raises` says that the level goes up, `resets` what it sets anew."""

    def __init__(self, do: Callable[[Any, Any, Facts], None], raises: bool = False, resets: Iterable[str] = ()):
        super().__init__(do)
        self.do = do
        self.raises = raises
        self.resets = frozenset(resets)

    def __call__(self, model: Any, actor: Any = None, **facts: Any) -> None:
        self.do(model, actor, facts)


def guard(code: str, **more: Any) -> Callable[[Callable[[Any, Any, Facts], bool]], Guard]:
    """Make a question a Guard that refuses with this code."""
    return lambda ask: Guard(ask, code, **more)


def effect(**more: Any) -> Callable[[Callable[[Any, Any, Facts], None]], Effect]:
    """Make a change an Effect."""
    return lambda do: Effect(do, **more)


def needs(*fields: str) -> Demand:
    """Demand that each field is sent and not empty."""

    def check(facts: Facts) -> None:
        for field in fields:
            if facts.get(field) in (None, "", [], ()):
                raise MissingFact(field)

    return Demand("needs_" + "_and_".join(fields), fields, check)


def every(states: Iterable[State], facts: Mapping[str, Any]) -> Any:
    """The same note, which leaves the state as it is, in each of the states."""
    notes = [state.to(state, **facts) for state in states]
    found = notes[0]
    for note in notes[1:]:
        found |= note
    return found


class HouseChart(StateMachine):
    """A chart that refuses loudly.

    The flags repeat the library's present defaults for StateMachine, so that an upgrade cannot change them unseen: an
    inapplicable event is an error, an exception in an action reaches the caller, the state is never empty half-way.
    """

    allow_event_without_transition = False
    catch_errors_as_events = False
    atomic_configuration_update = True
    enable_self_transition_entries = False

    table: ClassVar[StepTable]


@dataclass(frozen=True)
class Step:
    """One transition with everything that hangs on it."""

    event: str
    source: str
    target: str
    guards: tuple[Guard, ...]
    demands: tuple[Demand, ...]
    effects: tuple[Effect, ...]

    @cached_property
    def who(self) -> frozenset[str]:
        """Roles that can ever pass, empty when no guard asks for a role."""
        asked = [each.who for each in self.guards if each.who is not None]
        return frozenset.intersection(*asked) if asked else frozenset()

    def refusal(self, record: Any, actor: Any, facts: Facts) -> tuple[int, str] | None:
        """None when all guards agree, else how many agreed before the first refusal, and its code."""
        for passed, each in enumerate(self.guards):
            if not each.ask(record, actor, facts):
                return passed, each.code
        return None

    def take(self, record: Any, actor: Any, facts: Facts) -> None:
        """Demand what is needed, change the record, move it. The guards have been asked before."""
        for demand in self.demands:
            demand.check(facts)
        for change in self.effects:
            change.do(record, actor, facts)
        record.state = self.target


class StepTable:
    """A chart as plain tuples: the quick way to ask, without building a machine."""

    def __init__(self, steps: Iterable[Step], initial: str, finals: Iterable[str]):
        self.steps = tuple(steps)
        self.initial = initial
        self.finals = frozenset(finals)
        self._by_state: dict[str, dict[str, list[Step]]] = {}
        for step in self.steps:
            self._by_state.setdefault(step.source, {}).setdefault(step.event, []).append(step)

    @classmethod
    def of(cls, chart: type[HouseChart]) -> StepTable:
        """Read the chart class once."""
        steps = []
        for state in chart.states:
            for transition in state.transitions:
                assert transition.target is not None
                steps += [
                    Step(
                        event=str(event),
                        source=str(state.value),
                        target=str(transition.target.value),
                        guards=tuple(spec.func for spec in transition.cond),
                        demands=tuple(spec.func for spec in transition.validators if isinstance(spec.func, Demand)),
                        effects=tuple(spec.func for spec in transition.on if isinstance(spec.func, Effect)),
                    )
                    for event in transition.events
                ]
        assert chart.initial_state is not None
        return cls(steps, str(chart.initial_state.value), (str(state.value) for state in chart.final_states))

    @property
    def states(self) -> frozenset[str]:
        """Every state that the chart names."""
        return frozenset({self.initial, *self.finals} | {name for s in self.steps for name in (s.source, s.target)})

    @property
    def public_events(self) -> list[str]:
        """Events that a person can send, in the order of the chart; the rest belong to the system actor."""
        return list(dict.fromkeys(step.event for step in self.steps if step.who != {"system"}))

    def steps_from(self, state: str, event: str | None = None) -> list[Step]:
        """Transitions that leave the state, in the order in which they are tried."""
        events = self._by_state.get(state, {})
        return events.get(event, []) if event is not None else [step for each in events.values() for step in each]

    def refusal(self, record: Any, event: str, actor: Any, **facts: Any) -> str | None:
        """None when the actor may, "wrong-state" when the state does not offer the event, else the guard's code.

        Of several branches, the one that came furthest gives the code: it is the one the sender meant.
        """
        best = (-1, "wrong-state")
        for step in self.steps_from(record.state, event):
            refused = step.refusal(record, actor, facts)
            if refused is None:
                return None
            if refused[0] > best[0]:
                best = refused
        return best[1]

    def may(self, record: Any, event: str, actor: Any, **facts: Any) -> bool:
        """Whether the event is open to the actor with what is known so far."""
        return self.refusal(record, event, actor, **facts) is None

    def open_events(self, record: Any, actor: Any, **facts: Any) -> list[str]:
        """Public events open to the actor, in the order of the chart."""
        events = self._by_state.get(record.state, {})
        public = (event for event, steps in events.items() if any(step.who != {"system"} for step in steps))
        return [event for event in public if self.may(record, event, actor, **facts)]

    def send(self, record: Any, event: str, actor: Any, **facts: Any) -> Step:
        """Move the record as the machine would, and return the transition taken.

        Raises WrongState, NotAllowed or MissingFact and then leaves the record as it was. A hundred times quicker than
        building a machine of this size for one event; a test walks both side by side.
        """
        step = self.allowed(record, event, actor, facts)
        step.take(record, actor, facts)
        return step

    def allowed(self, record: Any, event: str, actor: Any, facts: Facts) -> Step:
        """The transition that the event would take; raises WrongState or NotAllowed."""
        for step in self.steps_from(record.state, event):
            if step.refusal(record, actor, facts) is None:
                return step
        code = self.refusal(record, event, actor, **facts)
        if code is None or code == "wrong-state":
            raise WrongState(record.state, self.open_events(record, actor, **facts))
        raise NotAllowed(event, code)


def send(chart: HouseChart, event: str, actor: Any, **facts: Any) -> None:
    """Move the chart's record through the machine, or raise WrongState, NotAllowed or MissingFact and leave it alone.

    The table is asked first because the library runs validators before guards and raises one exception for both
    refusals: a stranger must learn that he may not, not which field he forgot.
    """
    if clash := RESERVED_FACTS & facts.keys():
        raise TypeError(f"facts may not be called {sorted(clash)}: the library fills in these names")
    chart.table.allowed(chart.model, event, actor, facts)
    chart.send(event, actor=actor, **facts)


def enabled(chart: HouseChart, actor: Any, **facts: Any) -> list[str]:
    """Public events that the machine itself would take from the actor now; the slow twin of `open_events`."""
    public = set(chart.table.public_events)
    return [str(event.id) for event in chart.enabled_events(actor=actor, **facts) if event.id in public]
