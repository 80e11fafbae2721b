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
    named = [(name, _text(table, engine)) for name, table in found.named]
    evidence, unjudged = (
        _print(named, _text(table, engine), tables.touched, engine) for table in (found.evidence, found.unjudged)
    )
    return Queries(evidence, unjudged, tables.touched)


def _text(expression: ir.Table, engine: str) -> str:
    return str(ibis.to_sql(expression, dialect=_ENGINES[engine][0]))


def _print(named: list[tuple[str, str]], asked: str, touched: bool, engine: str) -> str:
    parameter = _ENGINES[engine][1]
    text = f"WITH {', '.join(f'{name} AS ({made})' for name, made in named)} SELECT * FROM ({asked}) AS asked"
    if not touched:
        return text
    if parameter is None:
        raise NotImplementedError(f"{engine} judges everything at once")
    if engine == "postgresql":
        text = text.replace("%", "%%")
    if _MARK not in text:
        raise AssertionError("the touched groups do not appear in the text of the rule")
    return text.replace(_MARK, parameter)
