"""Twelve-digit division codes: what they mean, whether they can be right, and which range of codes an office may see.

A code is 2 digits of province, 2 of city, 2 of county (GB/T 2260), 3 of township (GB/T 10114) and 3 of village, as the
statistics bureau prints it. It is always text: an integer would lose nothing in Zhejiang, but a spreadsheet turns it
into 3.30102E+11. The rules below accept every row of the national list of 2023 (665,271 codes).
"""

import re
from collections.abc import Sequence
from enum import IntEnum, StrEnum


class Level(IntEnum):
    """The five levels of a division, counted from the top."""

    PROVINCE = 1
    CITY = 2
    COUNTY = 3
    TOWNSHIP = 4
    VILLAGE = 5


class TownshipKind(StrEnum):
    """The class of a township-level unit, told by the township segment of its code."""

    STREET = "street"  # 街道 001–099
    TOWN = "town"  # 镇 100–199
    TOWNSHIP = "township"  # 乡 200–399
    SIMILAR = "similar"  # development zones, farms and the like 400–599


class CodeFault(StrEnum):
    """Why a text is not a division code."""

    NOT_DIGITS = "code-not-digits"
    WRONG_LENGTH = "code-not-12-digits"
    UNKNOWN_PROVINCE = "code-unknown-province"
    SKIPS_LEVEL = "code-skips-a-level"
    TOWNSHIP_RANGE = "code-township-segment-out-of-range"
    VILLAGE_RANGE = "code-village-segment-out-of-range"


class InvalidCode(ValueError):
    """A text that is not a division code; `fault` says why. The message does not repeat the text."""

    def __init__(self, fault: CodeFault) -> None:
        super().__init__(fault.value)
        self.fault = fault


SIGNIFICANT_DIGITS = {Level.PROVINCE: 2, Level.CITY: 4, Level.COUNTY: 6, Level.TOWNSHIP: 9, Level.VILLAGE: 12}

# By region: north, north-east, east, centre and south, south-west, north-west, Taiwan, Hong Kong and Macao.
_PROVINCE_BLOCKS = ((11, 15), (21, 23), (31, 37), (41, 46), (50, 54), (61, 65), (71, 71), (81, 82))
PROVINCES = frozenset(str(code) for first, last in _PROVINCE_BLOCKS for code in range(first, last + 1))

# Dongguan, Zhongshan and Danzhou have no counties: their townships carry the county segment 00. Anywhere else such a
# code has lost two digits, so the exception is not a general rule.
CITIES_WITHOUT_COUNTIES = frozenset({"4419", "4420", "4604"})

_HIGHEST_SEGMENT = 599
_VIRTUAL_VILLAGES = frozenset({"498", "598"})
_DIRECT_VILLAGES_SEGMENT = "198"
_FILLER_NAME = re.compile(r"市辖区|县|(?:省|自治区)直辖县级行政区划|.*直辖村级区划")


def fault_of(code: str) -> CodeFault | None:
    """The first reason why `code` can not be a division code, or None when it can."""
    if not (code.isascii() and code.isdigit()):
        return CodeFault.NOT_DIGITS
    if len(code) != 12:
        return CodeFault.WRONG_LENGTH
    if code[:2] not in PROVINCES:
        return CodeFault.UNKNOWN_PROVINCE
    if _skips_a_level(code):
        return CodeFault.SKIPS_LEVEL
    if int(code[6:9]) > _HIGHEST_SEGMENT:
        return CodeFault.TOWNSHIP_RANGE
    if int(code[9:]) > _HIGHEST_SEGMENT:
        return CodeFault.VILLAGE_RANGE
    return None


def level_of(code: str) -> Level:
    """The level of a valid code: that of its last segment which is not zero. Raises InvalidCode."""
    fault = fault_of(code)
    if fault:
        raise InvalidCode(fault)
    if code[9:] != "000":
        return Level.VILLAGE
    if code[6:9] != "000":
        return Level.TOWNSHIP
    if code[4:6] != "00":
        return Level.COUNTY
    return Level.CITY if code[2:4] != "00" else Level.PROVINCE


