"""What a raw value becomes, and that nothing but a value, nothing or a reason ever comes out."""

from datetime import UTC, date, datetime, time
from decimal import Decimal

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from app.records.identifiers import company_check, identity_check
from app.records.values import CellError, Formula, Unreadable, read_value, value_reader

TYPES = ("text", "ref", "name", "code", "int", "num", "money", "date", "ts", "bool", "person", "company", "account", "place")
PERSON = "33078219800101123" + identity_check("33078219800101123")
COMPANY = "91330782MA28D0EN1" + company_check("91330782MA28D0EN1")
METHODS = {"direct": {"zh": "直接发包", "en": "Direct"}, "tender": {"zh": "公开招标", "en": "Open tender"}, "01": {"zh": "其他", "en": "Other"}}


def reason(field_type, raw, **more):
    found = read_value(field_type, raw, **more)
    assert isinstance(found, Unreadable), found
    return found.reason


@pytest.mark.parametrize(
    ("raw", "fen"),
    [
        ("30000", 3000000), ("30000.5", 3000050), ("30000.05", 3000005), ("-0.01", -1), ("0", 0), (".5", 50),
        ("１，２３４．５０", 123450), ("1，234.50", 123450), ("1,234,567.89", 123456789), (" 88 ", 8800),
        ("¥1,000", 100000), ("￥1,000元", 100000), ("人民币1000元整", 100000), ("5元", 500), ("3万元", 3000000), ("1.23456万", 1234560),
        ("(1,234.50)", -123450), ("（１２）", -1200), ("−7", -700), ("－7元", -700), ("+7", 700), ("¥-7", -700), ("1.500", 150),
        (12, 1200), (12.5, 1250), (30000.120000000003, 3000012), (0.1 + 0.2, 30), (Decimal("0.10"), 10), (Decimal("1E+3"), 100000),
        ("", None), ("  ", None), (None, None), ("NULL", None),
    ],
)  # fmt: skip
def test_an_amount_is_whole_fen_however_it_is_written(raw, fen):
    assert read_value("money", raw) == fen
    assert not isinstance(read_value("money", raw), float)


@pytest.mark.parametrize(
    ("raw", "why"),
    [
        ("1.234", "too-many-decimals"), (1.234, "too-many-decimals"), (Decimal("0.001"), "too-many-decimals"), ("1.23456", "too-many-decimals"),
        ("3.30782E+17", "turned-into-number"), ("一百元", "not-a-number"), ("1,23", "not-a-number"), ("1 2", "not-a-number"),
        ("-", "not-a-number"), ("12,34", "not-a-number"), ("1.2.3", "not-a-number"), (True, "not-a-number"), (float("nan"), "not-a-number"),
        (Decimal("sNaN"), "not-a-number"), ("9" * 20, "out-of-range"), ("9" * 50, "out-of-range"), (10**30, "out-of-range"), (1e300, "out-of-range"),
        (date(2020, 1, 1), "not-a-number"), ("()", "not-a-number"), ("¥", "not-a-number"), ("元", "not-a-number"),
    ],
)  # fmt: skip
def test_an_amount_that_is_none_says_why(raw, why):
    assert reason("money", raw) == why


def test_a_header_in_wan_multiplies_what_has_no_unit_of_its_own():
    assert read_value("money", "1.5", scale=10_000) == 1_500_000
    assert read_value("money", 3, scale=10_000) == 3_000_000
    assert read_value("money", "3万元", scale=10_000) == 3_000_000
    assert read_value("money", "500元", scale=10_000) == 50_000


@given(st.integers(-(2**62), 2**62))
def test_fen_written_in_yuan_are_read_back(fen):
    whole, part = divmod(abs(fen), 100)
    sign = "-" if fen < 0 else ""
    for text in (f"{sign}{whole}.{part:02}", f"{sign}{whole:,}.{part:02}", f"{sign}{whole}.{part:02}元"):
        assert read_value("money", text) == fen
    if fen < 0:
        assert read_value("money", f"({whole:,}.{part:02})") == fen


@pytest.mark.parametrize(("raw", "whole"), [("12", 12), ("１２", 12), ("12.0", 12), (12.0, 12), ("1,200", 1200), ("-3", -3), (Decimal("5"), 5)])
def test_a_whole_number_is_read(raw, whole):
    assert read_value("int", raw) == whole


def test_a_whole_number_is_not_rounded_and_has_64_bits():
    assert reason("int", "1.5") == "not-whole"
    assert reason("int", "3人") == "not-a-number"
    assert reason("int", str(2**63)) == "out-of-range"
    assert read_value("int", str(2**63 - 1)) == 2**63 - 1


