"""Reading lists of divisions, and comparing them: the real list of Zhejiang and damaged ones."""

import csv
import gzip
import hashlib
import re
from collections import Counter
from pathlib import Path

import pytest

from app.directory.codes import TownshipKind, fault_of, full_path, is_placeholder, lineage_of, township_kind
from app.directory.division_lists import CodeFault, DivisionRow, ListError, RowFault, read_list
from app.directory.divisions import Renamed, compare

DATA = Path(__file__).parents[2] / "app" / "directory" / "data"
PROVINCE = DivisionRow("330000000000", "浙江省", 1)
CITY = DivisionRow("330700000000", "金华市", 2)
COUNTY = DivisionRow("330782000000", "义乌市", 3)
TOWN = DivisionRow("330782100000", "佛堂镇", 4)
VILLAGE = DivisionRow("330782100201", "甲村村委会", 5)
SMALL = (PROVINCE, CITY, COUNTY, TOWN, VILLAGE)


@pytest.fixture(scope="module")
def zhejiang():
    return {row.code: row for row in read_list(DATA / "zhejiang.csv.gz")}


def as_stored(rows):
    return {row.code: (row.name, False) for row in rows}


def file_with(tmp_path, *damaged, good=500):
    """A list of `good` sound villages and the damaged lines after them; the first damaged one is line `good` + 6."""
    sound = [f"{row.code},{row.name},{row.level}" for row in SMALL[:4]]
    # 399 villages to a town, so that each code stays inside the range of real villages.
    sound += [f"330782{101 + n // 399:03}000,{n}镇,4" for n in range(0, good, 399)]
    towns = len(sound) - 4
    sound += [f"330782{101 + n // 399:03}{n % 399 + 1:03},第{n}村,5" for n in range(good - towns)]
    path = tmp_path / "list.csv"
    path.write_bytes("\n".join(["code,name,level", *sound, *damaged, ""]).encode())
    return path


def rejected_in(path):
    divisions = read_list(path)
    for _ in divisions:
        pass
    return [(one.line, one.reason) for one in divisions.rejected]


# The real list


def test_the_counts_of_zhejiang_are_those_of_the_2023_edition(zhejiang):
    assert Counter(row.level for row in zhejiang.values()) == {1: 1, 2: 11, 3: 90, 4: 1387, 5: 25547}
    kinds = Counter(township_kind(code) for code, row in zhejiang.items() if row.level == 4)
    assert kinds == {
        TownshipKind.STREET: 488,
        TownshipKind.TOWN: 619,
        TownshipKind.TOWNSHIP: 258,
        TownshipKind.SIMILAR: 22,
    }


def test_every_county_of_zhejiang_is_there_with_townships_and_villages(zhejiang):
    counties = {code for code, row in zhejiang.items() if row.level == 3}
    assert len(counties) == 90
    assert {"330113000000", "330114000000", "330383000000", "330782000000"} <= counties
    assert {code[:6] for code, row in zhejiang.items() if row.level == 4} == {code[:6] for code in counties}
    assert {code[:6] for code, row in zhejiang.items() if row.level == 5} == {code[:6] for code in counties}


def test_every_real_code_is_valid_and_its_parent_is_listed_before_it(zhejiang):
    assert list(zhejiang) == sorted(zhejiang)
    seen = {None}
    for code, row in zhejiang.items():
        assert fault_of(code) is None
        assert row.parent_code in seen
        seen.add(code)


def test_longgang_has_one_placeholder_township_and_its_paths_leave_it_out(zhejiang):
    townships = [row for row in zhejiang.values() if row.level == 4 and row.code.startswith("330383")]
    assert [row.code for row in townships] == ["330383198000"]
    placeholders = [row.code for row in zhejiang.values() if is_placeholder(row.code, row.name)]
    assert placeholders == ["330383198000"]
    villages = [row for row in zhejiang.values() if row.level == 5 and row.code.startswith("330383")]
    assert len(villages) == 103
    names = [zhejiang[code].name for code in lineage_of(villages[0].code)]
    assert full_path(names) == f"浙江省/温州市/龙港市/{villages[0].name}"


