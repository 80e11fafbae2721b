"""Dataset types are made at run time through one door of the database, which trusts no name that it is given."""

import json

import psycopg
import pytest
from psycopg import errors

BOOK = {
    "code": "pay_book", "name": {"zh": "误工补贴", "en": "Lost-work pay"}, "owner": "agriculture", "freshness_days": 7,
    "key": ["entry_no"], "event_date": "paid_on",
    "fields": [
        {"code": "entry_no", "name": {"zh": "编号", "en": "Number"}, "type": "text", "role": "doc_no", "required": True},
        {"code": "worker", "name": {"zh": "领取人", "en": "Worker"}, "type": "person", "role": "payee", "personal": True},
        {"code": "amount", "name": {"zh": "金额", "en": "Amount"}, "type": "money", "role": "amount", "public": True},
        {"code": "paid_on", "name": {"zh": "发放日期", "en": "Paid on"}, "type": "date", "role": "date"},
    ],
}  # fmt: skip
INSERT = (
    "INSERT INTO records.pay_book (source, source_key, version, place, arrived_at, amount) VALUES (%s, %s, 1, %s, now(), 100)"
)


def definition(**more):
    return {**BOOK, **more}


def with_field(**field):
    base = {"code": "extra", "name": {"zh": "备注", "en": "Note"}, "type": "text"}
    return definition(fields=[*BOOK["fields"], {**base, **field}])


def define(connection, document, module="labour"):
    return connection.execute("SELECT define_dataset(%s, %s)", (module, json.dumps(document))).fetchone()[0]


def columns(connection, table="pay_book"):
    found = connection.execute(
        "SELECT column_name FROM information_schema.columns WHERE table_schema = 'records' AND table_name = %s", (table,)
    )
    return {name for (name,) in found}


def act_as(connection, username):
    """Set what signing in sets, from the account's appointment."""
    row = connection.execute(
        """
        SELECT a.id::text, p.role, o.id::text, scope_of_place(o.division_code)
          FROM staff_accounts a JOIN appointments p ON p.account_id = a.id JOIN organisations o ON o.id = p.org_id
         WHERE a.username = %s
        """,
        (username,),
    ).fetchone()
    be(connection, kind="staff", person=row[0], role=row[1], org=row[2], lo=row[3], hi=row[3] + ":")


def be(connection, **settings):
    blank = dict.fromkeys(("kind", "person", "role", "org", "lo", "hi", "reach", "petition", "purpose", "key_hash"), "")
    for name, value in {**blank, **settings}.items():
        connection.execute("SELECT set_config(%s, %s, true)", (f"mj.{name}", value))


@pytest.fixture
def owner(database):
    with psycopg.connect(database["OWNER_DATABASE_URL"]) as connection:
        yield connection


@pytest.fixture
def web(database):
    with psycopg.connect(database["DATABASE_URL"]) as connection:
        yield connection


@pytest.fixture
def book(owner):
    """The dataset pay_book with one row in a village of Shangtian (Fenghua) and one in Wuxing."""
    define(owner, BOOK)
    owner.execute(INSERT, ("ledger", "1", "330213007213"))
    owner.execute(INSERT, ("ledger", "2", "330502101235"))
    owner.commit()


def test_a_dataset_gets_a_table_with_system_columns_and_a_name_beside_each_person(owner):
    assert define(owner, BOOK) == 1
    assert columns(owner) == {
        "row_id", "source", "source_key", "version", "place", "event_on", "arrived_at", "superseded_at", "withdrawn", "batch_id",
        "unreadable", "entry_no", "worker", "worker_name", "amount", "paid_on",
    }  # fmt: skip


def test_the_same_definition_again_changes_nothing(owner):
    assert (define(owner, BOOK), define(owner, BOOK)) == (1, 1)
    assert owner.execute("SELECT count(*) FROM dataset_versions WHERE code = 'pay_book'").fetchone()[0] == 1


def test_a_later_version_adds_columns_and_keeps_the_rows(owner, book):
    assert define(owner, with_field()) == 2
    assert "extra" in columns(owner)
    assert owner.execute("SELECT count(*) FROM records.pay_book WHERE amount = 100").fetchone()[0] == 2
    assert owner.execute("SELECT array_agg(version ORDER BY version) FROM dataset_versions WHERE code = 'pay_book'").fetchone()[0] == [1, 2]