def test_a_number_with_decimals_is_a_float():
    assert read_value("num", "1,000.5") == 1000.5
    assert read_value("num", 0.1) == 0.1
    assert reason("num", float("inf")) == "not-a-number"
    assert reason("num", "35%") == "not-a-number"


@pytest.mark.parametrize(
    "raw",
    [
        "2021-09-03", "2021-9-3", "2021/9/3", "2021.9.3", "2021.09.03", "2021年9月3日", "2021年09月03号", "20210903", 20210903, 20210903.0,
        "２０２１－９－３", "2021-09-03 08:30:00", "2021-09-03T08:30:00.123", "2021/9/3 0:00", "2021年9月3日 上午8时30分", 44442, "44442", 44442.75,
        date(2021, 9, 3), datetime(2021, 9, 3, 23, 59), datetime(2021, 9, 2, 16, tzinfo=UTC), "2021-09-02T16:00:00Z", "2021-09-03T00:00:00+08:00",
        "'2021-09-03", "\u200b2021-09-03\t", "20210903083000",
    ],
)  # fmt: skip
def test_a_day_is_read_however_it_is_written(raw):
    assert read_value("date", raw) == date(2021, 9, 3)
    assert type(read_value("date", raw)) is date


@pytest.mark.parametrize(
    ("raw", "why"),
    [
        ("2021-9-31", "impossible-date"), ("2021.9.31", "impossible-date"), ("2019-02-29", "impossible-date"), ("2019年2月29日", "impossible-date"),
        ("20190229", "impossible-date"), (20211301, "impossible-date"), ("2021-13-01", "impossible-date"), ("2021-00-10", "impossible-date"),
        ("21-9-3", "two-digit-year"), ("21年9月3日", "two-digit-year"), ("21/09/03", "two-digit-year"), ("3/9/2021", "order-unknown"),
        ("03-Sep-2021", "order-unknown"), ("2021-09", "no-day"), ("2021年9月", "no-day"), ("202109", "no-day"), ("2021", "no-day"), (2021, "no-day"),
        ("9月3日", "no-day"), ("0021-09-03", "year-out-of-range"), ("9999-12-31", "year-out-of-range"), ("昨天", "not-a-date"), (True, "not-a-date"),
        ("2021-09-03 25:00", "impossible-time"), ("4.4E+4", "turned-into-number"), (-1, "not-a-date"), (1e300, "not-a-date"), (60, "not-a-date"),
        (float("nan"), "not-a-date"), ("2021-9/3", "not-a-date"), (date(1, 1, 1), "year-out-of-range"), ("2021-09-03x", "not-a-date"),
    ],
)  # fmt: skip
def test_a_day_that_is_none_is_kept_as_written(raw, why):
    assert reason("date", raw) == why


@pytest.mark.parametrize("raw", ["", None, "-", "—", "/", "无", "NULL"])
def test_what_stands_for_nothing_is_no_day(raw):
    assert read_value("date", raw) is None


@given(st.dates(date(1850, 1, 1), date(2199, 12, 31)))
def test_every_day_is_read_back_from_every_form(day):
    forms = [day.isoformat(), f"{day.year}/{day.month}/{day.day}", f"{day:%Y%m%d}", f"{day.year}年{day.month}月{day.day}日", f"{day.year}.{day.month}.{day.day}"]
    assert {read_value("date", form) for form in forms} == {day}


@pytest.mark.parametrize(
    ("raw", "instant"),
    [
        ("2021-09-03 08:30", datetime(2021, 9, 3, 0, 30, tzinfo=UTC)),
        ("2021-09-03", datetime(2021, 9, 2, 16, tzinfo=UTC)),
        ("2021-09-03T08:30:15.5+09:00", datetime(2021, 9, 2, 23, 30, 15, 500000, tzinfo=UTC)),
        ("2021-09-03T08:30:15Z", datetime(2021, 9, 3, 8, 30, 15, tzinfo=UTC)),
        ("2021年9月3日 下午3时5分", datetime(2021, 9, 3, 7, 5, tzinfo=UTC)),
        ("2021-09-03 24:00", datetime(2021, 9, 3, 16, tzinfo=UTC)),
        (datetime(2021, 9, 3, 8, 30), datetime(2021, 9, 3, 0, 30, tzinfo=UTC)),
        (44442.5, datetime(2021, 9, 3, 4, tzinfo=UTC)),
        # Clocks were an hour ahead in this summer.
        ("1988-07-01 08:00", datetime(1988, 6, 30, 23, tzinfo=UTC)),
    ],
)
def test_an_instant_without_offset_was_written_in_shanghai(raw, instant):
    found = read_value("ts", raw)
    assert found == instant
    assert found.utcoffset().total_seconds() == 0


