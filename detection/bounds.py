"""What any document has to be before it is looked at: JSON of a bounded size, with numbers and texts that every engine can take."""

from __future__ import annotations

import math
from collections.abc import Mapping

from detection.problems import Findings

DEEPEST, MOST_VALUES, LONGEST_TEXT = 24, 50_000, 2_000
_LEAST, _MOST = -(2**63), 2**63 - 1


def require_bounded(document: object) -> None:
    """Raises Invalid for a document that is too deep or too large, or holds a number or text that no column can hold.

    Everything after this may walk the document freely. Control characters are refused because they mark places in the text of a rule.
    """
    found = Findings()
    waiting: list[tuple[str, object, int]] = [("", document, 1)]
    seen = 0
    while waiting and not found.problems:
        at, value, depth = waiting.pop()
        seen += 1
        if depth > DEEPEST:
            found.add(at, "too-deep", most=DEEPEST)
        elif seen + len(waiting) > MOST_VALUES:
            found.add("", "too-large", most=MOST_VALUES)
        elif isinstance(value, Mapping):
            for name, inner in value.items():
                if not isinstance(name, str) or not _is_plain(name):
                    found.add(at, "not-a-text")
                else:
                    waiting.append((f"{at}.{name}".lstrip("."), inner, depth + 1))
        elif isinstance(value, list):
            waiting += [(f"{at}.{i}".lstrip("."), inner, depth + 1) for i, inner in enumerate(value)]
        elif isinstance(value, str):
            if not _is_plain(value):
                found.add(at, "not-a-text")
        elif isinstance(value, (int, float)):
            if not math.isfinite(value) if isinstance(value, float) else not _LEAST <= value <= _MOST:
                found.add(at, "out-of-range", least=_LEAST, most=_MOST)
        elif value is not None:
            found.add(at, "not-json")
    found.done()


def _is_plain(text: str) -> bool:
    return len(text) <= LONGEST_TEXT and all(c.isprintable() or c in "\n\t\u3000\xa0" for c in text)
