"""What is wrong with a document, and where."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Problem:
    """One thing wrong with a document: `where` as a path (`datasets.0.fields.2.type`), a stable `code`, and the facts its words need."""

    where: str
    code: str
    facts: tuple[tuple[str, str], ...] = ()


class Invalid(ValueError):
    """A document that cannot be used. Carries every problem found, not only the first."""

    def __init__(self, problems: list[Problem]) -> None:
        super().__init__("; ".join(f"{p.where}: {p.code}" for p in problems))
        self.problems = problems


class Findings:
    """Collects problems while a document is read, each with the path it stands at."""

    def __init__(self) -> None:
        self.problems: list[Problem] = []

    def add(self, where: str, code: str, **facts: Any) -> None:
        self.problems.append(Problem(where, code, tuple((k, str(v)) for k, v in facts.items())))

    def done(self) -> None:
        """Raises Invalid when anything was found."""
        if self.problems:
            raise Invalid(self.problems)
