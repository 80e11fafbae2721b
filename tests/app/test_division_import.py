"""Writing a list of divisions to the database."""

from datetime import date
from pathlib import Path

import pytest
from sqlalchemy import func, select

from app.directory.divisions import DivisionRow, ListError, compare, import_divisions, read_list
from app.directory.models import Division

DATA = Path(__file__).parents[2] / "app" / "directory" / "data" / "zhejiang.csv.gz"

# A province that the demonstration does not hold, so that the tests do not depend on what is loaded.
PROVINCE = DivisionRow("340000000000", "安徽省", 1)
CITY = DivisionRow("340100000000", "合肥市", 2)
COUNTY = DivisionRow("340102000000", "瑶海区", 3)
STREET = DivisionRow("340102001000", "明光路街道", 4)
VILLAGE = DivisionRow("340102001001", "甲社区居委会", 5)
ALL = (PROVINCE, CITY, COUNTY, STREET, VILLAGE)
FIRST, LATER = date(2026, 1, 5), date(2026, 7, 1)


def stored(session, code):
    found = select(
        Division.name, Division.level, Division.parent_code, Division.path, Division.valid_from, Division.withdrawn_on
    ).where(Division.code == code)
    return tuple(session.execute(found).one())


def test_a_first_import_stores_level_parent_and_full_path(db_session):
    changes = import_divisions(db_session, ALL, "test", on=FIRST)
    assert changes.added == ALL
    path = "安徽省/合肥市/瑶海区/明光路街道/甲社区居委会"
    assert stored(db_session, VILLAGE.code) == (VILLAGE.name, 5, STREET.code, path, FIRST, None)
    assert stored(db_session, PROVINCE.code) == ("安徽省", 1, None, "安徽省", FIRST, None)


def test_a_repeated_import_changes_nothing(db_session):
    import_divisions(db_session, ALL, "test", on=FIRST)
    changes = import_divisions(db_session, ALL, "test", on=LATER)
    assert not changes
    assert changes.unchanged == 5
    assert stored(db_session, VILLAGE.code)[4:] == (FIRST, None)


def test_a_renamed_county_changes_the_paths_below_it(db_session):
    import_divisions(db_session, ALL, "test", on=FIRST)
    renamed = DivisionRow(COUNTY.code, "新瑶海区", 3)
    changes = import_divisions(db_session, [PROVINCE, CITY, renamed, STREET, VILLAGE], "test", on=LATER)
    assert [(one.old, one.new) for one in changes.renamed] == [("瑶海区", "新瑶海区")]
    assert stored(db_session, VILLAGE.code)[3] == "安徽省/合肥市/新瑶海区/明光路街道/甲社区居委会"
    assert stored(db_session, VILLAGE.code)[4] == FIRST


def test_a_withdrawn_village_is_kept_and_may_return(db_session):
    import_divisions(db_session, ALL, "test", on=FIRST)
    assert import_divisions(db_session, ALL[:4], "test", on=LATER).withdrawn == (VILLAGE.code,)
    assert stored(db_session, VILLAGE.code)[4:] == (FIRST, LATER)
    assert not import_divisions(db_session, ALL[:4], "test", on=LATER)
    assert import_divisions(db_session, ALL, "test", on=LATER).returned == (VILLAGE,)
    assert stored(db_session, VILLAGE.code)[4:] == (FIRST, None)


def test_a_list_with_damaged_rows_withdraws_nothing(db_session, tmp_path):
    villages = [DivisionRow(f"340102001{n:03}", f"第{n}居委会", 5) for n in range(1, 200)]
    import_divisions(db_session, [*ALL[:4], *villages], "test", on=FIRST)
    lines = [f"{row.code},{row.name},{row.level}" for row in (*ALL[:4], *villages[:-1])]
    path = tmp_path / "list.csv"
    path.write_text("\n".join(["code,name,level", *lines, "34010200119,第199居委会,5", ""]), "utf-8")
    changes = import_divisions(db_session, read_list(path), "test", on=LATER)
    assert changes.withheld == ("340102001199",)
    assert stored(db_session, "340102001199")[5] is None


def test_a_list_that_was_cut_off_is_refused_unless_it_is_meant(db_session):
    villages = [DivisionRow(f"340102001{n:03}", f"第{n}居委会", 5) for n in range(1, 200)]
    import_divisions(db_session, [*ALL[:4], *villages], "test", on=FIRST)
    with pytest.raises(ListError, match="would withdraw 199 of 203 divisions"):
        import_divisions(db_session, ALL[:4], "test", on=LATER)
    assert stored(db_session, VILLAGE.code)[5] is None
    changes = import_divisions(db_session, ALL[:4], "test", on=LATER, allow_mass_withdrawal=True)
    assert len(changes.withdrawn) == 199


@pytest.mark.slow
def test_the_real_list_is_stored_whole_and_its_paths_are_unique(db_session):
    import_divisions(db_session, read_list(DATA), "test", on=FIRST)
    own = Division.code.startswith("33")
    assert db_session.scalar(select(func.count()).where(own, Division.withdrawn_on.is_(None))) == 27_036
    assert db_session.scalar(select(func.count(func.distinct(Division.path))).where(own)) == 27_036
    assert stored(db_session, "330182101000")[3] == "浙江省/杭州市/建德市/莲花镇"
    assert stored(db_session, "330803103000")[3] == "浙江省/衢州市/衢江区/莲花镇"
    rows = db_session.execute(select(Division.code, Division.name).where(own))
    assert not compare({code: (name, False) for code, name in rows}, read_list(DATA))