def test_an_instant_on_an_impossible_day_is_unreadable():
    assert reason("ts", "2021-9-31 08:00") == "impossible-date"
    assert reason("ts", "2021-09-03 08:61") == "impossible-time"


@pytest.mark.parametrize(
    ("raw", "truth"),
    [("是", True), ("有", True), ("TRUE", True), (1, True), (1.0, True), ("√", True), (True, True), ("否", False), ("无", False), ("0", False), (0, False), ("", None), ("—", None)],
)
def test_yes_and_no_are_read(raw, truth):
    assert read_value("bool", raw) is truth


def test_neither_yes_nor_no_is_unreadable():
    assert reason("bool", "也许") == "neither-yes-nor-no"
    assert reason("bool", 2) == "neither-yes-nor-no"


def test_a_code_is_found_by_code_and_by_label():
    read = value_reader("code", METHODS)
    assert [read(raw) for raw in ("direct", "DIRECT", "直接发包", " 公开 招标 ", "open tender", "01", "其他")] == ["direct", "direct", "direct", "tender", "tender", "01", "01"]
    assert read("邀请") == Unreadable("邀请", "unknown-code")
    assert read("无") is None
    assert read_value("code", "anything") == "anything"


def test_a_label_of_two_codes_names_neither():
    read = value_reader("code", {"a": {"zh": "一类"}, "b": {"zh": "一类"}})
    assert isinstance(read("一类"), Unreadable)
    assert read("a") == "a"


def test_text_keeps_rare_characters_and_loses_wide_letters():
    rare = "㛃\ue5f1\ufa11\uf9d1𠮷（甲）"
    assert read_value("text", f"\ufeff {rare}\u3000") == rare
    assert read_value("text", "ＧＣ－２０２１－００１") == "GC-2021-001"
    assert read_value("text", 20210001.0) == "20210001"
    assert read_value("name", "张　三") == "张三"
    assert read_value("name", "阿不都•热依木") == read_value("name", "阿不都·热依木")
    assert read_value("name", "John Smith") == "John Smith"


def test_text_that_a_database_refuses_is_unreadable_and_its_raw_is_storable():
    assert read_value("text", "a\x00b") == Unreadable("a\ufffdb", "nul-character")
    assert read_value("text", "a\udcffb") == Unreadable("a\ufffdb", "broken-character")
    assert reason("text", "甲" * 10_001) == "too-long"
    assert len(read_value("text", "甲" * 10_001).raw) == 200


@pytest.mark.parametrize("field_type", TYPES)
def test_a_formula_without_result_and_an_error_of_the_sheet_are_no_values(field_type):
    assert reason(field_type, Formula("=A1+B1")) == "formula-without-value"
    assert reason(field_type, CellError("#REF!")) == "cell-error"


def test_the_check_characters_are_those_of_the_standards():
    # The example of GB 11643-1999 and the code of a well-known company.
    assert identity_check("11010519491231002") == "X"
    assert company_check("91110000802100433") == "B"


@pytest.mark.parametrize("raw", [PERSON, f" {PERSON}\t", f"'{PERSON}", " ".join((PERSON[:6], PERSON[6:14], PERSON[14:])), PERSON.translate(str.maketrans("0123456789", "０１２３４５６７８９"))])
def test_an_identity_number_is_read(raw):
    assert read_value("person", raw) == PERSON


def test_an_old_identity_number_gets_century_and_check_character():
    assert read_value("person", "110105491231002") == "11010519491231002X"
    assert read_value("person", "11010519491231002x") == "11010519491231002X"
    assert read_value("person", "１１０１０５１９４９１２３１００２ｘ") == "11010519491231002X"


@pytest.mark.parametrize(
    ("raw", "why"),
    [
        ("3.30782E+17", "turned-into-number"), (3.30782198001011e17, "turned-into-number"), (330782198001011000, "turned-into-number"),
        ("330782198001011000", "turned-into-number"), ("110105194912310021", "check-failed"), ("110105194902310021", "impossible-birthday"),
        ("990105194912310021", "check-failed"), ("170105194912310021", "no-such-area"), ("330782********1234", "masked"), ("张三", "name-only"),
        ("12345", "wrong-length"), ("33078219800101", "wrong-length"), ("G12345678", "not-an-identity-number"), (True, "not-a-code"),
    ],
)  # fmt: skip
def test_what_is_no_identity_number_says_why(raw, why):
    assert reason("person", raw) == why