def parent_of(code: str) -> str | None:
    """The code one level up, None for a province. A township of a city without counties has the city as parent."""
    level = level_of(code)
    if level is Level.PROVINCE:
        return None
    if level is Level.TOWNSHIP and code[4:6] == "00":
        level = Level.COUNTY
    return pad(code[: SIGNIFICANT_DIGITS[Level(level - 1)]])


def lineage_of(code: str) -> tuple[str, ...]:
    """The codes from the province down to `code` itself."""
    line = [code]
    while parent := parent_of(line[-1]):
        line.append(parent)
    return tuple(reversed(line))


def prefix_of(code: str) -> str:
    """The significant digits of a valid code: 2, 4, 6, 9 or 12 of them."""
    return code[: SIGNIFICANT_DIGITS[level_of(code)]]


def pad(prefix: str) -> str:
    """The twelve-digit code of a prefix, filled with zeros. It is not checked."""
    return prefix.ljust(12, "0")


def scope_range(prefix: str) -> tuple[str, str]:
    """The half-open range [lo, hi) of codes that begin with `prefix`, in the byte order of COLLATE "C".

    Raises ValueError when the prefix is not 2, 4, 6, 9 or 12 digits: an empty scope must never mean everything.
    """
    if len(prefix) not in SIGNIFICANT_DIGITS.values() or not (prefix.isascii() and prefix.isdigit()):
        raise ValueError("a scope is 2, 4, 6, 9 or 12 digits of a division code")
    # ':' is the character after '9', so no code that begins with the prefix sorts behind it.
    return prefix, f"{prefix}:"


def township_kind(code: str) -> TownshipKind:
    """The class of the township that a township or village code names. Raises ValueError for a higher level."""
    if level_of(code) < Level.TOWNSHIP:
        raise ValueError("the code names no township")
    segment = int(code[6:9])
    if segment < 100:
        return TownshipKind.STREET
    if segment < 200:
        return TownshipKind.TOWN
    return TownshipKind.TOWNSHIP if segment < 400 else TownshipKind.SIMILAR


def is_virtual_village(code: str) -> bool:
    """Whether the code stands for a township-like unit that has no villages of its own (segments 498 and 598)."""
    return level_of(code) is Level.VILLAGE and code[9:] in _VIRTUAL_VILLAGES


def is_placeholder(code: str, name: str) -> bool:
    """Whether the row only fills a level that does not exist there, and so is no place and has no office.

    Cities: 市辖区 (Beijing, Tianjin, Shanghai, Chongqing), 县 (Chongqing), 省直辖县级行政区划. Townships: segment 198,
    a county that directly runs its villages; in Zhejiang only Longgang (330383198).
    """
    level = level_of(code)
    if level is Level.TOWNSHIP and code[6:9] == _DIRECT_VILLAGES_SEGMENT:
        return True
    return level in (Level.CITY, Level.TOWNSHIP) and _is_filler(name)


def full_path(names: Sequence[str]) -> str:
    """The names from the province down, joined with `/`, as they are always shown: 莲花镇 alone is two places.

    Names that only fill a level are left out, except when the path is that row's own:
    浙江省/温州市/龙港市/某村, but 浙江省/温州市/龙港市/龙港县直辖村级区划.
    """
    return "/".join([*(name for name in names[:-1] if not _is_filler(name)), *names[-1:]])


def _is_filler(name: str) -> bool:
    return _FILLER_NAME.fullmatch(name) is not None


def _skips_a_level(code: str) -> bool:
    city, county, township, village = code[2:4] != "00", code[4:6] != "00", code[6:9] != "000", code[9:] != "000"
    if village and not township:
        return True
    if township and not county:
        return code[:4] not in CITIES_WITHOUT_COUNTIES
    return county and not city
