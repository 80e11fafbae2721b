"""Catalogues of what users read, Chinese first."""

import json
from functools import cache
from pathlib import Path
from typing import Any

_HERE = Path(__file__).parent


@cache
def catalogue(name: str) -> dict[str, Any]:
    """The catalogue `name` as {key: [zh, en]}, or by sections of such."""
    loaded: dict[str, Any] = json.loads((_HERE / f"{name}.json").read_text(encoding="utf-8"))
    return loaded


def problem_text(slug: str) -> tuple[str, str]:
    """Chinese and English title of a problem; falls back to the slug itself, which a test forbids."""
    zh, en = catalogue("problems").get(slug, [slug, slug])
    return zh, en
