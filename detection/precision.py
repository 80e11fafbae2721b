"""How often a rule is right, from the verdicts on its alerts.

A rule that has judged little is not judged: below five decided items the answer is "too few", never 0 or 100 percent.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

# A: 查实违纪, B: 属实不规范已整改, C: 属实但合规, D: 规则误报, E: 数据错误, F: 无法核实.
VERDICTS = ("A", "B", "C", "D", "E", "F")
LEAST_DECIDED = 5
_Z = 1.959963984540054  # the normal quantile of a two-sided 95 percent interval


@dataclass(frozen=True)
class Share:
    """A share with its Wilson 95 percent interval, each between 0 and 1."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Precision:
    """`decided`: items with a verdict that says something of the rule (A to D). `strict`: the share of A among them; `useful`: of A and B;
    both None while fewer than five are decided. `data_errors` (E) are the source's fault, `unverifiable` (F) nobody's.
    """

    decided: int
    strict: Share | None
    useful: Share | None
    data_errors: int
    unverifiable: int


def precision(verdicts: Mapping[str, int]) -> Precision:
    """The precision of a rule from the number of items by verdict. Raises KeyError for a verdict that does not exist."""
    counts = dict.fromkeys(VERDICTS, 0)
    for verdict, count in verdicts.items():
        counts[verdict] += count
    decided = sum(counts[v] for v in "ABCD")
    enough = decided >= LEAST_DECIDED
    return Precision(
        decided=decided,
        strict=wilson(counts["A"], decided) if enough else None,
        useful=wilson(counts["A"] + counts["B"], decided) if enough else None,
        data_errors=counts["E"],
        unverifiable=counts["F"],
    )


def wilson(hits: int, of: int) -> Share:
    """The share of hits with its Wilson score interval (E. B. Wilson, 1927), which stays within 0 and 1 and is honest for small numbers."""
    if of <= 0 or not 0 <= hits <= of:
        raise ValueError("a share needs at least one item, and no more hits than items")
    share, z2 = hits / of, _Z * _Z
    middle = (share + z2 / (2 * of)) / (1 + z2 / of)
    half = _Z * math.sqrt(share * (1 - share) / of + z2 / (4 * of * of)) / (1 + z2 / of)
    return Share(share, max(0.0, middle - half), min(1.0, middle + half))
