"""Catalogues of what users read, Chinese first."""

import json
from functools import cache
from pathlib import Path

_HERE = Path(__file__).parent


@cache
def catalogue(name: str) -> dict[str, list[str]]:
    """The catalogue `name` as {key: [zh, en]}."""
    loaded: dict[str, list[str]] = json.loads((_HERE / f"{name}.json").read_text(encoding="utf-8"))
    return loaded


def problem_text(slug: str) -> tuple[str, str]:
    """Chinese and English title of a problem; falls back to the slug itself, which a test forbids."""
    zh, en = catalogue("problems").get(slug, [slug, slug])
    return zh, en
