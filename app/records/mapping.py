"""Which column is which field: proposed from the headers, confirmed by a person once, kept by the caller."""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from app.records.words import SYNONYMS, plain

Field = Mapping[str, Any]

# What a header or a title says one unit of the amounts below it is, in yuan.
_SCALES = {"亿元": 10**8, "亿": 10**8, "百万元": 10**6, "万元": 10**4, "万": 10**4, "千元": 1000, "元": 1, "人民币元": 1, "人民币万元": 10**4}
_IN_BRACKETS = re.compile(r"[(\[【〔]([^()\[\]【】〔〕]*)[)\]】〕]")
_UNIT_IN_TITLE = re.compile(r"单位[:：]?\s*[(（]?\s*((?:人民币)?(?:亿|百万|万|千)?元)")
_MARKS = "*＊:：、.。 "
# A person and a company have two columns: the number, and the companion `<field>_name`.
_NUMBER_WORDS = {"person": SYNONYMS["identity"], "company": SYNONYMS["company_code"], "account": SYNONYMS["account"]}
_NAME_WORDS = {"person": SYNONYMS["name"], "company": SYNONYMS["name"] | SYNONYMS["company_name"]}


@dataclass(frozen=True, slots=True)
class Match:
    """Column `header` is `target`: a field, or the companion `<field>_name` of a person or company.

    `by` says how it was found: `code`, `name`, `part` (one row of a header in two), `synonym`, `role` or `type` (the only
    field of its role or type). `scale` is for `value_reader`: 10,000 for amounts that header or title give in 万元.
    """

    header: str
    target: str
    by: str
    scale: int = 1


@dataclass(frozen=True, slots=True)
class Proposal:
    """Matches in the order of the headers, the headers that nothing matched, and the fields that no header gives."""

    matches: tuple[Match, ...]
    unmatched: tuple[str, ...]
    missing: tuple[str, ...]


def propose_mapping(headers: Sequence[str], fields: Sequence[Field], titles: Iterable[str] = ()) -> Proposal:
    """Match `headers` with `fields` (of a dataset definition: `code`, `name` in zh and en, `type`, `role`).

    `titles` are the lines above the header, where 单位：万元 may stand. Nothing is matched that could be two things: of two
    headers that claim one field, and of two fields that one header could be, none is taken.
    """
    found: dict[str, tuple[str, str]] = {}
    for by, claims in _stages(fields):
        taken = {target for target, _ in found.values()}
        open_headers = [header for header in headers if header not in found]
        wanted: dict[str, set[str]] = {}
        for header in open_headers:
            words = _parts(header) if by == "part" else _words(header)
            wanted[header] = {target for target, names in claims.items() if target not in taken and not words.isdisjoint(names)}
        claimed = Counter(target for targets in wanted.values() for target in targets)
        for header, targets in wanted.items():
            if len(targets) == 1 and claimed[target := next(iter(targets))] == 1:
                found[header] = (target, by)
    money = {field["code"] for field in fields if field.get("type") == "money"}
    common = _scale_of(titles)
    matches = tuple(
        Match(header, *found[header], scale=_unit(header, common) if found[header][0] in money else 1) for header in headers if header in found
    )
    given = {match.target for match in matches}
    missing = tuple(field["code"] for field in fields if field["code"] not in given)
    return Proposal(matches, tuple(header for header in headers if header not in found), missing)


def _stages(fields: Sequence[Field]) -> Iterator[tuple[str, dict[str, frozenset[str]]]]:
    """From the surest way to find a field to the least sure: (how, what each target may be called)."""
    named = {field["code"]: _names(field) for field in fields}
    kinds = {field["code"]: str(field.get("type", "text")) for field in fields}
    yield "code", {code: frozenset((plain(code), plain(code.replace("_", " ")))) for code in named} | {
        f"{code}_name": frozenset((plain(f"{code}_name"), plain(f"{code} name"))) for code in named if kinds[code] in _NAME_WORDS
    }
    # 户主身份证号 and 户主姓名 before 户主: the plain word is the number when it stands alone, the name beside a number.
    yield "name", {code: _extended(names, _NUMBER_WORDS[kinds[code]]) for code, names in named.items() if kinds[code] in _NUMBER_WORDS} | {
        f"{code}_name": _extended(names, _NAME_WORDS[kinds[code]]) for code, names in named.items() if kinds[code] in _NAME_WORDS
    }
    # 身份证号 alone goes before the plain word too: beside it, 负责人 is a name.
    alone = {kind for kind, count in Counter(kinds.values()).items() if count == 1}
    yield "type", {code: _NUMBER_WORDS[kind] for code, kind in kinds.items() if kind in alone and kind in _NUMBER_WORDS}
    yield "name", named
    companions = {f"{code}_name": names for code, names in named.items() if kinds[code] in _NAME_WORDS}
    yield "name", companions
    yield "part", named
    like = {code: names | _synonyms(code, names) for code, names in named.items()}
    yield "synonym", {code: _extended(names, _NUMBER_WORDS[kinds[code]]) for code, names in like.items() if kinds[code] in _NUMBER_WORDS}
    yield "synonym", like
    yield "synonym", {f"{code}_name": like[code] for code in named if kinds[code] in _NAME_WORDS}
    roles = Counter(field["role"] for field in fields if field.get("role"))
    yield "role", {
        field["code"]: SYNONYMS[field["role"]] for field in fields if roles[field.get("role")] == 1 and field["role"] in SYNONYMS
    }
    yield "type", {code: SYNONYMS[kind] for code, kind in kinds.items() if kind in alone and kind in ("place", "date")}
    yield "type", {f"{code}_name": _NAME_WORDS[kind] for code, kind in kinds.items() if kind in alone and kind in _NAME_WORDS}


def _names(field: Field) -> frozenset[str]:
    names = field.get("name") or {}
    return frozenset(plain(str(name)) for name in names.values()) - {""}


def _synonyms(code: str, names: frozenset[str]) -> frozenset[str]:
    """Every word of the groups that the field is in, by its code or by one of its names."""
    groups = [words for key, words in SYNONYMS.items() if key == code or not words.isdisjoint(names)]
    return frozenset().union(*groups)


def _extended(names: frozenset[str], words: frozenset[str]) -> frozenset[str]:
    return frozenset(name + word for name in names for word in words)


def _words(header: str) -> set[str]:
    """The header as written and without the marks of required columns and the units in brackets."""
    word = plain(header)
    return {word, word.strip(_MARKS), _IN_BRACKETS.sub("", word).strip(_MARKS)} - {""}


def _parts(header: str) -> set[str]:
    """The rows of a header that stood in two, each by itself, and both without what divides them."""
    parts = header.split("/")
    if len(parts) < 2:
        return set()
    return set().union(*map(_words, parts)) | _words("".join(parts))


def _unit(header: str, common: int) -> int:
    for inside in _IN_BRACKETS.findall(plain(header)):
        scale = _SCALES.get(inside.removeprefix("单位").strip(_MARKS))
        if scale is not None:
            return scale
    return common


def _scale_of(titles: Iterable[str]) -> int:
    for title in titles:
        match = _UNIT_IN_TITLE.search(title)
        if match:
            return _SCALES.get(match[1].removeprefix("人民币"), 1)
    return 1


def scale_of(header: str, titles: Iterable[str] = ()) -> int:
    """What one unit of the amounts below a header is, in yuan: 10,000 for 金额(万元), or below a title with 单位:万元."""
    return _unit(header, _scale_of(titles))
