"""The words of the papers, and days as people write them."""

import json
from datetime import date, datetime
from functools import cache
from pathlib import Path
from typing import Any

from app.clock import SHANGHAI
from app.text import catalogue


@cache
def forms() -> dict[str, Any]:
    """The wording of every sheet, Chinese as the law wants it; pairs where English stands beside it."""
    read: dict[str, Any] = json.loads(Path(__file__).with_name("forms.json").read_text(encoding="utf-8"))
    return read


def pair(key: str, **values: Any) -> list[str]:
    """Chinese and English of a key of app/text/papers.json. Raises KeyError."""
    return [words.format(**values) for words in catalogue("papers")[key]]


def has(key: str) -> bool:
    """Whether there are words for the key: clocks inside an office have none and are not printed."""
    return key in catalogue("papers")


def filled(words: Any, **values: Any) -> Any:
    """The same structure of texts with the placeholders filled in."""
    if isinstance(words, str):
        return words.format(**values)
    if isinstance(words, dict):
        return {name: filled(each, **values) for name, each in words.items()}
    return [filled(each, **values) for each in words]


def shanghai_day(at: datetime) -> date:
    """The day of an instant in Asia/Shanghai."""
    return at.astimezone(SHANGHAI).date()


def day(on: date) -> str:
    """A day as it stands in official Chinese."""
    return f"{on.year}年{on.month}月{on.day}日"
