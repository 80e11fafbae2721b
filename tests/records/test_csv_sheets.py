"""CSV as it arrives from counties: encodings, titles, totals, shifted rows."""

import pytest

from app.records.sheets import SheetError

JOURNAL = """义乌市佛堂镇双童村2020年8月现金日记账,,,,,
单位：双童村,,,2020年8月,,单位：元
日期,凭证号,摘要,金额,,
,,,收入,支出,结余
2020-08-01,记-1,卖废品,100.00,,100.00
2020-08-02,记-2,买扫帚,,50.00,50.00
,,本月合计,100.00,50.00,50.00
,,,,,
日期,凭证号,摘要,金额,,
2020-08-03,记-3,"工具
两把",,20.00,30.00
合　　计,,,100.00,70.00,
制表人：张三,,,审核人：李四,,
"""
PLAIN = "编号,名称,金额\n1,村道硬化,30000\n2,路灯,12000\n"


@pytest.mark.parametrize(
    ("codec", "said"),
    [("utf-8", "utf-8"), ("utf-8-sig", "utf-8-bom"), ("gbk", "gbk"), ("gb18030", "gbk"), ("utf-16", "utf-16"), ("utf-16-le", "utf-16"), ("utf-16-be", "utf-16")],
)
def test_the_encoding_is_found_and_said(read, codec, said):
    reading = read(JOURNAL.encode(codec))
    assert reading.sheet.encoding == said
    assert ("encoding" in reading.notices) == (said != "utf-8")
    assert reading.sheet.headers == ("日期", "凭证号", "摘要", "金额/收入", "金额/支出", "金额/结余")
    assert [row.values[1] for row in reading.rows] == ["记-1", "记-2", "记-3"]


def test_a_character_only_in_gb18030_is_read(read):
    reading = read(("姓名,村\n" + "㛃某,双童村\n" * 20 + "𠮷某,双童村\n").encode("gb18030"))
    assert reading.rows[-1].values == ("𠮷某", "双童村")
    assert reading.sheet.encoding == "gbk"


def test_an_encoding_is_found_by_what_stands_far_down(read):
    reading = read(("a,b\n" + f"{'1' * 500},2\n" * 4_000 + "村,3\n").encode("gbk"))
    assert reading.sheet.encoding == "gbk"
    assert reading.rows[-1].values == ("村", "3")


@pytest.mark.parametrize("content", ["編號,名稱\n1,中國農村村民委員會\n".encode("big5"), "nom,prénom\n1,Élodie\n".encode("latin-1"), b"\xff\xfe\x00\x00a\x00\x00\x00"])
def test_another_encoding_is_refused_and_not_guessed(read, content):
    with pytest.raises(SheetError, match="unknown-encoding"):
        read(content)


def test_what_is_not_text_is_refused(read):
    with pytest.raises(SheetError, match="not-text"):
        read(b"a,b\n\x00\x00\x00\x01,2\n\x00\x07")


def test_a_line_with_bytes_that_are_no_characters_is_rejected_alone(read):
    reading = read("编号,名称\n".encode() + "1,村道\n".encode() * 2000 + b"2,\xb4\xe5\n" + "3,路灯\n".encode())
    assert [(row.line, row.reason) for row in reading.rejected] == [(2002, "broken-character")]
    assert reading.rows[-1].values == ("3", "路灯")


def test_titles_totals_signatures_and_repeated_headers_are_left_out_and_noticed(read):
    reading = read(JOURNAL)
    assert reading.sheet.header_line == 4
    assert reading.notices == {"title-line": [1, 2], "total-row": [7, 12], "repeated-header": [9], "footer-row": [13]}
    assert [row.line for row in reading.rows] == [5, 6, 10]
    assert reading.rows[2].values[2] == "工具\n两把"
    assert "单位：元" in reading.sheet.titles[1]


@pytest.mark.parametrize("row", ["2020-08-09,记-9,合计,3.00", "2020-08-09,,小计款,3.00", "2020-08-09,记-9,本月合计,3.00"])
def test_a_payment_called_a_total_is_still_a_record(read, row):
    reading = read(f"日期,凭证号,摘要,金额\n2020-08-01,记-1,买,1.00\n{row}\n")
    assert len(reading.rows) == 2
    assert "total-row" not in reading.notices


@pytest.mark.parametrize("row", ["合计,,,3.00", ",,小 计,3.00", "8月31日,,本月合计,3.00", "总计：叁元整,,,3.00", "2020年合计,,,3.00", ",,Total,3.00"])
def test_a_total_is_no_record(read, row):
    reading = read(f"日期,凭证号,摘要,金额\n2020-08-01,记-1,买,1.00\n{row}\n")
    assert len(reading.rows) == 1
    assert reading.notices == {"total-row": [3]}


def test_a_row_of_another_length_is_shifted_and_rejected(read):
    reading = read("编号,名称,金额\n1,村道,30000\n2,路,灯,12000\n3,12000\n4,桥,9,,\n")
    assert [(row.line, row.reason) for row in reading.rejected] == [(3, "row-too-long"), (4, "row-too-short")]
    assert reading.values == [("1", "村道", "30000"), ("4", "桥", "9")]


