"""XLSX: titles over merged cells, formulas, dates, hidden sheets, and archives that are none."""

import io
import zipfile
from datetime import datetime

import pytest

from app.records.sheets import SheetError
from app.records.values import CellError, Formula, Unreadable, read_value


def journal(book, sheet):
    day = book.add_format({"num_format": 'yyyy"年"m"月"d"日"'})
    sheet.merge_range("A1:E1", "双童村2020年8月现金日记账")
    sheet.merge_range("A2:A3", "日　期")
    sheet.merge_range("B2:B3", "凭证号")
    sheet.merge_range("C2:E2", "金额\n（元）")
    sheet.write_row("C3", ["收入", "支出", "结余"])
    sheet.write_datetime("A4", datetime(2020, 8, 1), day)
    sheet.write_row("B4", ["记-1", 100.25])
    sheet.write_formula("E4", "=C4-D4", None, 100.25)
    sheet.write_datetime("A5", datetime(2020, 8, 2), day)
    sheet.write_row("B5", ["记-2", None, 50])
    sheet.write_formula("E5", "=E4+C5-D5", None, 50.25)
    sheet.write_row("A6", ["合　计", None, 100.25, 50])


def rebuilt(content: bytes, **parts) -> bytes:
    """The archive with some parts replaced, or removed where None."""
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as old, zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as new:
        for info in old.infolist():
            changed = parts.get(info.filename.rpartition("/")[2].partition(".")[0], b"")
            if changed is not None:
                data = old.read(info)
                new.writestr(info.filename, changed(data) if callable(changed) else changed or data)
    return out.getvalue()


def test_a_merged_title_and_a_header_in_two_rows_are_understood(read, workbook):
    reading = read(workbook(journal), "账.xlsx")
    assert reading.sheet.headers == ("日期", "凭证号", "金额（元）/收入", "金额（元）/支出", "金额（元）/结余")
    assert (reading.sheet.format, reading.sheet.encoding, reading.sheet.header_line) == ("xlsx", None, 3)
    assert reading.values == [(datetime(2020, 8, 1), "记-1", 100.25, None, 100.25), (datetime(2020, 8, 2), "记-2", None, 50, 50.25)]
    assert reading.notices == {"title-line": [1], "formula": [4, 5], "total-row": [6]}


def test_a_formula_that_was_never_computed_is_unreadable_and_not_empty_or_zero(read, workbook):
    def fill(book, sheet):
        sheet.write_row("A1", ["编号", "甲", "乙"])
        sheet.write_row("A2", ["1"])
        sheet.write_formula("B2", "=1+1", None, "")
        sheet.write_formula("C2", "=SUM(B2:B2)")

    reading = read(workbook(fill), "账.xlsx")
    assert reading.notices["formula-without-value"] == [2, 2] or reading.notices["formula-without-value"] == [2]
    amount = reading.values[0][2]
    assert isinstance(amount, Formula)
    assert read_value("money", amount) == Unreadable("=SUM(B2:B2)", "formula-without-value")


def test_a_zero_that_the_spreadsheet_computed_is_a_zero(read, workbook):
    def fill(book, sheet):
        sheet.write_row("A1", ["编号", "金额"])
        sheet.write_row("A2", ["1"])
        sheet.write_formula("B2", "=1-1", None, 0)

    computed = rebuilt(workbook(fill), workbook=lambda xml: xml.replace(b' fullCalcOnLoad="1"', b""))
    assert read(computed, "账.xlsx").values == [("1", 0)]


def test_errors_booleans_long_numbers_and_times_keep_what_they_are(read, workbook):
    def fill(book, sheet):
        sheet.write_row("A1", ["身份证号", "错误", "是否", "时刻", "账号"])
        sheet.write_number("A2", 330782198001011234)
        sheet.write_formula("B2", "=1/0", None, "#DIV/0!")
        sheet.write_boolean("C2", True)
        sheet.write_datetime("D2", datetime(1900, 1, 1, 8, 30).time(), book.add_format({"num_format": "hh:mm"}))
        sheet.write_string("E2", "0012")

    number, error, yes, time, account = read(workbook(fill), "账.xlsx").values[0]
    assert read_value("person", number).reason == "turned-into-number"
    assert isinstance(error, CellError)
    assert (yes, time, account) == (True, "08:30:00", "0012")


def test_days_are_counted_from_1904_where_the_workbook_does(read, workbook):
    def fill(book, sheet):
        sheet.write_row("A1", ["编号", "日期"])
        sheet.write_string("A2", "甲")
        sheet.write_number("B2", 42983, book.add_format({"num_format": 14}))

    old = rebuilt(workbook(fill), workbook=lambda xml: xml.replace(b"<workbookPr", b'<workbookPr date1904="1"'))
    assert read(old, "账.xlsx").values == [("甲", datetime(2021, 9, 6))]
    assert read(workbook(fill), "账.xlsx").values == [("甲", datetime(2017, 9, 5))]


def test_a_day_that_only_the_spreadsheet_knows_stays_a_number(read, workbook):
    def fill(book, sheet):
        sheet.write_row("A1", ["编号", "日期"])
        sheet.write_string("A2", "甲")
        sheet.write_number("B2", 60, book.add_format({"num_format": 14}))

    assert read_value("date", read(workbook(fill), "账.xlsx").values[0][1]).reason == "not-a-date"