@pytest.mark.parametrize(
    "changed",
    [
        definition(fields=BOOK["fields"][:-1], event_date=None),
        definition(fields=[{**BOOK["fields"][0], "type": "int"}, *BOOK["fields"][1:]]),
        definition(key=["amount"]),
    ],
)
def test_a_later_version_drops_no_field_and_changes_no_type_and_no_key(owner, changed):
    define(owner, BOOK)
    with pytest.raises(errors.ObjectNotInPrerequisiteState):
        define(owner, changed)


@pytest.mark.parametrize(
    "bad",
    [
        definition(code="x; DROP TABLE petitions"),
        definition(code='a" (id int); --'),
        definition(code="a\nb"),
        definition(code="pg_class'"),
        definition(code="A"),
        definition(code="a" * 41),
        definition(code=["a"]),
        definition(code=None),
        definition(fields=[]),
        definition(fields={"code": "a"}),
        definition(key=[]),
        definition(key=["nothing"]),
        definition(event_date="amount"),
        definition(event_date="nothing"),
        definition(freshness_days="7; SELECT 1"),
        with_field(code='b" text, ADD COLUMN "c'),
        with_field(code="row_id"),
        with_field(code="entry_no"),
        with_field(code="worker_name"),
        with_field(type="text; DROP TABLE petitions"),
        with_field(type="regclass"),
        with_field(type="ref", ref="a b"),
        with_field(type=["text"]),
    ],
)
def test_a_name_that_is_more_than_a_name_defines_nothing(owner, bad):
    tables = "SELECT count(*) FROM pg_class WHERE relnamespace IN ('records'::regnamespace, 'public'::regnamespace)"
    before = owner.execute(tables).fetchone()
    with pytest.raises(errors.CheckViolation):
        define(owner, bad)
    owner.rollback()
    assert owner.execute(tables).fetchone() == before


def test_a_module_name_is_held_to_the_same_pattern(owner):
    with pytest.raises(errors.CheckViolation):
        define(owner, BOOK, module="reference' OR true --")


def test_a_county_defines_datasets_of_its_own_and_another_county_neither_sees_nor_changes_them(owner, web):
    act_as(web, "fenghua.discipline")
    assert define(web, BOOK, "visits") == 1
    web.commit()
    assert owner.execute("SELECT scope FROM datasets WHERE code = 'pay_book'").fetchone()[0] == "330213"
    owner.rollback()
    act_as(web, "wuxing.discipline")
    assert web.execute("SELECT count(*) FROM datasets WHERE code = 'pay_book'").fetchone()[0] == 0
    with pytest.raises(errors.UniqueViolation):
        define(web, with_field(), "visits")


def test_a_county_does_not_change_a_shipped_dataset(owner, web, book):
    act_as(web, "fenghua.discipline")
    with pytest.raises(errors.UniqueViolation):
        define(web, with_field())


@pytest.mark.parametrize("username", ["fenghua.office", "shangtian.discipline", "fenghua.agri.head", "admin", "security", "fenghua.group"])
def test_only_a_discipline_commission_of_a_county_or_above_defines_datasets(web, username):
    act_as(web, username)
    with pytest.raises(errors.InsufficientPrivilege):
        define(web, BOOK)


def test_whoever_only_claims_a_role_defines_nothing(web):
    act_as(web, "shangtian.discipline")
    web.execute("SELECT set_config('mj.role', 'county_discipline', true), set_config('mj.kind', 'system', true)")
    with pytest.raises(errors.InsufficientPrivilege):
        define(web, BOOK)


def test_nobody_but_the_door_makes_tables_of_records(web):
    be(web, kind="staff", role="upper_discipline", lo="33", hi="33:")
    with pytest.raises(errors.InsufficientPrivilege):
        web.execute("CREATE TABLE records.mine (id int)")


@pytest.mark.parametrize(
    ("username", "seen"),
    [
        ("shangtian.discipline", ["1"]), ("fenghua.discipline", ["1"]), ("fenghua.group", ["1"]), ("ningbo.discipline", ["1"]),
        ("zhejiang.discipline", ["1", "2"]), ("wuxing.discipline", ["2"]),
        ("fenghua.office", []), ("shangtian.office", []), ("shangyi.clerk", []), ("admin", []), ("auditor", []),
    ],
)  # fmt: skip
def test_records_are_seen_by_those_who_work_with_alerts_in_their_own_places(web, book, username, seen):
    act_as(web, username)
    assert [key for (key,) in web.execute("SELECT source_key FROM records.pay_book ORDER BY 1")] == seen


