"""Records come in by file and by push, fold by their key, keep what they were, and are complete or not there."""

import io
import json
from datetime import timedelta

import psycopg
import pytest
from sqlalchemy import text

from app import clock
from app.database import SYSTEM, transaction
from app.extensions import db
from app.records import loading
from app.records.hashing import Hasher
from app.records.loading import load_batches
from app.records.service import degraded_datasets
from tests.app.test_datasets import BOOK, define

VILLAGE, OTHER, ELSEWHERE = "330213007213", "330213007212", "330502101235"
NUMBER = "330204196308076511"
HEADER = "编号,村代码,领取人,领取人身份证号,金额(元),发放日期\n"


def with_check_digit(first):
    weights = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
    return first + "10X98765432"[sum(int(a) * b for a, b in zip(first, weights, strict=True)) % 11]


@pytest.fixture
def book(database):
    """The dataset pay_book, shipped."""
    with psycopg.connect(database["OWNER_DATABASE_URL"]) as owner:
        define(owner, BOOK)


@pytest.fixture
def open_source(client, as_staff, new_key, book):
    def opened(**more):
        draft = {"dataset": "pay_book", "code": "ledger", "name": "三资平台", "scope": "330213", "push": True, **more}
        answer = client.post("/api/v1/record-sources", json=draft, headers={**as_staff("fenghua.discipline"), **new_key()})
        assert answer.status_code == 201, answer.get_data(as_text=True)
        return answer.json

    return opened


@pytest.fixture
def push(client, new_key, open_source):
    key = open_source()["key"]

    def pushed(*records, key=key, status=200):
        headers = {"Authorization": f"Bearer {key}", **new_key()}
        answer = client.post("/api/v1/records/pay_book", json={"records": list(records)}, headers=headers)
        assert answer.status_code == status, answer.get_data(as_text=True)
        return answer.json

    return pushed


@pytest.fixture
def stored(database):
    """Rows of pay_book as the owner sees them: the named columns in the order of arrival."""

    def rows(columns="source_key, version, amount", where="true"):
        with psycopg.connect(database["OWNER_DATABASE_URL"]) as owner:
            return owner.execute(f"SELECT {columns} FROM records.pay_book WHERE {where} ORDER BY row_id").fetchall()

    return rows


def record(number="1", **more):
    return {"entry_no": number, "place_code": VILLAGE, "amount": "100.50", "paid_on": "2026-09-30", **more}


def test_a_pushed_record_is_stored_once_however_often_it_is_sent(push, stored):
    assert push(record())["added"] == 1
    again = push(record(), record())
    assert (again["added"], again["corrected"], again["duplicates"]) == (0, 0, 2)
    assert stored() == [("1", 1, 10050)]


def test_a_correction_keeps_the_old_version(push, stored):
    push(record())
    assert push(record(amount="200"))["corrected"] == 1
    assert stored("version, amount, superseded_at IS NULL") == [(1, 10050, False), (2, 20000, True)]
    ((gone, come),) = stored("lag(superseded_at) OVER (ORDER BY version) , arrived_at", "true")[1:]
    assert gone == come


def test_records_are_shown_as_they_were_known_on_a_day(app, client, as_staff, push, db_session):
    push(record())
    db_session.execute(text("INSERT INTO clock_offset (singleton, seconds) VALUES (1, 864000)"))
    db_session.commit()
    push(record(amount="200"), record("2"))
    today = clock.today()

    def known(**query):
        answer = client.get("/api/v1/records/pay_book", query_string=query, headers=as_staff("fenghua.discipline"))
        assert answer.status_code == 200, answer.get_data(as_text=True)
        return [(one["entry_no"], one["amount"]) for one in answer.json["items"]]

    assert known() == [("1", 20000), ("2", 10050)]
    assert known(known_on=(today - timedelta(days=1)).isoformat()) == [("1", 10050)]
    assert known(known_on=(today - timedelta(days=11)).isoformat()) == []
    assert known(place="330213008") == []


def test_personal_fields_are_not_in_the_list(client, as_staff, push):
    push(record(worker=NUMBER, worker_name="王某"))
    answer = client.get("/api/v1/records/pay_book", headers=as_staff("fenghua.discipline"))
    assert "王某" not in answer.get_data(as_text=True)
    assert not {"worker", "worker_name"} & answer.json["items"][0].keys()


