"""A file is what its bytes say; NDJSON and Parquet; and no library's error ever gets out."""

import ast
import io
import json
import subprocess
import sys
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

import pyarrow
import pyarrow.parquet
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.records.sheets import RejectedRow, Row, SheetError, open_sheet

ROOT = Path(__file__).parents[2]
WORDS = json.loads((ROOT / "app" / "text" / "sheets.json").read_text(encoding="utf-8"))


def parquet(table: pyarrow.Table) -> bytes:
    out = io.BytesIO()
    pyarrow.parquet.write_table(table, out)
    return out.getvalue()


SMALL = parquet(pyarrow.table({"编号": ["a", None, "c"], "金额": [Decimal("1.20"), Decimal("3.00"), None]}))


@pytest.mark.parametrize(
    ("content", "name", "code"),
    [
        (b"a,b\n1,2\n", "a.xlsx", "not-what-it-says"), (b"PK\x03\x04rest", "a.csv", "not-what-it-says"), (SMALL, "a.csv", "not-what-it-says"),
        (b"a,b\n", "a.parquet", "not-what-it-says"), (b"%PDF-1.7", "a.csv", "not-what-it-says"), (b"<html><table>", "a.xls", "not-what-it-says"),
        (b"  <HTML><table>", "a.csv", "not-what-it-says"), (b"a,b", "a.doc", "unknown-format"), (b"a,b", "", "unknown-format"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"x" * 1000, "a.xls", "old-excel"), (b"", "a.xlsx", "empty"), (b"\0" * 100, "a.csv", "empty"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"x" * 600 + "EncryptedPackage".encode("utf-16-le"), "a.xlsx", "password-protected"),
        (b"PK\x03\x04" + b"\0" * 200, "a.xlsx", "damaged"), (b"PAR1" + b"\0" * 200, "a.parquet", "damaged"), (b"\x1f\x8b\x08", "a.csv", "not-what-it-says"),
        (b"[1]\n", "a.ndjson", "not-ndjson"), (b'[\n{"a": 1}]\n'[:2], "a.jsonl", "not-ndjson"), (b"hello\n", "a.ndjson", "not-ndjson"),
    ],
)  # fmt: skip
def test_what_a_file_is_not_is_said(read, content, name, code):
    with pytest.raises(SheetError) as raised:
        read(content, name)
    assert raised.value.code == code


def test_a_workbook_under_its_old_ending_is_read(read, workbook):
    def fill(book, sheet):
        sheet.write_row("A1", ["编号", "名称"])
        sheet.write_row("A2", ["1", "路"])

    assert read(workbook(fill), "账.XLS").values == [("1", "路")]


def test_objects_are_read_with_every_digit_and_wrong_lines_rejected_alone(read):
    lines = [
        '{"编号": "1", "金额": 0.10}', "", '{"金额": 330782198001011234}', '{"编号": NaN}', '{"编号": [1]}', '{"编号": 1, "编号": 2}', "[1]", "{", "[" * 100_000,
        '{"编号": "\\ud800"}', '{"编号": "\\u0000"}', '{"编号": ' + "9" * 5000 + "}", '{"": 1}', '{"编号": null, "金额": true}', '{"编号": 1e999999999}',
    ]  # fmt: skip
    reading = read("\n".join(lines), "a.ndjson")
    assert reading.sheet.headers == ("编号", "金额")
    assert reading.values == [("1", Decimal("0.10")), (None, 330782198001011234), (None, True), (Decimal("1e999999999"), None)]
    assert [row.reason for row in reading.rejected] == [
        "not-json", "nested-value", "duplicate-field", "not-an-object", "not-json", "not-json", "broken-character", "nul-character", "not-json", "bad-field-name",
    ]  # fmt: skip
    assert [row.line for row in reading.rows] == [1, 3, 14, 15]


def test_a_field_that_comes_up_late_rejects_its_line(read):
    reading = read('{"a": 1}\n' * 1500 + '{"a": 1, "b": 2}\n', "a.jsonl")
    assert [(row.line, row.reason) for row in reading.rejected] == [(1501, "unknown-field")]


def test_objects_in_gbk_are_read_and_it_is_said(read):
    reading = read('{"名称": "村道硬化"}\n'.encode("gbk"), "a.ndjson")
    assert reading.values == [("村道硬化",)]
    assert "encoding" in reading.notices


def test_parquet_gives_typed_values(read):
    table = pyarrow.table(
        {
            "编号": ["a", None], "金额": [Decimal("1.20"), None], "日期": [date(2021, 9, 3), None],
            "时刻": pyarrow.array([datetime(2021, 9, 3, tzinfo=UTC), None], pyarrow.timestamp("ns", "UTC")),
            "远": pyarrow.array([1, 2**62], pyarrow.timestamp("us")), "种类": pyarrow.array(["x", "y"]).dictionary_encode(),
        }
    )  # fmt: skip
    reading = read(parquet(table), "a.parquet")
    assert reading.sheet.headers == ("编号", "金额", "日期", "时刻", "远", "种类")
    assert reading.values[0] == ("a", Decimal("1.20"), date(2021, 9, 3), datetime(2021, 9, 3, tzinfo=UTC), datetime(1970, 1, 1, 0, 0, 0, 1), "x")
    assert reading.values[1] == (None, None, None, None, str(2**62), "y")


