"""Words that tables are written with, as data: what means yes, nothing, a total, a signature line."""

import json
import unicodedata
from pathlib import Path

_WORDS: dict[str, list[str]] = json.loads((Path(__file__).parent / "data" / "words.json").read_text(encoding="utf-8"))


def plain(text: str) -> str:
    """`text` as it is compared with a word: compatibility forms unified, lower case, no space at all."""
    return "".join(unicodedata.normalize("NFKC", text).casefold().split())


def _set(name: str) -> frozenset[str]:
    return frozenset(plain(word) for word in _WORDS[name])


TRUE, FALSE = _set("true"), _set("false")
NOTHING, NO_NUMBER = _set("nothing"), _set("no_number")
TOTALS, FOOTERS = _set("totals"), _set("footers")

# Groups of words for the same thing; the key is the code of a field or a role.
SYNONYMS: dict[str, frozenset[str]] = {
    key: frozenset(plain(word) for word in [*words, key, key.replace("_", " ")])
    for key, words in json.loads((Path(__file__).parent / "data" / "synonyms.json").read_text(encoding="utf-8")).items()
}