def test_an_identity_number_is_stored_as_a_keyed_hash_whichever_way_it_is_written(app, push, stored):
    valid = with_check_digit("33020419630807651")
    old = "330204630807651"
    push(record("1", worker=valid), record("2", worker=old), record("3", worker=f" {valid.lower()} "))
    hashes = stored("DISTINCT worker, row_id")
    assert {one for one, _ in hashes} == {Hasher("person")(valid)}
    assert "330204" not in str(stored("pay_book"))


def test_a_number_that_fails_its_check_is_noted_and_not_kept(push, stored):
    valid = with_check_digit("33020419630807651")
    wrong = valid[:-1] + ("1" if valid[-1] != "1" else "2")
    report = push(record(worker=wrong, amount="十块吧", paid_on="2019-02-29"))
    assert report["unreadable"] == {"worker": 1, "amount": 1, "paid_on": 1}
    assert stored("worker, amount, paid_on, event_on") == [(None, None, None, None)]
    ((kept,),) = stored("unreadable")
    assert kept.startswith(";") and kept.endswith(";")
    assert wrong not in kept and "paid_on=2019-02-29" in kept


def test_what_can_not_be_taken_is_told_by_its_position_and_the_rest_is_taken(push, stored):
    report = push(
        record(""), record("2", place_code=ELSEWHERE), record("3", place_code=None), record("4", wage="1"), record("5"),
        record("6"), record("6", amount="7"), record("8", place_code="330213999999"),
    )  # fmt: skip
    assert [(one["position"], one["reason"]) for one in report["rejected"]] == [
        (0, "key-missing"), (1, "place-not-of-the-source"), (2, "place-missing"), (3, "unknown-field"), (5, "key-repeated"),
        (7, "place-not-of-the-source"),
    ]  # fmt: skip
    assert [(key, amount) for key, _, amount in stored()] == [("5", 10050), ("6", 700)]


@pytest.mark.parametrize(
    "value", ["\0", "\ud800", "9" * 400, 2**64 - 1, -1, True, [1], {"a": 1}, "NaN", 1e308, "😀" * 5000, "2026-13-45", ";a=b;"]
)
def test_no_value_is_an_error_of_the_server(push, value):
    if value == "\ud800":
        push(record(amount="\ufffd"))
    else:
        push(record(amount=value, paid_on=value, worker=value), record("2", entry_no=value), record("3", **{str(value)[:50]: 1}))


def test_a_key_opens_one_dataset_and_a_wrong_one_nothing(client, push, new_key, open_source):
    assert push(record(), key="x" * 32, status=401)["type"] == "/problems/unknown-source-key"
    other = {"Authorization": "Basic abc", **new_key()}
    assert client.post("/api/v1/records/pay_book", json={"records": [record()]}, headers=other).status_code == 401
    key = open_source(code="second")["key"]
    headers = {"Authorization": f"Bearer {key}", **new_key()}
    assert client.post("/api/v1/records/nothing", json={"records": [record()]}, headers=headers).status_code == 401


def test_the_same_request_is_answered_the_same_and_a_key_of_a_source_is_shown_again(client, as_staff, new_key, book):
    draft = {"dataset": "pay_book", "code": "ledger", "name": "三资平台", "scope": "330213", "push": True}
    headers = {**as_staff("fenghua.discipline"), **new_key()}
    first, second = (client.post("/api/v1/record-sources", json=draft, headers=headers).json for _ in range(2))
    assert first == second and first["key"]


@pytest.mark.parametrize(
    ("username", "scope", "status"),
    [("fenghua.discipline", "330502", 403), ("fenghua.office", "330213", 403), ("admin", "330213", 403), ("ningbo.discipline", "330213", 201)],
)
def test_a_source_is_registered_by_a_discipline_commission_for_its_own_places(client, as_staff, new_key, book, username, scope, status):
    draft = {"dataset": "pay_book", "code": "ledger", "name": "三资平台", "scope": scope}
    assert client.post("/api/v1/record-sources", json=draft, headers={**as_staff(username), **new_key()}).status_code == status


def test_a_source_of_another_county_is_not_listed(client, as_staff, open_source):
    open_source()
    for username, seen in (("fenghua.discipline", ["ledger"]), ("zhejiang.discipline", ["ledger"]), ("wuxing.discipline", [])):
        items = client.get("/api/v1/record-sources", headers=as_staff(username)).json["items"]
        assert [one["code"] for one in items] == seen