def test_two_towns_of_one_name_are_told_apart_by_their_path(zhejiang):
    found = [code for code, row in zhejiang.items() if row.name == "莲花镇" and row.level == 4]
    assert found == ["330182101000", "330803103000"]
    paths = {full_path([zhejiang[part].name for part in lineage_of(code)]) for code in found}
    assert paths == {"浙江省/杭州市/建德市/莲花镇", "浙江省/衢州市/衢江区/莲花镇"}


def test_no_two_divisions_share_a_path(zhejiang):
    paths = Counter(full_path([zhejiang[part].name for part in lineage_of(code)]) for code in zhejiang)
    assert [path for path, count in paths.items() if count > 1] == []


def test_codes_have_gaps(zhejiang):
    yiwu = sorted(row.code[6:9] for row in zhejiang.values() if row.level == 4 and row.code.startswith("330782"))
    assert yiwu == [f"{n:03}" for n in (*range(1, 9), 100, 101, 102, 104, 105, 106)]
    assert "330782103000" not in zhejiang


def test_the_data_file_is_the_one_that_its_source_note_describes(zhejiang):
    note = (DATA / "SOURCE.md").read_text("utf-8")
    packed = (DATA / "zhejiang.csv.gz").read_bytes()
    assert f"| sha256 of `zhejiang.csv.gz` | `{hashlib.sha256(packed).hexdigest()}` |" in note
    assert f"| sha256 of the csv inside | `{hashlib.sha256(gzip.decompress(packed)).hexdigest()}` |" in note
    counts = [int(number) for number in re.findall(r"^\| (?:[1-5] \w+|all) \| (\d+) \|$", note, re.MULTILINE)]
    assert counts == [*(sum(row.level == level for row in zhejiang.values()) for level in range(1, 6)), len(zhejiang)]
    assert packed[4:8] == b"\0\0\0\0", "the gzip header carries a time, so a rebuild would give other bytes"


# Forms and encodings


@pytest.mark.parametrize(
    ("encoding", "told"), [("utf-8", "utf-8"), ("utf-8-sig", "utf-8-sig"), ("gb18030", "gb18030"), ("gbk", "gb18030")]
)
@pytest.mark.parametrize("packed", [False, True])
def test_the_encoding_is_found_and_said(tmp_path, encoding, told, packed):
    content = "code,name,level\r\n330000000000,浙江省,1\r\n330700000000,金华市,2\r\n".encode(encoding)
    path = tmp_path / "list.csv"
    path.write_bytes(gzip.compress(content) if packed else content)
    divisions = read_list(path)
    assert list(divisions) == [PROVINCE, CITY]
    assert divisions.encoding == {"list.csv": told}


def test_rare_characters_and_emoji_survive_both_encodings(tmp_path):
    for encoding in ("utf-8", "gb18030"):
        path = tmp_path / f"{encoding}.csv"
        path.write_bytes("code,name,level\n330000000000,㳇𡐓\ue170😀,1\n".encode(encoding))
        assert [row.name for row in read_list(path)] == ["㳇𡐓\ue170😀"]


def test_columns_may_stand_in_any_order_and_others_are_ignored(tmp_path):
    path = tmp_path / "list.csv"
    path.write_text("Level, name ,remark,CODE\n1, 浙江省 ,x,\t330000000000\n", "utf-8")
    assert list(read_list(path)) == [PROVINCE]


def test_a_list_may_be_read_twice(tmp_path):
    divisions = read_list(file_with(tmp_path, "330782,坏行,3"))
    assert list(divisions) == list(divisions)
    assert len(divisions.rejected) == 1


