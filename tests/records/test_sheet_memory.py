"""Large files are read in the memory of small ones."""

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
import xlsxwriter

# In a process of its own, whose greatest memory is its own: what it holds before, and what reading adds (in KiB).
_READ = """
import resource, sys
from pathlib import Path
from app.records.sheets import RejectedRow, open_sheet
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
with open_sheet(Path(sys.argv[1]), sys.argv[2]) as sheet:
    rows = rejected = 0
    for row in sheet.rows():
        rows += 1
        rejected += isinstance(row, RejectedRow)
print(rows, rejected, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""


def measure(path: Path, name: str) -> tuple[int, int, int]:
    done = subprocess.run([sys.executable, "-c", _READ, str(path), name], capture_output=True, text=True, check=True)
    rows, rejected, memory = map(int, done.stdout.split())
    return rows, rejected, memory


@pytest.mark.slow
def test_a_csv_of_300_megabytes_needs_no_memory_of_its_size(tmp_path):
    path = tmp_path / "large"
    line = "GC-2021-001,村道硬化工程,2021-09-03,1234567.89,双童村经济合作社," + "说明" * 40 + "\n"
    block = (line * 1000).encode("gbk")
    with path.open("wb") as file:
        file.write("编号,名称,日期,金额,付款人,说明\n".encode("gbk"))
        times = 300_000_000 // len(block)
        for _ in range(times):
            file.write(block)
    rows, rejected, memory = measure(path, "large.csv")
    assert (rows, rejected) == (times * 1000, 0)
    assert memory < 60_000


@pytest.mark.slow
def test_a_csv_whose_quotation_mark_never_closes_needs_no_memory_of_its_size(tmp_path):
    path = tmp_path / "large"
    with path.open("wb") as file:
        file.write('编号,名称\n1,"路\n'.encode())
        for _ in range(100):
            file.write("2,桥\n".encode() * 4_000)
    rows, rejected, memory = measure(path, "large.csv")
    assert (rows, rejected) == (400_001, 1)
    assert memory < 30_000


@pytest.mark.slow
def test_a_workbook_of_100_000_rows_is_read_row_by_row(tmp_path):
    # A workbook with its one sheet replaced: to have a hundred thousand rows written takes longer than to read them.
    small, path = tmp_path / "small.xlsx", tmp_path / "large.xlsx"
    book = xlsxwriter.Workbook(str(small))
    book.add_worksheet()
    book.close()

    def row(*texts: str) -> str:
        return "<row>" + "".join(f'<c t="inlineStr"><is><t>{text}</t></is></c>' for text in texts) + "</row>"

    records = (row(f"GC-{at}", "村道硬化工程", "2021-09-03", "12.25", "双童村经济合作社") for at in range(100_000))
    with zipfile.ZipFile(small) as old, zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as new:
        for info in old.infolist():
            if not info.filename.endswith("sheet1.xml"):
                new.writestr(info.filename, old.read(info))
        head = row("编号", "名称", "日期", "金额", "付款人")
        new.writestr("xl/worksheets/sheet1.xml", f"<worksheet><sheetData>{head}{''.join(records)}</sheetData></worksheet>")
    rows, rejected, memory = measure(path, "large.xlsx")
    assert (rows, rejected) == (100_000, 0)
    assert memory < 60_000