def test_a_silent_source_is_degraded_until_it_sends_and_again_when_it_is_late(app, client, as_staff, push, db_session):
    def degraded():
        (source,) = client.get("/api/v1/record-sources", headers=as_staff("fenghua.discipline")).json["items"]
        return source["degraded"], source["watermark"]

    assert degraded() == (True, None)
    push(record(), record("2", paid_on="2099-01-01"))
    assert degraded() == (False, "2026-09-30")
    db_session.execute(text("INSERT INTO clock_offset (singleton, seconds) VALUES (1, 8 * 86400)"))
    db_session.commit()
    assert degraded() == (True, "2026-09-30")


# Files.


@pytest.fixture
def upload(client, as_staff, new_key, open_source):
    source = open_source(push=False)["id"]

    def uploaded(content, *, name="误工补贴.csv", username="fenghua.discipline", status=201, **more):
        data = {"source_id": source, "file": (io.BytesIO(content if isinstance(content, bytes) else content.encode()), name), **more}
        answer = client.post(
            "/api/v1/import-batches", data=data, headers={**as_staff(username), **new_key()}, content_type="multipart/form-data"
        )
        assert answer.status_code == status, answer.get_data(as_text=True)
        return answer.json

    return uploaded


@pytest.fixture
def start(client, as_staff):
    def started(batch, mapping=None, status=200, username="fenghua.discipline"):
        path = f"/api/v1/import-batches/{batch['id']}/actions/start"
        answer = client.post(path, json={"mapping": mapping}, headers=as_staff(username))
        assert answer.status_code == status, answer.get_data(as_text=True)
        return answer.json

    return started


@pytest.fixture
def show(client, as_staff):
    return lambda batch: client.get(f"/api/v1/import-batches/{batch['id']}", headers=as_staff("fenghua.discipline")).json


@pytest.fixture
def load(worker_app):
    def loaded(**more):
        with worker_app.app_context():
            try:
                return load_batches(**more)
            finally:
                db.session.remove()

    return loaded


def lines(numbers, amount="100"):
    return HEADER + "".join(f"{n},{VILLAGE},王某,,{amount},2026-09-30\n" for n in numbers)


def test_columns_are_recognised_by_their_names_and_remembered(upload, start):
    batch = upload(HEADER.replace("编号", "凭证") + f"1,{VILLAGE},王某,,1,2026-09-30\n")
    assert batch["mapping"] == {
        "凭证": None, "村代码": "place_code", "领取人": "worker_name", "领取人身份证号": "worker", "金额(元)": "amount",
        "发放日期": "paid_on",
    }  # fmt: skip
    assert "entry_no" in json.dumps(start(batch, status=422)["errors"])
    start(batch, {"凭证": "entry_no"})
    assert upload(HEADER.replace("编号", "凭证") + f"2,{VILLAGE},王某,,1,2026-09-30\n")["mapping"]["凭证"] == "entry_no"


@pytest.mark.parametrize("mapping", [{"没有": "amount"}, {"编号": "nothing"}, {"编号": "amount"}, {"村代码": None}])
def test_a_mapping_that_can_not_be_is_refused(upload, start, mapping):
    start(upload(lines("1")), mapping, status=422)


def test_a_file_becomes_records_only_when_the_worker_has_loaded_all_of_it(upload, start, load, show, stored):
    batch = upload(lines(range(25)) + f",{VILLAGE},,,1,\n26,{ELSEWHERE},,,1,\n27,{VILLAGE},,,一百元整吧,2019-02-29\n")
    assert load().done == 0
    start(batch)
    assert stored() == []
    assert load(chunk=10).done == 1
    report = show(batch)
    assert report["status"] == "published"
    assert report["counts"] == {
        "read": 28, "rejected": 2, "unreadable": {"amount": 1, "paid_on": 1}, "added": 26, "corrected": 0, "duplicates": 0, "withdrawn": 0,
    }  # fmt: skip
    assert {(one["reason"], one["rows"], one["first_line"]) for one in report["rejected"]} == {
        ("key-missing", 1, 27), ("place-not-of-the-source", 1, 28),
    }  # fmt: skip
    assert len(stored()) == 26
    start(batch, status=409)