def china_division_folder(folder, **changed):
    """A small national set: Beijing, Kinmen, Longgang, Dongguan and a province-run city, as the package writes them."""
    tables = {
        "provinces": "code,name\n11,北京市\n33,浙江省\n35,福建省\n42,湖北省\n44,广东省\n",
        "cities": "code,name,provinceCode\n1101,市辖区,11\n3303,温州市,33\n3505,泉州市,35\n"
        "4290,省直辖县级行政区划,42\n4419,东莞市,44\n",
        "areas": "code,name,cityCode,provinceCode\n110101,东城区,1101,11\n330383,龙港市,3303,33\n350527,金门县,3505,35\n"
        "429004,仙桃市,4290,42\n441900,东莞市,4419,44\n",
        "streets": "code,name,areaCode,provinceCode,cityCode\n110101001,东华门街道,110101,11,1101\n"
        "330383198,龙港县直辖村级区划,330383,33,3303\n350527000,金门县,350527,35,3505\n"
        "441900003,东城街道,441900,44,4419\n",
        "villages": "code,name,streetCode,provinceCode,cityCode,areaCode\n"
        '110101001001,"多福巷社区居委会",110101001,11,1101,110101\n350527000000,金门县,350527000,35,3505,350527\n'
        "441900003001,岗贝社区居委会,441900003,44,4419,441900\n",
    }
    folder.mkdir()
    for name, content in {**tables, **changed}.items():
        (folder / f"{name}.csv").write_text(content, "utf-8")
    return folder


def test_the_five_tables_of_the_package_are_read_as_one_list(tmp_path):
    divisions = read_list(china_division_folder(tmp_path / "dist"))
    rows = {row.code: row for row in divisions}
    assert divisions.rejected == []
    assert [row.level for row in rows.values()] == sorted(row.level for row in rows.values())
    assert rows["330383198000"] == DivisionRow("330383198000", "龙港县直辖村级区划", 4)
    assert rows["441900003000"].parent_code == "441900000000"
    assert rows["429004000000"].parent_code == "429000000000"


def test_a_row_that_repeats_the_place_above_is_folded_into_it(tmp_path):
    divisions = read_list(china_division_folder(tmp_path / "dist"))
    rows = {row.code: row for row in divisions}
    assert divisions.folded == 3
    assert rows["441900000000"] == DivisionRow("441900000000", "东莞市", 2)
    assert rows["350527000000"] == DivisionRow("350527000000", "金门县", 3)


def test_a_code_of_the_wrong_length_for_its_table_is_set_aside(tmp_path):
    villages = "code,name\n" + "".join(f"330383198{n:03},第{n}村\n" for n in range(1, 200)) + "33038319820,坏村\n"
    divisions = read_list(china_division_folder(tmp_path / "dist", villages=villages))
    assert len([row for row in divisions if row.level == 5]) == 199
    assert [(one.file, one.line, one.reason) for one in divisions.rejected] == [
        ("villages.csv", 201, CodeFault.WRONG_LENGTH)
    ]


def test_a_folder_without_all_five_tables_is_refused(tmp_path):
    folder = china_division_folder(tmp_path / "dist")
    (folder / "streets.csv").unlink()
    with pytest.raises(ListError, match="lacks streets.csv"):
        list(read_list(folder))


