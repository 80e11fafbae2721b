"""The records a rule looks at, as unbound tables: current ones, or as they were known on a day; all of them, or the touched ones."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date, timedelta

import ibis
from ibis.expr import types as ir

from detection.definitions import Dataset

SCHEMA = "records"
# Stands in the expression where the touched values will be; `compiling` puts the engine's parameter there.
TOUCHED = "\x01touched"


@dataclass(frozen=True)
class Tables:
    """The datasets of a run.

    `as_of`: the day the rule is judged on (absence is judged against it). `known_on`: only what had arrived by the end of that day, in
    the version of that day; None means what is known now. `touched`: only the groups of the rule's axis that were touched, else everything.
    `complete_until`: the last day up to which a dataset's sources have delivered; what is not there from a later day is waited for.
    """

    datasets: Mapping[str, Dataset]
    as_of: date
    known_on: date | None = None
    touched: bool = False
    complete_until: Mapping[str, date] = field(default_factory=dict)
    # What is asked for more than once while a rule is being put together: name -> how it is made, from those before it.
    named: dict[str, ir.Table] = field(default_factory=dict, compare=False)

    def with_names(self) -> Tables:
        """The same records, with names of their own for one rule."""
        return replace(self, named={})

    def once(self, name: str, made: ir.Table) -> ir.Table:
        """The table under a name that the text of the rule explains once, however often it is used."""
        if name in self.named:
            raise AssertionError(f"{name} is made twice")
        self.named[name] = made
        return ibis.table(made.schema(), name=name)

    def all(self, code: str) -> ir.Table:
        """Every record of a dataset in its valid version, withdrawn ones left out. KeyError for a dataset that does not exist."""
        table = ibis.table(self.datasets[code].columns, name=code, database=SCHEMA)
        if self.known_on is None:
            return table.filter(table.superseded_at.isnull(), ~table.withdrawn)
        end = day_start(self.known_on + timedelta(days=1))
        return table.filter(
            table.arrived_at < end, table.superseded_at.isnull() | (table.superseded_at >= end), ~table.withdrawn
        )

    def judged_on(self, code: str) -> date:
        """The day on which the absence of a record of this dataset can be judged: no later than its sources have delivered."""
        return min(self.as_of, self.complete_until.get(code, self.as_of))


def day_start(day: date) -> ir.TimestampScalar:
    """The instant at which a day begins in China."""
    return ibis.literal(f"{day.isoformat()} 00:00:00+08", type="string").cast("timestamp('UTC')")


def on(day: date) -> ir.DateScalar:
    """A day as a constant."""
    return ibis.literal(day, type="date")


def number(day: ir.DateValue) -> ir.IntegerValue:
    """A day as a whole number, so that distances and windows mean the same in every engine."""
    return day.epoch_days()
