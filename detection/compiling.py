"""From a rule to the text that an engine runs. The same meaning everywhere: an engine that cannot say it is refused, never approximated."""

from __future__ import annotations

from dataclasses import dataclass

import ibis
from ibis.expr import types as ir

from detection.documents import Rule
from detection.evidence import verdicts
from detection.tables import TOUCHED, Tables

# Engine -> the dialect its text is printed in, and how a list of touched values is handed over.
_ENGINES = {
    "postgresql": ("postgres", "= ANY(%(touched)s)"),
    "duckdb": ("duckdb", "IN (SELECT UNNEST($touched))"),
    "spark": ("databricks", None),
}
_MARK = f"IN ('{TOUCHED}')"


@dataclass(frozen=True)
class Queries:
    """The texts of one rule for one engine. With `takes_touched` they want a parameter `touched`, a list of texts."""

    evidence: str
    unjudged: str
    takes_touched: bool


def compile_rule(rule: Rule, tables: Tables, engine: str) -> Queries:
    """The texts of a sound rule for `postgresql`, `duckdb` or `spark`. NotImplementedError when the engine has no exact way to say it."""
    found = verdicts(rule, tables)
    return Queries(
        _print(found.evidence, engine, tables.touched), _print(found.unjudged, engine, tables.touched), tables.touched
    )


def _print(expression: ir.Table, engine: str, touched: bool) -> str:
    dialect, parameter = _ENGINES[engine]
    text = str(ibis.to_sql(expression, dialect=dialect))
    if not touched:
        return text
    if parameter is None:
        raise NotImplementedError(f"{engine} judges everything at once")
    if engine == "postgresql":
        text = text.replace("%", "%%")
    if _MARK not in text:
        raise AssertionError("the touched groups do not appear in the text of the rule")
    return text.replace(_MARK, parameter)