def test_parquet_with_nested_or_doubled_or_no_columns_is_refused(read):
    for table, code in [
        (pyarrow.table({"a": [[1]]}), "nested-column"), (pyarrow.table({"a": [b"x"]}), "nested-column"), (pyarrow.table({"a": pyarrow.array([], "int64")}), "empty"),
        (pyarrow.Table.from_arrays([pyarrow.array([1]), pyarrow.array([2])], names=["a", "a"]), "duplicate-header"),
        (pyarrow.Table.from_arrays([pyarrow.array([1])], names=[" "]), "no-header"),
    ]:  # fmt: skip
        with pytest.raises(SheetError) as raised:
            read(parquet(table), "a.parquet")
        assert raised.value.code == code


def test_parquet_goes_on_below_a_record(tmp_path):
    path = tmp_path / "a"
    path.write_bytes(parquet(pyarrow.table({"a": list(range(5000))})))
    with open_sheet(path, "a.parquet") as sheet:
        assert [row.line for row in sheet.rows(after=4998)] == [4999, 5000]


def _read_all(path: Path, name: str) -> None:
    """Read whatever there is; anything but SheetError is a failure."""
    try:
        with open_sheet(path, name) as sheet:
            for row in sheet.rows():
                assert isinstance(row, (Row, RejectedRow))
                assert row.line > 0
                if isinstance(row, Row):
                    assert len(row.values) == len(sheet.headers)
                else:
                    assert row.reason in WORDS["rows"]
            assert {notice.code for notice in sheet.notices} <= WORDS["notices"].keys()
            assert sheet.done <= 1
    except SheetError as error:
        assert error.code in WORDS["errors"]


_READ_FLIPPED = """
import sys
from pathlib import Path
from app.records.sheets import SheetError, open_sheet
path = Path(sys.argv[1])
whole = path.read_bytes()
for at in range(len(whole)):
    for bit in (1, 16, 32):
        path.write_bytes(whole[:at] + bytes([whole[at] ^ bit]) + whole[at + 1 :])
        try:
            with open_sheet(path, "a.parquet") as sheet:
                list(sheet.rows())
        except SheetError:
            pass
print("alive")
"""


@pytest.mark.slow
def test_no_flipped_bit_of_a_parquet_file_ends_the_process(tmp_path):
    path = tmp_path / "any"
    path.write_bytes(SMALL)
    done = subprocess.run([sys.executable, "-c", _READ_FLIPPED, str(path)], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "alive\n"), done.stderr[-500:]


ENDINGS = st.sampled_from(["csv", "tsv", "txt", "xlsx", "xls", "ndjson", "jsonl", "parquet", "zip"])
NO_DEADLINE = settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@NO_DEADLINE
@given(st.one_of(st.binary(), st.text().map(lambda text: text.encode("utf-8", "surrogatepass")), st.text('a,"\n\r;\t1合计：村\ufeff').map(str.encode)), ENDINGS)
def test_no_error_of_a_library_escapes_for_any_bytes(tmp_path, content, ending):
    path = tmp_path / "any"
    path.write_bytes(content)
    _read_all(path, f"a.{ending}")


@NO_DEADLINE
@given(st.lists(st.lists(st.text(max_size=8), max_size=5), max_size=12), st.sampled_from(["utf-8", "gb18030", "utf-16"]))
def test_no_error_escapes_for_any_table(tmp_path, cells, codec):
    path = tmp_path / "any"
    path.write_bytes("\n".join(",".join(row) for row in cells).encode(codec, "replace"))
    _read_all(path, "a.csv")


@NO_DEADLINE
@given(st.data())
def test_no_error_escapes_for_a_file_with_wrong_bytes(tmp_path, workbook_bytes, data):
    content, ending = data.draw(st.sampled_from([(workbook_bytes, "xlsx"), (SMALL, "parquet")]))
    wrong = bytearray(content)
    for _ in range(data.draw(st.integers(1, 6))):
        wrong[data.draw(st.integers(0, len(wrong) - 1))] = data.draw(st.integers(0, 255))
    path = tmp_path / "any"
    path.write_bytes(bytes(wrong[: data.draw(st.integers(0, len(wrong)))] if data.draw(st.booleans()) else wrong))
    _read_all(path, f"a.{ending}")


@pytest.fixture
def workbook_bytes(workbook):
    def fill(book, sheet):
        sheet.merge_range("A1:C1", "标题")
        sheet.write_row("A2", ["编号", "名称", "金额"])
        for at in range(2, 6):
            sheet.write_row(at, 0, [str(at), "路", 1.5])

    return workbook(fill)


def _literals(folder: Path) -> set[str]:
    found = set()
    for path in folder.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                found.add(node.value)
    return found


def test_every_slug_has_words_in_both_languages_and_every_word_a_slug():
    code = _literals(ROOT / "app" / "records")
    for kind, texts in WORDS.items():
        assert {slug for slug in texts if slug not in code} == set(), kind
        assert all(len(pair) == 2 and all(pair) for pair in texts.values()), kind
    called = {"SheetError": "errors", "add": "notices", "_Refused": "rows"}
    for path in (ROOT / "app" / "records").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.Call) or not node.args:
                continue
            name = getattr(node.func, "id", getattr(node.func, "attr", ""))
            place = 1 if name in ("Unreadable", "RejectedRow") else 0
            catalogue = {**called, "Unreadable": "values", "RejectedRow": "rows"}.get(name)
            slug = node.args[place] if len(node.args) > place else None
            if catalogue and isinstance(slug, ast.Constant) and isinstance(slug.value, str):
                assert slug.value in WORDS[catalogue], f"{path.name}:{node.lineno}"