def test_columns_of_the_same_name_are_an_error_with_their_names(read):
    with pytest.raises(SheetError, match="duplicate-header") as raised:
        read("编号,金额,名称,金 额\n1,2,3,4\n")
    assert raised.value.facts == {"line": 1, "names": ["金额"]}


def test_the_same_name_under_two_merged_headers_is_two_columns(read):
    reading = read("村,收入,,支出,\n,笔数,金额,笔数,金额\n双童村,1,2.00,3,4.00\n")
    assert reading.sheet.headers == ("村", "收入/笔数", "收入/金额", "支出/笔数", "支出/金额")
    assert reading.values == [("双童村", "1", "2.00", "3", "4.00")]


def test_a_row_of_column_numbers_is_no_record(read):
    reading = read("栏,编号,名称,金额\n栏次,1,2,3\n甲,A1,路,5\n")
    assert [row.line for row in reading.rows] == [3]
    assert reading.notices == {"column-numbers": [2]}


def test_a_column_without_name_is_left_out_and_noticed(read):
    reading = read("编号,,金额\n1,x,3\n2,y,4\n")
    assert reading.sheet.headers == ("编号", "金额")
    assert reading.values == [("1", "3"), ("2", "4")]
    assert "unnamed-column" in reading.notices


@pytest.mark.parametrize("content", ["", "\n\n \n", ",,,\n,,\n", "\ufeff"])
def test_a_file_without_content_is_empty(read, content):
    with pytest.raises(SheetError, match="empty"):
        read(content)


@pytest.mark.parametrize("content", ["1,2\n3,4\n", "2020-01-01,30\n", "单位：双童村\n"])
def test_a_file_without_header_says_so(read, content):
    with pytest.raises(SheetError, match="no-header"):
        read(content)


def test_a_header_alone_has_no_records(read):
    assert "no-records" in read("编号,名称\n").notices


@pytest.mark.parametrize("delimiter", [";", "\t", "|", "，"])
def test_another_delimiter_is_found_and_said(read, delimiter):
    reading = read(PLAIN.replace(",", delimiter))
    assert reading.sheet.headers == ("编号", "名称", "金额")
    assert reading.values[0] == ("1", "村道硬化", "30000")
    assert "delimiter" in reading.notices


@pytest.mark.parametrize("end", ["\r\n", "\r", "\n"])
def test_every_kind_of_line_end_is_taken(read, end):
    assert [row.line for row in read(PLAIN.replace("\n", end)).rows] == [2, 3]


def test_quoted_cells_hold_delimiters_quotes_and_line_breaks(read):
    reading = read('编号,名称,金额\n"1","甲,乙 ""丙""\n丁","1,000.00"\n="0012",5" 管,3\n')
    assert reading.values == [("1", '甲,乙 "丙"\n丁', "1,000.00"), ("0012", '5" 管', "3")]
    assert read('编号,名称\n1,"a\u2028b\x0cc"\n"2",d\x0ce\n').values == [("1", "a\u2028b\x0cc"), ("2", "d\x0ce")]
    assert [row.line for row in reading.rows] == [2, 4]


def test_an_open_quotation_mark_loses_one_line_and_not_the_file(read):
    body = "".join(f"{at},路{at},{at}\n" for at in range(1000))
    reading = read(f'编号,名称,金额\n{body}x,"坏,1\n{body}')
    assert len(reading.rows) == 2000
    assert [(row.line, row.reason) for row in reading.rejected] == [(1002, "open-quote")]


def test_two_open_quotation_marks_do_not_make_one_record_of_two_lines(read):
    reading = read('编号,名称,金额\n1,"路,3\n2,"桥,4\n3,灯,5\n')
    assert [(row.line, row.reason) for row in reading.rejected] == [(2, "open-quote"), (3, "open-quote")]
    assert reading.values == [("3", "灯", "5")]


def test_a_line_without_end_is_refused(read):
    with pytest.raises(SheetError, match="line-too-long"):
        read("编号,名称\n1," + "x" * (3 << 20))


def test_a_nul_character_rejects_its_line_alone(read):
    # In the first four kilobytes it would be no text at all.
    reading = read("编号,名称\n" + "1,a\n" * 2000 + "2,b\x00c\n3,d\n")
    assert [row.reason for row in reading.rejected] == ["nul-character"]


def test_reading_goes_on_below_a_line_and_begins_anew(tmp_path):
    from app.records.sheets import open_sheet

    path = tmp_path / "a"
    path.write_text(PLAIN, encoding="utf-8")
    with open_sheet(path, "a.csv") as sheet:
        assert [row.line for row in sheet.rows()] == [2, 3]
        assert [row.line for row in sheet.rows(after=2)] == [3]
        assert [row.line for row in sheet.rows()] == [2, 3]
        assert sheet.done == 1.0
        one = sheet.rows()
        next(one)
    one.close()


def test_one_oddity_a_million_times_is_one_notice(read):
    reading = read("编号,名称\n1,路\n" + "合计,3\n" * 5000)
    notice = next(one for one in reading.sheet.notices if one.code == "total-row")
    assert notice.count == 5000
    assert len(notice.lines) == 100