def test_rejected_lines_can_be_downloaded_without_what_stood_in_them(client, as_staff, upload, start, load):
    batch = upload(HEADER + f",{VILLAGE},李四,,1,\n")
    start(batch)
    load()
    path = f"/api/v1/import-batches/{batch['id']}/rejects.csv"
    answer = client.get(path, headers=as_staff("fenghua.discipline"))
    assert "2,key-missing,缺少主键," in answer.get_data(as_text=True)
    assert "李四" not in answer.get_data(as_text=True)
    assert client.get(path, headers=as_staff("wuxing.discipline")).status_code == 404


def test_the_same_file_again_adds_nothing_and_a_changed_line_corrects(upload, start, load, show, stored):
    for content, expected in (
        (lines("12"), (2, 0, 0)), (lines("12"), (0, 0, 2)), (lines("1") + lines("2", "7").removeprefix(HEADER), (0, 1, 1)),
    ):  # fmt: skip
        batch = upload(content)
        start(batch)
        load()
        counts = show(batch)["counts"]
        assert (counts["added"], counts["corrected"], counts["duplicates"]) == expected
    assert stored() == [("1", 1, 10000), ("2", 1, 10000), ("2", 2, 700)]


def test_of_lines_with_one_key_the_last_counts_and_the_others_are_listed(upload, start, load, show, stored):
    batch = upload(lines("1") + lines("1", "5").removeprefix(HEADER) + lines("12", "7").removeprefix(HEADER) + lines("1", "7").removeprefix(HEADER))
    start(batch)
    load()
    counts = show(batch)["counts"]
    assert (counts["added"], counts["duplicates"], counts["rejected"]) == (2, 1, 2)
    assert sorted(stored()) == [("1", 1, 700), ("2", 1, 700)]


class Killed(BaseException):
    """The process is gone."""


@pytest.mark.parametrize("after", [0, 1, 2, 3])
def test_a_worker_killed_in_the_middle_leaves_nothing_half_and_doubles_nothing(monkeypatch, upload, start, load, show, stored, after):
    batch = upload(lines(range(30)) + f",{VILLAGE},,,1,\n")
    start(batch)
    whole, calls = loading._copy, []

    def dies(*values):
        calls.append(1)
        whole(*values)
        if len(calls) > after:
            raise Killed

    monkeypatch.setattr(loading, "_copy", dies)
    with pytest.raises(Killed):
        load(chunk=9)
    assert stored() == []
    assert show(batch)["progress"] == (after * 9 + 1 if after else 0)
    monkeypatch.setattr(loading, "_copy", whole)
    assert load(chunk=9).done == 1
    assert [key for key, _, _ in stored()] == [str(n) for n in range(30)]
    assert show(batch)["counts"]["read"] == 31
    assert show(batch)["rejected"][0]["rows"] == 1


def test_a_worker_killed_while_it_publishes_publishes_nothing(monkeypatch, upload, start, load, stored):
    start(upload(lines(range(5))))
    whole = loading._finish

    def dies(*values):
        raise Killed

    monkeypatch.setattr(loading, "_finish", dies)
    with pytest.raises(Killed):
        load()
    assert stored() == []
    monkeypatch.setattr(loading, "_finish", whole)
    assert load().done == 1
    assert len(stored()) == 5


def test_rows_that_a_crash_of_the_server_took_are_loaded_from_the_beginning(monkeypatch, database, upload, start, load, stored):
    batch = upload(lines(range(20)))
    start(batch)
    steps = iter([False, False, False, True])
    load(chunk=5, stopping=lambda: next(steps))
    with psycopg.connect(database["WORKER_DATABASE_URL"]) as worker:
        worker.execute(f"TRUNCATE staging.b_{batch['id'].replace('-', '')}")
    assert load().done == 1
    assert len(stored()) == 20