# Damaged rows


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("33078210020,少一位,5", CodeFault.WRONG_LENGTH),
        ("3307821002011,多一位,5", CodeFault.WRONG_LENGTH),
        ("330782,丢了零,3", CodeFault.WRONG_LENGTH),
        ("330782100202.0,小数,5", CodeFault.NOT_DIGITS),
        ("3.30782E+11,科学记数,5", CodeFault.NOT_DIGITS),
        ("3307821002\x002,空字节,5", CodeFault.NOT_DIGITS),
        (",没有代码,5", CodeFault.NOT_DIGITS),
        ("990782100202,没有的省,5", CodeFault.UNKNOWN_PROVINCE),
        ("330782000202,没有乡镇,5", CodeFault.SKIPS_LEVEL),
        ("330782600000,越界,4", CodeFault.TOWNSHIP_RANGE),
        ("330782100999,越界,5", CodeFault.VILLAGE_RANGE),
        ("330782100202,空\x00字节,5", RowFault.NAME_CHARACTER),
        ("330782100202,甲/乙,5", RowFault.NAME_CHARACTER),
        ('330782100202,"两\n行",5', RowFault.NAME_CHARACTER),
        ("330782100202,坏\ufffd字,5", RowFault.NAME_CHARACTER),
        ("330782100202,  ,5", RowFault.NAME_MISSING),
        ("330782100202," + "长" * 101 + ",5", RowFault.NAME_TOO_LONG),
        ("330782100202,级别不符,4", RowFault.LEVEL_MISMATCH),
        ("330782100202,级别不是数,村", RowFault.LEVEL_MISMATCH),
        ("330782100202,少一列", RowFault.WRONG_FIELD_COUNT),
        ("330782100202,多一列,5,x", RowFault.WRONG_FIELD_COUNT),
        ("330782100000,佛堂镇,4", RowFault.DUPLICATE),
    ],
)
def test_a_damaged_row_is_set_aside_with_its_line_and_reason(tmp_path, line, reason):
    after = "330782100299,最后一村,5"
    path = file_with(tmp_path, line, after)
    assert rejected_in(path) == [(506, reason)]
    assert [row.name for row in read_list(path)][-1] == "最后一村"


def test_lines_are_counted_as_an_editor_shows_them(tmp_path):
    path = file_with(tmp_path, "", '330782100202,"两\n行",5', "330782,坏行,3")
    assert rejected_in(path) == [(507, RowFault.NAME_CHARACTER), (509, CodeFault.WRONG_LENGTH)]


def test_one_damaged_row_in_a_hundred_is_borne_and_one_more_is_not(tmp_path):
    # 4 rows of the higher levels and 491 others make 495 sound ones.
    assert len(rejected_in(file_with(tmp_path, *["x,坏行,5"] * 5, good=491))) == 5
    with pytest.raises(ListError, match=r"6 of 501 rows are damaged.*list.csv line 497: code-not-digits"):
        rejected_in(file_with(tmp_path, *["x,坏行,5"] * 6, good=491))


def test_a_file_of_nothing_but_damage_is_given_up_early(tmp_path):
    path = tmp_path / "list.csv"
    path.write_text("code,name,level\n" + "x,y,z\n" * 20_000, "utf-8")
    divisions = read_list(path)
    with pytest.raises(ListError, match="this is no list of divisions"):
        list(divisions)
    assert divisions.rows_read == 10_000


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "lacks the column code, name, level"),
        (b"code,name\n330000000000,x\n", "lacks the column level"),
        (b"code,name,level\n", "holds no rows"),
        ("code,name,level\n".encode("utf-16"), "is UTF-16"),
        (b"code,name,level\n330000000000,\xff\xff,1\n", "neither UTF-8 nor GB 18030"),
        (b'code,name,level\n330000000000,"x', "line 2 is not a row"),
        (b"code,name,level\n330000000000," + b"x" * 200_000 + b",1\n", "line 2 is not a row"),
        (gzip.compress(b"code,name,level\n" + bytes(range(97, 123)) * 99, mtime=0)[:-12], "can not be read or unpacked"),
        (b"\x1f\x8b not really gzip", "can not be read or unpacked"),
    ],
    # Names of their own: a name made of the bytes would differ between two processes that pack them a second apart.
    ids=["empty", "no-level", "no-rows", "utf-16", "no-encoding", "no-quote", "long-line", "cut-gzip", "no-gzip"],
)
def test_a_file_that_is_no_list_is_refused_with_the_reason(tmp_path, content, message):
    path = tmp_path / "list.csv"
    path.write_bytes(content)
    with pytest.raises(ListError, match=message):
        list(read_list(path))


