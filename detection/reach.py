"""Which records can change what a rule says of which others: what has to be judged anew when records of a dataset arrive."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from detection.conditions import thresholds_of
from detection.definitions import Dataset
from detection.documents import Rule
from detection.kinds import KINDS


@dataclass(frozen=True)
class Reach:
    """A dataset that a rule looks at. A changed record of it concerns the subject's records of its own village when `pairs` is None; those
    whose columns hold the same values with pairs (column of the dataset, column of the subject); with none, nobody knows which: only
    judging everything anew tells.
    """

    dataset: str
    pairs: tuple[tuple[str, str], ...] | None


def reaches(rule: Rule, datasets: Mapping[str, Dataset]) -> tuple[Reach, ...]:
    """Every dataset that a sound rule looks at, its subject first."""
    given = {param.name: rule.params.get(param.name, param.default) for param in KINDS[rule.kind].params}
    own = datasets[rule.subject].columns
    found = [Reach(rule.subject, None)]

    def add(dataset: str, pairs: tuple[tuple[str, str], ...], same_place: bool) -> None:
        known = all(ours in own for _, ours in pairs)
        found.append(Reach(dataset, None if same_place else pairs if known else ()))

    for lookup in rule.lookups:
        add(lookup.dataset, lookup.match, lookup.same_place)
    for name in ("required", "other", "paid"):
        if given.get(name):
            # What was paid is always looked for in the village itself.
            add(given[name], tuple((given.get("match") or {}).items()), bool(given.get("same_place", True)))
    if given.get("list"):
        add(given["list"], ((given["list_who"], given["who"]),), bool(given["same_place"]))
    if rule.kind == "kin_match":
        found += [Reach("relation", ()), Reach("company_role", ())] if given["is_company"] else [Reach("relation", ())]
        if given.get("officials"):
            add(given["officials"], (), bool(given["same_place"]))
    if thresholds_of(rule.where) | thresholds_of(rule.params) | thresholds_of([step.when for step in rule.colour]):
        found.append(Reach("threshold", ()))
    return tuple(dict.fromkeys(found))


def awaited(rule: Rule) -> tuple[str, ...]:
    """The datasets whose missing records a rule speaks of: absence is judged no later than their sources have delivered."""
    given = rule.params
    if rule.kind == "missing":
        return (str(given["required"]),)
    if rule.kind == "disagree" and given.get("unmatched_after_days") is not None:
        return (str(given["other"]),)
    if rule.kind == "overdue":
        return (str(given.get("paid") or rule.subject),)
    return ()