def test_hidden_and_other_worksheets_are_named_and_not_read(read, workbook):
    def fill(book, sheet):
        sheet.hide()
        sheet.write_row("A1", ["暗", "账"])
        book.add_worksheet("空")
        for name in ("八月", "九月"):
            one = book.add_worksheet(name)
            one.write_row("A1", ["编号", "名称"])
            one.write_row("A2", [name, "路"])
        book.worksheets_objs[1].activate()

    content = workbook(fill)
    reading = read(content, "账.xlsx")
    facts = {notice.code: notice.facts for notice in reading.sheet.notices}
    assert reading.values == [("八月", "路")]
    assert facts["other-worksheets"] == {"names": ["九月"], "read": "八月"}
    assert facts["hidden-worksheets"] == {"names": ["日记账"]}
    assert read(content, "账.xlsx", sheet="九月").values == [("九月", "路")]
    with pytest.raises(SheetError, match="no-such-worksheet"):
        read(content, "账.xlsx", sheet="十月")


def test_hidden_rows_and_merged_records_are_noticed(read, workbook):
    def fill(book, sheet):
        sheet.write_row("A1", ["村", "名称"])
        sheet.merge_range("A2:A3", "双童村")
        sheet.write_column("B2", ["路", "桥", "灯"])
        sheet.write("A4", "上溪村")
        sheet.set_row(3, None, None, {"hidden": True})

    reading = read(workbook(fill), "账.xlsx")
    assert reading.values == [("双童村", "路"), (None, "桥"), ("上溪村", "灯")]
    assert reading.notices == {"merged-cells": [2], "hidden-row": [4]}


def test_a_cell_beyond_the_header_is_a_shifted_row(read, workbook):
    def fill(book, sheet):
        sheet.write_row("A1", ["编号", "名称"])
        sheet.write_row("A2", ["1", "路", "3"])
        sheet.write_row("A3", ["2"])

    reading = read(workbook(fill), "账.xlsx")
    assert [(row.line, row.reason) for row in reading.rejected] == [(2, "row-too-long")]
    assert reading.values == [("2", None)]


def test_rich_text_and_escapes_are_plain_text(read, workbook):
    def fill(book, sheet):
        sheet.write_row("A1", ["编号", "名称"])
        sheet.write("A2", "1")
        sheet.write_rich_string("B2", "村", book.add_format({"bold": True}), "道", "路")
        sheet.write_row("A3", ["2", "a_x000D_b"])

    assert read(workbook(fill), "账.xlsx").values == [("1", "村道路"), ("2", "a_x000D_b")]


def test_an_empty_workbook_and_one_whose_only_data_are_hidden_are_empty(read, workbook):
    def hidden(book, sheet):
        sheet.hide()
        sheet.write_row("A1", ["暗", "账"])
        book.add_worksheet("空").activate()

    for fill in (lambda book, sheet: None, hidden):
        with pytest.raises(SheetError, match="empty"):
            read(workbook(fill), "账.xlsx")


def test_every_truncation_of_a_workbook_is_damaged(read, workbook):
    content = workbook(journal)
    for length in (5, 30, 100, len(content) // 2, len(content) - 30, len(content) - 1):
        with pytest.raises(SheetError, match="damaged"):
            read(content[:length], "账.xlsx")


@pytest.mark.parametrize("part", ["workbook", "sheet1", "styles", "sharedStrings"])
@pytest.mark.parametrize("content", [b"<a", b"\xff\xfe\x00", b'<?xml version="1.0"?><!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>', b'<?xml version="1.0" encoding="x-none"?><a/>'])
def test_a_broken_part_is_damaged(read, workbook, part, content):
    with pytest.raises(SheetError, match="damaged"):
        read(rebuilt(workbook(journal), **{part: content}), "账.xlsx")


@pytest.mark.parametrize(
    ("old", "new"),
    [(b't="s"><v>0<', b't="s"><v>999999<'), (b'r="A1"', b'r="ZZZ1"'), (b'r="B4"', b'r="A4"'), (b'<row r="4"', b'<row r="2"'), (b'<row r="4"', b'<row r="9999999"')],
)
def test_references_to_nowhere_are_damaged(read, workbook, old, new):
    with pytest.raises(SheetError, match="damaged"):
        read(rebuilt(workbook(journal), sheet1=lambda xml: xml.replace(old, new, 1)), "账.xlsx")


def test_a_workbook_without_worksheet_is_empty_and_another_archive_is_no_workbook(read, workbook):
    with pytest.raises(SheetError, match="empty"):
        read(rebuilt(workbook(journal), sheet1=None), "账.xlsx")
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("word/document.xml", "<a/>")
    with pytest.raises(SheetError, match="not-what-it-says"):
        read(out.getvalue(), "账.xlsx")


def test_a_part_that_unfolds_without_end_is_not_unfolded(read, workbook):
    def bomb(_: bytes) -> bytes:
        return b"<worksheet><sheetData>" + b" " * (24 << 20) + b"</sheetData></worksheet>"

    with pytest.raises(SheetError, match="row-too-large"):
        read(rebuilt(workbook(journal), sheet1=bomb), "账.xlsx")
    with pytest.raises(SheetError, match="unpacks-too-large"):
        read(rebuilt(workbook(journal), styles=lambda _: b"<a>" + b" " * (17 << 20) + b"</a>"), "账.xlsx")


def test_an_archive_with_too_many_parts_is_not_read(read):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for at in range(5_001):
            archive.writestr(str(at), "")
    with pytest.raises(SheetError, match="unpacks-too-large"):
        read(out.getvalue(), "账.xlsx")


def test_many_texts_are_kept_outside_memory_and_read_the_same(read, workbook, monkeypatch):
    content = workbook(journal)
    expected = read(content, "账.xlsx").values
    monkeypatch.setattr("app.records.sheets.workbook._TEXTS_IN_MEMORY", 0)
    assert read(content, "账.xlsx").values == expected