def test_a_missing_file_is_refused(tmp_path):
    with pytest.raises(ListError, match="FileNotFoundError"):
        list(read_list(tmp_path / "none.csv"))


def test_no_message_repeats_what_stands_in_the_file(tmp_path):
    path = tmp_path / "list.csv"
    path.write_text("code,name,level\n330102199001011234,张三 13800000000,5\n", "utf-8")
    with pytest.raises(ListError) as refused:
        list(read_list(path))
    assert "330102199001011234" not in str(refused.value)
    assert "张三" not in str(refused.value)


# Comparing


def test_a_first_import_adds_everything_in_the_order_of_codes():
    changes = compare({}, reversed(SMALL))
    assert changes.added == SMALL
    assert (changes.renamed, changes.withdrawn, changes.returned, changes.unchanged) == ((), (), (), 0)


def test_a_repeated_import_changes_nothing(zhejiang):
    changes = compare(as_stored(zhejiang.values()), zhejiang.values())
    assert not changes
    assert changes.unchanged == len(zhejiang)


def test_renamed_withdrawn_added_and_returned_are_told_apart():
    new = DivisionRow("330782100202", "乙村村委会", 5)
    back = DivisionRow("330782100203", "丙村村委会", 5)
    stored = as_stored(SMALL) | {back.code: ("丙村村委会", True), "330782100204": ("丁村村委会", True)}
    stored[TOWN.code] = ("旧名镇", False)
    changes = compare(stored, [PROVINCE, CITY, COUNTY, TOWN, new, back])
    assert changes
    assert changes.added == (new,)
    assert changes.renamed == (Renamed(TOWN.code, "旧名镇", "佛堂镇"),)
    assert changes.withdrawn == (VILLAGE.code,)
    assert changes.returned == (back,)
    assert changes.unchanged == 3


def test_only_provinces_whose_own_row_is_listed_lose_divisions():
    anhui = {"340000000000": ("安徽省", False), "340100000000": ("合肥市", False)}
    stored = as_stored(SMALL) | anhui
    assert compare(stored, [PROVINCE, CITY]).withdrawn == (COUNTY.code, TOWN.code, VILLAGE.code)
    assert compare(stored, [CITY, COUNTY]).withdrawn == ()


def test_a_damaged_list_withdraws_nothing_and_says_what_it_kept():
    changes = compare(as_stored(SMALL), SMALL[:4], complete=False)
    assert changes.withdrawn == ()
    assert changes.withheld == (VILLAGE.code,)
    assert not changes


def test_rows_without_a_listed_parent_are_left_out_with_all_below_them():
    changes = compare(as_stored(SMALL), [PROVINCE, CITY, TOWN, VILLAGE])
    assert changes.orphans == (TOWN, VILLAGE)
    assert changes.withdrawn == ()
    assert changes.withheld == (COUNTY.code,)
    assert changes.unchanged == 2


def test_a_part_of_a_province_may_hang_below_what_is_stored_unless_that_is_withdrawn():
    new = DivisionRow("330782100202", "乙村村委会", 5)
    assert compare(as_stored(SMALL), [new]).added == (new,)
    assert compare(as_stored(SMALL) | {TOWN.code: (TOWN.name, True)}, [new]).orphans == (new,)
    assert compare({}, [new]).orphans == (new,)


def test_the_rows_of_a_written_list_are_those_that_were_read(tmp_path, zhejiang):
    path = tmp_path / "copy.csv"
    with path.open("w", encoding="gb18030", newline="") as stream:
        csv.writer(stream).writerows(
            [("code", "name", "level"), *((row.code, row.name, row.level) for row in zhejiang.values())]
        )
    assert {row.code: row for row in read_list(path)} == zhejiang
