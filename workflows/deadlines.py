"""The deadlines of a case, read from its event log and from nothing else.

The same log, policy versions and calendar always give the same deadlines. An event that no policy names and that leaves
the state as it was (a comment, an edit, a reassignment) cannot move one. A clock keeps the policy version in force when
it started; only another calendar moves its end.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from functools import lru_cache

from workflows.calendar import Due, WorkCalendar, shanghai_day, start_of_day
from workflows.policies import Colour, Policy, Unit

# Expiries of these clocks are no failing of the case: the system does on time, or late, what was due anyway.
DONE_BY_SYSTEM = frozenset({"auto_register", "deliver", "auto_dispatch"})
RECEIPT = "record_delivery"
LENGTHENING = frozenset({"approve_extension", "hold_hearing", RECEIPT})


@dataclass(frozen=True, slots=True)
class CaseEvent:
    """One entry of a case's timeline: what happened, when (aware), the state it left the case in, and its facts.

    Facts read here: priority, level, simple, channel, anonymous, unreachable; days (approve_extension, approve_suspension,
    hold_hearing); proof (deliver); decided_at, on (record_delivery: the instant of the event that made the paper, and the
    day on which it reached the petitioner, both as ISO text); co_org_ids (dispatch and the start of a new round);
    co_org_id (add_co_handler, co_report: the co-handling body); policy (on a system event: the id of the policy whose
    limit passed).
    """

    event: str
    at: datetime
    to_state: str
    facts: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Deadline:
    """One run of one clock.

    policy: the version the clock runs by. key: the co-handling body's id where each has a clock, else "".
    started_at: instant from which the time counts, unless the paper of that instant was received later. raw: last day as
    counted, without extension, before it is moved off a rest day (None for hours). due_day: last day in time (None for hours). due_at: first instant too late.
    provisional: a holiday notice still to come may move it. paused_days: in the clock's own unit. extended_days:
    in the unit of the policy's extensions. live: it still runs. paused: it runs, but the count stands still now and due_at is the latest end.
    forces: the event the system sends at due_at, given the state the case is in; None when it sends none.
    met_at: when it was fulfilled or fell away; None while live and when it ended by expiry. breached: it ended late.
    """

    policy: Policy
    key: str
    started_at: datetime
    raw: date | None
    due_at: datetime
    due_day: date | None
    provisional: bool
    paused_days: int
    extended_days: int
    live: bool
    paused: bool
    forces: str | None
    met_at: datetime | None
    breached: bool

    @property
    def policy_id(self) -> str:
        """Id of the policy, as "PT-05"."""
        return self.policy.id

    @property
    def policy_version(self) -> date:
        """First day of the policy version the clock runs by."""
        return self.policy.valid_from

    @property
    def immediate(self) -> bool:
        """Whether the system does at once what is due, so that nobody can be late with it."""
        return self.due_at <= self.started_at

    def overdue(self, now: datetime) -> bool:
        """Whether the limit has passed: it ended late, or it runs and its time is over. Never for an immediate one."""
        return self.breached or (self.live and now >= self.due_at and not self.immediate)


@dataclass(slots=True, eq=False)
class _Clock:
    """A clock while the log is being read."""

    policy: Policy
    key: str
    started_at: datetime
    amount: int
    unit: Unit
    begun: int  # the number of the event that started it
    within: tuple[_Clock, ...]
    unproved: bool  # whether the receipt of the paper that its start made is still to be recorded
    received_at: datetime | None = None  # start of the day on which that paper came, when later
    extended: int = 0
    paused: int = 0
    paused_span: int = 0
    pause_from: date | None = None
    ended_at: datetime | None = None
    met: bool = False
    breached: bool = False

    def due(self, calendar: WorkCalendar) -> Due:
        extended, paused = self.extended, self.paused
        if self.policy.extension_unit == "W":
            extended, paused = 0, extended + paused
        due = _count(self.received_at or self.started_at, self.amount, self.unit, extended, paused, calendar)
        return min((due, *(main.due(calendar) for main in self.within)), key=lambda end: end.at)

    def resume(self, day: date, calendar: WorkCalendar) -> None:
        """Adds the days since the pause began, as far as the cap allows."""
        if self.pause_from is None:
            return
        end = min(day, self.pause_from + timedelta(days=self.policy.pause_cap - self.paused_span))
        span = (end - self.pause_from).days
        self.paused_span += span
        self.paused += calendar.workdays_between(self.pause_from, end) if self.unit == "W" else span
        self.pause_from = None

    @property
    def immediate(self) -> bool:
        return self.unit == "H" and self.amount == 0

    def end(self, at: datetime, calendar: WorkCalendar, *, met: bool, breached: bool = False) -> None:
        self.ended_at, self.met = at, met
        self.breached = breached or (at >= self.due(calendar).at and not self.immediate)


class PolicyIndex:
    """All versions of all policies, arranged by what starts their clocks. Made once, for any number of cases."""

    def __init__(self, versions: Iterable[Policy]) -> None:
        self.by_id: dict[str, list[Policy]] = {}
        for policy in sorted(versions, key=lambda row: row.valid_from):
            self.by_id.setdefault(policy.id, []).append(policy)
        rows = [row for group in self.by_id.values() for row in group]
        self.expiries = {name for row in rows for name in (row.breach, row.last_breach) if name} - DONE_BY_SYSTEM
        self.named = self.expiries.union(LENGTHENING, *((*row.starts, *row.stops, *row.counted_from) for row in rows))
        self.by_event: dict[str, set[str]] = defaultdict(set)
        self.by_entry: dict[str, set[str]] = defaultdict(set)
        for row in rows:
            for name in row.starts:
                self.by_event[name].add(row.id)
            for state in row.states if row.entry else ():
                self.by_entry[state].add(row.id)

    def __iter__(self) -> Iterator[Policy]:
        return (row for group in self.by_id.values() for row in group)

    def started_by(self, event: CaseEvent) -> list[Policy]:
        """For each policy that the event or the state after it names, the version in force on that day."""
        day = shanghai_day(event.at)
        ids = self.by_event.get(event.event, frozenset()) | self.by_entry.get(event.to_state, frozenset())
        groups = [self.by_id[policy_id] for policy_id in sorted(ids)]
        return [next((row for row in reversed(group) if row.valid_from <= day), group[0]) for group in groups]


class _Reader:
    """Reads one log event by event and keeps the clocks that it starts."""

    def __init__(self, versions: Iterable[Policy], calendar: WorkCalendar) -> None:
        self.calendar = calendar
        self.policies = versions if isinstance(versions, PolicyIndex) else PolicyIndex(versions)
        self.clocks: list[_Clock] = []
        self.state = ""
        self.facts: dict[str, object] = {}
        self.seen: Counter[str] = Counter()
        self.latest: dict[str, datetime] = {}
        self.suspended_from: date | None = None
        self.suspended_days = 0

    def read(self, event: CaseEvent) -> None:
        before, after = self.state, event.to_state
        if before == after and event.event not in self.policies.named:
            return
        self.facts.update(event.facts)
        running = self.running()
        self._end_pauses(event, running)
        for clock in running:
            self._lengthen(clock, event)
        self._expire(event, running)
        for clock in running:
            self._stop(clock, event)
        self.seen[event.event] += 1
        self.latest[event.event] = event.at
        self._start(event)
        self.state = after
        if after == "suspended" != before:
            self._begin_pauses(event)

    def running(self) -> list[_Clock]:
        return [clock for clock in self.clocks if clock.ended_at is None]

    def ruling(self) -> tuple[_Clock, ...]:
        """The handling limits that rule: those that started last, so that a new body gets its own time.

        One event may start several, as acceptance starts the local limit and the statutory one above it. All of them
        force, so that the one that ends first does, however an operator sets their lengths.
        """
        main = [clock for clock in self.running() if clock.policy.main]
        return tuple(clock for clock in main if clock.begun == main[-1].begun)

    def forces(self, clock: _Clock) -> str | None:
        policy = clock.policy
        if clock.ended_at is not None or policy.breach is None or self.state not in policy.states:
            return None
        if policy.main and clock not in self.ruling():
            return None
        if policy.repeats and self.seen[policy.breach] >= policy.repeats:
            return policy.last_breach
        return policy.breach

    def _begin_pauses(self, event: CaseEvent) -> None:
        self.suspended_from = shanghai_day(event.at)
        for clock in self.running():
            # A pause begun after the limit has passed must not make the case punctual again.
            if clock.policy.pauses_on == "suspension" and event.at < clock.due(self.calendar).at:
                clock.pause_from = self.suspended_from

    def _end_pauses(self, event: CaseEvent, running: Sequence[_Clock]) -> None:
        if self.suspended_from is None or event.to_state == "suspended":
            return
        day = shanghai_day(event.at)
        self.suspended_days += (day - self.suspended_from).days
        self.suspended_from = None
        for clock in running:
            clock.resume(day, self.calendar)

    def _lengthen(self, clock: _Clock, event: CaseEvent) -> None:
        policy = clock.policy
        if event.event == RECEIPT and clock.unproved and _made_at(event) == clock.started_at:
            self._receive(clock, event)
            return
        extends = event.event == "approve_extension" and policy.extension_cap
        hears = event.event == "hold_hearing" and policy.pauses_on == "hearing"
        if not (extends or hears) or event.at >= clock.due(self.calendar).at:
            return
        days = _days(event)
        if extends:
            clock.extended = min(clock.extended + days, policy.extension_cap)
        else:
            clock.paused = min(clock.paused + days, policy.pause_cap)

    def _receive(self, clock: _Clock, event: CaseEvent) -> None:
        """The first record counts, and a later one corrects nothing: no office may lengthen a case again and again."""
        day = _received_on(event)
        if day is None:
            return
        clock.unproved = False
        day = min(day, shanghai_day(event.at))
        if day > shanghai_day(clock.started_at):
            clock.received_at = start_of_day(day)

    def _expire(self, event: CaseEvent, running: Sequence[_Clock]) -> None:
        """Ends the clocks whose expiry this event is."""
        forcing = [clock for clock in running if self.forces(clock) == event.event and not clock.immediate]
        if not forcing:
            return
        passed = [clock for clock in forcing if event.at >= clock.due(self.calendar).at]
        named = [clock for clock in forcing if clock.policy.id == event.facts.get("policy")]
        if event.event in self.policies.expiries and not (passed or named):
            # The expiry was sent by the calendar of its day. A notice that moves the end now does not undo it.
            named = [min(forcing, key=lambda clock: clock.due(self.calendar).at)]
        for clock in forcing:
            if clock in passed or clock in named:
                clock.end(event.at, self.calendar, met=False, breached=True)

    def _stop(self, clock: _Clock, event: CaseEvent) -> None:
        policy = clock.policy
        if clock.ended_at is not None:
            return
        stopped = event.event in policy.stops and (not policy.per_co_handler or clock.key == _co_org(event))
        begun_anew = policy.restarts and event.event in policy.starts
        left = event.to_state not in policy.states and event.to_state not in policy.through
        if stopped or begun_anew or left:
            clock.end(event.at, self.calendar, met=stopped or begun_anew or event.event not in self.policies.expiries)

    def _start(self, event: CaseEvent) -> None:
        runs = {(clock.policy.id, clock.key) for clock in self.running()}
        started = [
            policy
            for policy in self.policies.started_by(event)
            if self._starts(policy, event) and policy.applies_to(self.facts)
        ]
        # The handling limit comes first, because others that start with it must lie within it.
        for policy in sorted(started, key=lambda row: not row.main):
            for key in _co_orgs(event) if policy.per_co_handler else ("",):
                if (policy.id, key) not in runs:
                    self.clocks.append(self._clock(policy, key, event))

    def _starts(self, policy: Policy, event: CaseEvent) -> bool:
        within, after = (*policy.states, *policy.through), event.to_state
        if policy.after and event.facts.get("policy") not in policy.after:
            return False
        named = event.event in policy.starts and after in within
        return named or (policy.entry and after in policy.states and self.state not in within)

    def _clock(self, policy: Policy, key: str, event: CaseEvent) -> _Clock:
        if policy.main:
            self.suspended_days = 0
        amount, unit = policy.amount_for(self.facts)
        if policy.shorter and (stated := _days(event)):
            ways: list[tuple[int, Unit]] = [(amount, unit), (stated, "C")]
            amount, unit = min(ways, key=lambda way: _count(event.at, *way, 0, 0, self.calendar).at)
        if policy.total_cap:
            amount = max(0, min(amount, policy.total_cap - self.suspended_days))
        counted = max((self.latest[name] for name in policy.counted_from if name in self.latest), default=event.at)
        begun = self.seen.total()
        # On line a reply can be read from the event on, and a proof of delivery says that it has come.
        unproved = policy.on_receipt and self.facts.get("channel") != "web" and not event.facts.get("proof")
        return _Clock(policy, key, counted, amount, unit, begun, self.ruling() if policy.within_main else (), unproved)

    def deadlines(self) -> list[Deadline]:
        return [self._deadline(clock) for clock in self.clocks]

    def _deadline(self, clock: _Clock) -> Deadline:
        paused = clock.pause_from is not None
        if paused:
            ends = [
                run.due(self.calendar).day
                for run in self.running()
                if self.state in run.policy.states and run.policy.breach == "resume_expired"
            ]
            clock.resume(ends[0] if ends and ends[0] else date.max, self.calendar)
        due = clock.due(self.calendar)
        live = clock.ended_at is None
        return Deadline(
            policy=clock.policy,
            key=clock.key,
            started_at=clock.started_at,
            raw=due.raw,
            due_at=due.at,
            due_day=due.day,
            provisional=due.provisional,
            paused_days=clock.paused,
            extended_days=clock.extended,
            live=live,
            paused=paused,
            forces=self.forces(clock),
            met_at=clock.ended_at if clock.met else None,
            breached=clock.breached,
        )


def deadlines(events: Iterable[CaseEvent], versions: Iterable[Policy], calendar: WorkCalendar) -> list[Deadline]:
    """Every run of every clock of one case, ended ones included, in the order they started.

    events: the whole log, oldest first. versions: all versions of all policies (`all_versions(preset, overrides)`), so
    that a clock finds the one in force when it started. With another calendar only provisional ends can change, unless
    the notice of a year already known was itself corrected. Raises ValueError for a naive instant.
    """
    reader = _Reader(versions, calendar)
    for event in events:
        reader.read(event)
    return reader.deadlines()


def deadlines_around(
    log: Sequence[CaseEvent], event: CaseEvent, versions: Iterable[Policy], calendar: WorkCalendar
) -> tuple[list[Deadline], list[Deadline]]:
    """The deadlines before and after one more event, as `deadlines` gives them; the log is read once."""
    reader = _Reader(versions, calendar)
    for earlier in log:
        reader.read(earlier)
    before = reader.deadlines()
    if reader.suspended_from is not None:
        # The end of a paused clock is asked for by letting it run on, which can not be taken back.
        return before, deadlines([*log, event], reader.policies, calendar)
    reader.read(event)
    return before, reader.deadlines()


def next_forced(cases_deadlines: Iterable[Deadline]) -> Deadline | None:
    """The live deadline whose passing moves the case first: its `forces` event is sent at its `due_at`."""
    forcing = (item for item in cases_deadlines if item.forces)
    return min(forcing, key=lambda item: (item.due_at, item.policy_id), default=None)


def limit(policy: Policy, at: datetime, calendar: WorkCalendar, facts: Mapping[str, object] | None = None) -> Due:
    """When a limit ends that starts at this instant outside the case log, as PT-22 for a supervision order."""
    amount, unit = policy.amount_for(facts or {})
    return _count(at, amount, unit, 0, 0, calendar)


def remind_at(deadline: Deadline, calendar: WorkCalendar) -> datetime | None:
    """From which instant on the approaching limit is announced (aware UTC); None when it never is."""
    reminders = deadline.policy.reminders
    moments: list[datetime] = []
    if deadline.immediate:
        return None
    if reminders.fraction:
        moments.append(deadline.due_at - (deadline.due_at - deadline.started_at) * reminders.fraction)
    if reminders.days and deadline.due_day:
        moments.append(start_of_day(deadline.due_day - timedelta(days=reminders.days)))
    if reminders.workdays and deadline.due_day:
        moments.append(start_of_day(calendar.workday_before(deadline.due_day, reminders.workdays)))
    return max(deadline.started_at, min(moments)) if moments else None


def ladder(deadline: Deadline, now: datetime, calendar: WorkCalendar) -> Colour | None:
    """The card a deadline gives now: "yellow" as it nears, "red" once passed; "blue" when sign-in or dispatch is late.

    The card of a deadline that ended late stays; one that ended in time gives none.
    """
    reminders = deadline.policy.reminders
    if deadline.overdue(now):
        return reminders.breach
    announced = remind_at(deadline, calendar) if deadline.live else None
    return reminders.before if announced is not None and now >= announced else None


# Each clock is asked for its end several times while one log is read.
@lru_cache(maxsize=1024)
def _count(at: datetime, amount: int, unit: Unit, extended: int, paused: int, calendar: WorkCalendar) -> Due:
    if unit == "H":
        return calendar.add_hours(at, amount)
    start = shanghai_day(at)
    if unit == "W":
        due, extra = calendar.add_workdays(start, amount + paused), extended
    elif unit == "M":
        due, extra = calendar.add_months(start, amount), extended + paused
    elif unit == "Q":
        due, extra = calendar.add_quarters(start, amount), extended + paused
    else:
        due, extra = calendar.add_days(start, amount), extended + paused
    if not extra or due.raw is None:
        return due
    # Days are added to the day as counted, never to the one already moved off a rest day.
    moved = calendar.add_days(due.raw, extra)
    return replace(moved, raw=due.raw, provisional=moved.provisional or (unit == "W" and due.provisional))


def _days(event: CaseEvent) -> int:
    days = event.facts.get("days")
    return days if isinstance(days, int) and days > 0 else 0


def _made_at(event: CaseEvent) -> datetime | None:
    """The instant of the event that made the paper of a delivery record; None when the record does not say."""
    try:
        return datetime.fromisoformat(str(event.facts.get("decided_at")))
    except ValueError:
        return None


def _received_on(event: CaseEvent) -> date | None:
    """The day on which a delivery record says that the paper came; None when it does not say."""
    try:
        return date.fromisoformat(str(event.facts.get("on")))
    except ValueError:
        return None


def _co_org(event: CaseEvent) -> str:
    return str(event.facts.get("co_org_id") or "")


def _co_orgs(event: CaseEvent) -> list[str]:
    listed = event.facts.get("co_org_ids")
    return [str(org) for org in listed] if isinstance(listed, (list, tuple)) else list(filter(None, [_co_org(event)]))
