"""What a division code means: levels, parents, prefixes, ranges, placeholders and paths."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.directory.codes import (
    CodeFault,
    InvalidCode,
    Level,
    TownshipKind,
    fault_of,
    full_path,
    is_placeholder,
    is_virtual_village,
    level_of,
    lineage_of,
    parent_of,
    prefix_of,
    scope_range,
    township_kind,
)


@pytest.mark.parametrize(
    ("code", "level", "parent", "prefix"),
    [
        ("330000000000", Level.PROVINCE, None, "33"),
        ("330700000000", Level.CITY, "330000000000", "3307"),
        ("330782000000", Level.COUNTY, "330700000000", "330782"),
        ("330782104000", Level.TOWNSHIP, "330782000000", "330782104"),
        ("330782104201", Level.VILLAGE, "330782104000", "330782104201"),
    ],
)
def test_each_level_has_its_parent_and_its_significant_digits(code, level, parent, prefix):
    assert level_of(code) is level
    assert parent_of(code) == parent
    assert prefix_of(code) == prefix


def test_lineage_runs_from_the_province_down():
    assert lineage_of("330182101201") == (
        "330000000000",
        "330100000000",
        "330182000000",
        "330182101000",
        "330182101201",
    )


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("", CodeFault.NOT_DIGITS),
        ("3.30102E+11", CodeFault.NOT_DIGITS),
        ("33010200100\x00", CodeFault.NOT_DIGITS),
        ("330102001001\n", CodeFault.NOT_DIGITS),
        ("３３０１０２００１００１", CodeFault.NOT_DIGITS),
        ("330102001²00", CodeFault.NOT_DIGITS),
        ("-33010200100", CodeFault.NOT_DIGITS),
        ("330102", CodeFault.WRONG_LENGTH),
        ("33010200100", CodeFault.WRONG_LENGTH),
        ("3301020010011", CodeFault.WRONG_LENGTH),
        ("000000000000", CodeFault.UNKNOWN_PROVINCE),
        ("160000000000", CodeFault.UNKNOWN_PROVINCE),
        ("990102001001", CodeFault.UNKNOWN_PROVINCE),
        ("330002000000", CodeFault.SKIPS_LEVEL),
        ("330100001000", CodeFault.SKIPS_LEVEL),
        ("330102000001", CodeFault.SKIPS_LEVEL),
        ("330000001001", CodeFault.SKIPS_LEVEL),
        ("330102600000", CodeFault.TOWNSHIP_RANGE),
        ("330102001600", CodeFault.VILLAGE_RANGE),
    ],
)
def test_a_text_that_can_not_be_a_code_is_refused_with_the_reason(text, fault):
    assert fault_of(text) is fault
    with pytest.raises(InvalidCode) as refused:
        level_of(text)
    assert refused.value.fault is fault
    assert "330" not in str(refused.value)


@given(st.text(max_size=14))
def test_any_text_is_judged_without_an_error(text):
    assert fault_of(text) is None or fault_of(text) in CodeFault


def test_a_township_of_a_city_without_counties_belongs_to_the_city():
    assert level_of("441900003000") is Level.TOWNSHIP
    assert parent_of("441900003000") == "441900000000"
    assert level_of("441900000000") is Level.CITY
    assert lineage_of("441900003001") == ("440000000000", "441900000000", "441900003000", "441900003001")


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("330782001000", TownshipKind.STREET),
        ("330782099000", TownshipKind.STREET),
        ("330782100000", TownshipKind.TOWN),
        ("330782199000", TownshipKind.TOWN),
        ("330782200000", TownshipKind.TOWNSHIP),
        ("330782399201", TownshipKind.TOWNSHIP),
        ("330109400000", TownshipKind.SIMILAR),
        ("330109599000", TownshipKind.SIMILAR),
    ],
)
def test_the_township_segment_tells_the_kind(code, kind):
    assert township_kind(code) is kind


def test_a_county_has_no_township_kind():
    with pytest.raises(ValueError, match="names no township"):
        township_kind("330782000000")


def test_virtual_villages_are_told_from_real_ones():
    assert is_virtual_village("330109403498")
    assert is_virtual_village("330282405598")
    assert not is_virtual_village("330109403401")
    # The same digits as a township segment mean nothing of the kind.
    assert not is_virtual_village("330109498000")


@pytest.mark.parametrize(
    ("code", "name", "filler"),
    [
        ("330383198000", "龙港县直辖村级区划", True),
        ("330383000000", "龙港市", False),
        ("110100000000", "市辖区", True),
        ("500200000000", "县", True),
        ("429000000000", "省直辖县级行政区划", True),
        ("659000000000", "自治区直辖县级行政区划", True),
        ("330100000000", "杭州市", False),
        ("330782100000", "佛堂镇", False),
    ],
)
def test_rows_that_only_fill_a_level_are_no_places(code, name, filler):
    assert is_placeholder(code, name) is filler


@pytest.mark.parametrize("prefix", ["33", "3307", "330782", "330782104", "330782104201"])
def test_a_scope_range_holds_exactly_the_codes_that_begin_with_the_prefix(prefix):
    lo, hi = scope_range(prefix)
    inside = [prefix.ljust(12, "0"), prefix.ljust(12, "9"), prefix]
    before, after = str(int(prefix) - 1).ljust(12, "9"), str(int(prefix) + 1).ljust(12, "0")
    assert all(lo.encode() <= code.encode() < hi.encode() for code in inside)
    assert not any(lo.encode() <= code.encode() < hi.encode() for code in (before, after))


@pytest.mark.parametrize("prefix", ["", "3", "330", "33078", "3307821040", "3a", "３３", "33:", "3301020010011"])
def test_a_scope_that_is_no_prefix_is_refused(prefix):
    with pytest.raises(ValueError, match="a scope is"):
        scope_range(prefix)


def test_a_path_names_every_place_from_the_province_down():
    assert full_path(["浙江省", "杭州市", "建德市", "莲花镇"]) == "浙江省/杭州市/建德市/莲花镇"
    assert full_path(["浙江省"]) == "浙江省"


def test_a_path_leaves_out_what_only_fills_a_level_but_keeps_its_own_name():
    assert full_path(["浙江省", "温州市", "龙港市", "龙港县直辖村级区划", "某村"]) == "浙江省/温州市/龙港市/某村"
    assert full_path(["浙江省", "温州市", "龙港市", "龙港县直辖村级区划"]).endswith("龙港市/龙港县直辖村级区划")
    assert full_path(["北京市", "市辖区", "东城区"]) == "北京市/东城区"
    assert full_path(["北京市", "市辖区"]) == "北京市/市辖区"
