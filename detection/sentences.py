"""A rule as the sentence that an official reads and signs, in Chinese and in English. The words are data: `sentences.json`."""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping
from importlib import resources
from typing import Any

from detection.definitions import Dataset, Field
from detection.documents import Rule
from detection.kinds import KINDS
from detection.kinds.base import Param


def sentence(rule: Rule, datasets: Mapping[str, Dataset], language: str) -> str:
    """The sentence of a sound rule in `zh` or `en`: fields and datasets by their names, money in yuan."""
    return _Teller(rule, datasets, language).tell()


@functools.cache
def _words() -> dict[str, dict[str, dict[str, str]]]:
    return dict(json.loads(resources.files("detection").joinpath("sentences.json").read_text(encoding="utf-8")))


class _Teller:
    def __init__(self, rule: Rule, datasets: Mapping[str, Dataset], language: str) -> None:
        self.rule, self.datasets, self.language = rule, datasets, language
        self.kind = KINDS[rule.kind]

    def tell(self) -> str:
        parts = {param.name: self.param(param) for param in self.kind.params}
        given = {param.name: self.rule.params.get(param.name, param.default) for param in self.kind.params}
        parts["subject"] = self.dataset(self.rule.subject)
        parts["where"] = (
            self.word("where", condition=self.tree(self.rule.where, self.rule.subject)) if self.rule.where else ""
        )
        parts["within"] = self.word("within", days=str(given["within_days"])) if given.get("within_days") else ""
        parts["self_too"] = self.word("self_too") if given.get("self_too") else ""
        if "tolerance" in given:
            by = {"percent": str(given.get("tolerance_percent") or 0), "money": _yuan(given["tolerance"] or 0)}
            parts["tolerance"] = self.word("tolerance", **by)
        if given.get("amount") is None:
            parts["amount"] = self.word("records")
        return _words()["kinds"][self.rule.kind][self.language].format(**parts)

    def param(self, param: Param) -> str:
        given = self.rule.params.get(param.name, param.default)
        if given is None:
            return ""
        over = str(self.rule.params.get(param.over, "")) if param.over else self.rule.subject
        match param.type:
            case "column" | "day" | "amount" | "column-of" | "day-of" | "amount-of":
                return self.field(str(given), over)
            case "columns":
                return self.word("list_mark").join(self.field(each, over) for each in given)
            case "dataset":
                return self.dataset(str(given))
            case "condition":
                told = self.tree(given, over)
                return self.word(param.name, condition=told) if param.name in _words()["words"] else told
            case "choice":
                return _words()["choices"][given][self.language].format(percent=self.rule.params.get("percent", ""))
            case "limit":
                return self.value(given, "money", over)
            case "money":
                return self.word("yuan", amount=_yuan(given))
        return str(given)

    def tree(self, tree: Any, over: str) -> str:
        if "all" in tree or "any" in tree:
            word = "and" if "all" in tree else "or"
            told = self.word(word).join(self.tree(each, over) for each in tree[next(iter(tree))])
            return f"({told})" if word == "or" else told
        if "not" in tree:
            return self.word("not", condition=self.tree(tree["not"], over))
        given, kind = tree.get("value"), self.type_of(tree["field"], over)
        listed = given if isinstance(given, list) else [given]
        value = self.word("list_mark").join(self.value(each, kind, over, tree["field"]) for each in listed)
        return _words()["operators"][tree["op"]][self.language].format(
            field=self.field(tree["field"], over), value=value
        )

    def value(self, given: Any, kind: str, over: str, field: str | None = None) -> str:
        if isinstance(given, Mapping):
            if "asof" in given:
                return self.word("days_from_today", days=f"{given['asof']:+d}")
            named = (
                self.word("limit_of", matter=self.matter(given["threshold"]))
                if "threshold" in given
                else self.field(given["field"], over)
            )
            return (
                f"{named}{given['percent']}%"
                if "percent" in given
                else f"{named}{given['days']:+d}"
                if "days" in given
                else named
            )
        if kind == "money" and isinstance(given, int):
            return self.word("yuan", amount=_yuan(given))
        return self.label(over, field, given)

    def matter(self, code: str) -> str:
        return self.label("threshold", "matter", code)

    def label(self, over: str, field: str | None, code: Any) -> str:
        """What the definition calls a code, or the code itself."""
        named = next((f.values.get(str(code)) for f in self.fields(over) if f.code == field), None)
        return str(getattr(named, self.language)) if named else str(code)

    def field(self, code: str, over: str) -> str:
        named = next((f.name for f in self.fields(over) if f.code == code), None)
        if named is not None:
            return str(getattr(named, self.language))
        lookup = next((each for each in self.rule.lookups if each.name == code), None)
        if lookup is not None:
            told = self.dataset(lookup.dataset)
            return (
                f"{told}·{self.field(lookup.field, lookup.dataset)}"
                if lookup.field
                else f"{told}·{self.word('records')}"
            )
        return self.word(code) if code in _words()["words"] else code

    def fields(self, over: str) -> tuple[Field, ...]:
        return self.datasets[over].fields if over in self.datasets else ()

    def type_of(self, code: str, over: str) -> str:
        own = next((f.type for f in self.fields(over) if f.code == code), None)
        lookup = next((each for each in self.rule.lookups if each.name == code and each.field), None)
        return own or (self.type_of(str(lookup.field), lookup.dataset) if lookup else "")

    def dataset(self, code: str) -> str:
        return str(getattr(self.datasets[code].name, self.language))

    def word(self, word: str, **parts: str) -> str:
        return _words()["words"][word][self.language].format(**parts)


def _yuan(fen: int) -> str:
    """Fen as yuan, with as many digits after the point as it needs."""
    return f"{fen / 100:,.2f}".rstrip("0").rstrip(".")