def test_nobody_without_an_appointment_sees_a_record(web, book):
    assert web.execute("SELECT count(*) FROM records.pay_book").fetchone()[0] == 0
    be(web, kind="petitioner", role="petitioner", reach="own", lo="", hi=":")
    assert web.execute("SELECT count(*) FROM records.pay_book").fetchone()[0] == 0


def test_staff_write_no_record_and_nobody_deletes_or_changes_one(web, book):
    act_as(web, "fenghua.discipline")
    with pytest.raises(errors.InsufficientPrivilege), web.transaction():
        web.execute(INSERT, ("ledger", "3", "330213007213"))
    for statement in ("DELETE FROM records.pay_book", "UPDATE records.pay_book SET amount = 1", "TRUNCATE records.pay_book"):
        with pytest.raises(errors.InsufficientPrivilege), web.transaction():
            web.execute(statement)


def test_a_source_writes_its_own_rows_in_its_own_places_only_and_has_to_show_its_key(owner, web, book):
    define(owner, definition(code="other_book"), "labour")
    for code, key in (("ledger", "one"), ("other", "two")):
        owner.execute(
            "INSERT INTO record_sources (id, dataset, code, name, scope, key_hash, created_at) "
            "VALUES (gen_random_uuid(), 'pay_book', %s, '', '330213', %s, now())",
            (code, key),
        )
    owner.commit()
    be(web, kind="source", key_hash="one", lo="330213", hi="330213:")
    web.execute(INSERT, ("ledger", "3", "330213007213"))
    assert [key for (key,) in web.execute("SELECT source_key FROM records.pay_book ORDER BY 1")] == ["1", "3"]
    assert [code for (code,) in web.execute("SELECT code FROM record_sources")] == ["ledger"]
    assert [code for (code,) in web.execute("SELECT code FROM datasets")] == ["pay_book"]
    for source, place in (("other", "330213007213"), ("ledger", "330502101235")):
        with pytest.raises(errors.InsufficientPrivilege), web.transaction():
            web.execute(INSERT, (source, "4", place))
    with pytest.raises(errors.InsufficientPrivilege), web.transaction():
        web.execute(INSERT.replace("pay_book", "other_book"), ("ledger", "3", "330213007213"))
    for nothing in ("", "three"):
        be(web, kind="source", key_hash=nothing, lo="33", hi="33:")
        assert web.execute("SELECT count(*) FROM records.pay_book").fetchone()[0] == 0


def test_reference_data_of_the_county_are_seen_below_it_and_other_records_of_upper_places_are_not(owner, web):
    for code, module in (("price_list", "reference"), ("pay_book", "labour")):
        define(owner, definition(code=code), module)
        for key, place in (("1", "330213000000"), ("2", "330502000000"), ("3", "330000000000")):
            owner.execute(INSERT.replace("pay_book", code), ("ledger", key, place))
    owner.commit()
    act_as(web, "shangtian.discipline")
    assert [key for (key,) in web.execute("SELECT source_key FROM records.price_list ORDER BY 1")] == ["1", "3"]
    assert web.execute("SELECT count(*) FROM records.pay_book").fetchone()[0] == 0


def test_the_shipped_modules_are_loaded_again_without_effect(app, owner):
    before = owner.execute("SELECT sum(version), count(*) FROM datasets").fetchone()
    done = app.test_cli_runner().invoke(args=["modules", "load"])
    assert done.exit_code == 0, done.output
    assert f"{before[1]} datasets are in force" in done.output
    assert owner.execute("SELECT sum(version), count(*) FROM datasets").fetchone() == before


def test_a_module_file_with_a_fault_is_refused_with_its_path_and_loads_nothing(app, owner, tmp_path):
    good = {**BOOK, "code": "good_book"}
    file = tmp_path / "county.json"
    file.write_text(json.dumps({"code": "county", "name": BOOK["name"], "datasets": [good, {**BOOK, "key": ["nothing"]}]}))
    done = app.test_cli_runner().invoke(args=["modules", "load", str(file)])
    assert done.exit_code == 1
    assert "county.json can not be loaded" in done.output and "datasets.1.key: unknown-field" in done.output
    assert columns(owner, "good_book") == set()