def test_a_batch_is_replaced_as_a_whole(client, as_staff, upload, start, load, show, stored):
    first = upload(lines("123"))
    start(first)
    load()
    second = upload(lines("1") + lines("24", "9").removeprefix(HEADER), replaces=first["id"])
    start(second)
    load()
    assert show(first)["status"] == "replaced"
    counts = show(second)["counts"]
    assert (counts["added"], counts["corrected"], counts["duplicates"], counts["withdrawn"]) == (1, 1, 1, 1)
    assert sorted(stored(where="superseded_at IS NULL AND NOT withdrawn")) == [("1", 1, 10000), ("2", 2, 900), ("4", 1, 900)]
    # Line 1 was never changed: a batch that replaces the second stands for the first as well.
    third = upload(lines("2"), replaces=second["id"])
    start(third)
    load()
    assert stored("source_key", "superseded_at IS NULL AND NOT withdrawn") == [("2",)]
    upload(lines("2"), replaces=first["id"], status=409)


@pytest.mark.parametrize("content", [b"", b"\x00" * 100])
def test_what_is_no_table_is_told_so(upload, content):
    assert upload(content, status=422)["type"] == "/problems/file-unreadable"


@pytest.mark.parametrize("odd", ["\0", "\ud800", "x" * 5000, ",", "\n", '"'])
def test_an_odd_header_is_no_error_of_the_server(client, as_staff, new_key, open_source, odd):
    source = open_source()["id"]
    content = HEADER.replace("编号", f"编号{odd}").encode("utf-8", "surrogatepass") + b"1,330213007213,,,1,\n"
    answer = client.post(
        "/api/v1/import-batches", data={"source_id": source, "file": (io.BytesIO(content), "a" + odd.replace("\ud800", "") + "b.csv")},
        headers={**as_staff("fenghua.discipline"), **new_key()}, content_type="multipart/form-data",
    )  # fmt: skip
    assert answer.status_code in (201, 422)


def test_a_file_in_gbk_is_read_and_its_encoding_is_told(upload, start, load, stored):
    batch = upload(lines("1").encode("gbk"))
    assert "gb" in json.dumps(batch["noticed"]).lower()
    start(batch)
    load()
    assert stored("worker_name") == [("王某",)]


@pytest.mark.parametrize("username", ["wuxing.discipline", "shangtian.discipline", "fenghua.office", "admin"])
def test_files_are_brought_by_those_who_keep_data_of_these_places(upload, start, username):
    upload(lines("1"), username=username, status=404 if username == "wuxing.discipline" else 403)
    start(upload(lines("1")), username=username, status=404)


def test_a_department_brings_files_of_its_county(upload, start):
    start(upload(lines("1"), username="fenghua.agri"), username="fenghua.agri")


def test_a_module_is_defined_over_http_and_its_faults_are_told_with_their_path(client, as_staff):
    module = {"code": "visits", "name": {"zh": "走访", "en": "Visits"}, "datasets": [{**BOOK, "code": "visit_log"}]}
    headers = as_staff("fenghua.discipline")
    assert client.post("/api/v1/modules", json=module, headers=headers).json == {"versions": {"visit_log": 1}}
    assert client.get("/api/v1/datasets/visit_log", headers=headers).json["scope"] == "330213"
    assert client.get("/api/v1/datasets/visit_log", headers=as_staff("wuxing.discipline")).status_code == 404
    assert [one["code"] for one in client.get("/api/v1/datasets?module=visits", headers=headers).json["items"]] == ["visit_log"]
    bad = {**module, "datasets": [{**BOOK, "code": "x; DROP TABLE petitions"}]}
    answer = client.post("/api/v1/modules", json=bad, headers=headers)
    assert (answer.status_code, answer.json["errors"]) == (422, {"datasets.0.code": ["not-a-code"]})
    assert client.post("/api/v1/modules", json=module, headers=as_staff("fenghua.office")).status_code == 403
    assert client.post("/api/v1/modules", json=module, headers=as_staff("wuxing.discipline")).json["type"] == "/problems/dataset-taken"
    shrunk = {**module, "datasets": [{**BOOK, "code": "visit_log", "fields": BOOK["fields"][:1], "event_date": None}]}
    assert client.post("/api/v1/modules", json=shrunk, headers=headers).json["type"] == "/problems/dataset-only-grows"


def test_a_dataset_is_degraded_where_it_has_no_source_or_a_late_one(worker_app, push):
    def degraded(places):
        with worker_app.app_context(), transaction(SYSTEM):
            return degraded_datasets(["pay_book"], places)

    assert degraded("330213007") == {"pay_book"}
    push(record())
    assert degraded("330213007") == set()
    assert degraded("330502") == {"pay_book"}