@given(st.integers(0, 17), st.integers(1, 9))
def test_one_wrong_digit_of_an_identity_number_is_noticed(at, step):
    wrong = str((int(PERSON[at]) + step) % 10) if PERSON[at].isdecimal() else str(step)
    assert isinstance(read_value("person", PERSON[:at] + wrong + PERSON[at + 1 :]), Unreadable)


def test_a_company_is_known_by_its_credit_code():
    assert read_value("company", COMPANY) == COMPANY
    assert read_value("company", f" {COMPANY.lower()} ") == COMPANY
    assert read_value("company", "-") is None
    assert reason("company", COMPANY[:-1] + ("0" if COMPANY[-1] != "0" else "1")) == "check-failed"
    assert reason("company", "91330782MA28D0EO1X") == "wrong-character"
    assert reason("company", "330782000012345") == "old-registration-number"
    assert reason("company", "78945612-3") == "old-organisation-code"
    assert reason("company", "义乌市某某建设有限公司") == "name-only"
    assert reason("company", "9.1E+17") == "turned-into-number"


def test_an_account_is_digits_without_spaces():
    assert read_value("account", "6228 4803 2056 4326 513") == "6228480320564326513"
    assert read_value("account", "19-510101040012345") == "19510101040012345"
    assert reason("account", "6.22848E+18") == "turned-into-number"
    assert reason("account", 6.228480320564326e18) == "turned-into-number"
    assert reason("account", "6228****6513") == "masked"
    assert reason("account", "12") == "wrong-length"


def test_a_place_is_a_code_of_twelve_digits_or_a_name_for_the_caller():
    assert [read_value("place", raw) for raw in ("330782", 330782, "330782001", "330782001201", 330782001201.0)] == [
        "330782000000", "330782000000", "330782001000", "330782001201", "330782001201",
    ]  # fmt: skip
    assert reason("place", "双童村") == "name-only"
    assert reason("place", "33078") == "wrong-length"
    assert reason("place", "990782") == "no-such-area"
    assert reason("place", "3.30782E+11") == "turned-into-number"


def test_a_type_that_does_not_exist_is_an_error_of_the_caller():
    with pytest.raises(ValueError, match="colour"):
        read_value("colour", "red")


anything = st.one_of(
    st.text(), st.text("0123456789.,，-/年月日 :TZ+E()¥万元xX*'０１２\u0660\u00b2"), st.integers(), st.integers(10**4000, 10**4001), st.floats(), st.decimals(),
    st.booleans(), st.none(), st.dates(), st.datetimes(), st.times(), st.binary(), st.lists(st.integers()), st.text().map(Formula),
    st.datetimes(timezones=st.timezones()), st.characters(categories=["Nd", "No", "Nl", "Cs", "Cc", "Cf"]),
)  # fmt: skip
GIVES = {
    "text": str, "ref": str, "name": str, "code": str, "int": int, "num": float, "money": int, "date": date, "ts": datetime, "bool": bool,
    "person": str, "company": str, "account": str, "place": str,
}  # fmt: skip


@given(st.sampled_from(TYPES), anything)
@example("money", Decimal("1E+999999"))
@example("num", Decimal("1E-999999"))
@example("int", "²")
@example("person", "٣٣٠٧٨٢١٩٨٠٠١٠١١٢٣٤")
@example("date", 10**5000)
@example("text", 10**5000)
@example("ts", datetime(1, 1, 1, tzinfo=UTC))
@example("code", time(1))
def test_nothing_is_raised_and_nothing_else_comes_out(field_type, raw):
    found = read_value(field_type, raw, METHODS if field_type == "code" else None)
    if found is None:
        return
    if isinstance(found, Unreadable):
        assert len(found.raw) <= 200
        assert "\x00" not in found.raw
        found.raw.encode()
        return
    assert type(found) is GIVES[field_type]
    if isinstance(found, str):
        assert found
        assert "\x00" not in found
        found.encode()
    elif type(found) is int:
        assert abs(found) < 2**63
    elif isinstance(found, datetime):
        assert found.tzinfo is UTC
    if field_type in ("person", "company"):
        assert len(found) == 18
        assert found.isascii()
    if field_type == "place":
        assert len(found) == 12
        assert found.isascii()
