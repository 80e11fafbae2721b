"""Who read a case is on record, can be reviewed by those who watch, and is never changed."""

import io

import psycopg
import pytest
from psycopg import errors
from sqlalchemy import text

PLACE = "330213007213"


@pytest.fixture
def receipt(client, new_key):
    draft = {
        "division_code": PLACE,
        "title": "账目不清",
        "body": "请查一查账。",
        "name": "王某",
        "phone": "13800000001",
    }
    answer = client.post("/api/v1/petitions", json=draft, headers=new_key())
    assert answer.status_code == 201
    return answer.json


@pytest.fixture
def look(client, as_staff, receipt):
    def get(username, status=200):
        answer = client.get(f"/api/v1/petitions/{receipt['id']}", headers=as_staff(username))
        assert answer.status_code == status
        return answer.json

    return get


@pytest.fixture
def review(client, as_staff, receipt):
    def get(username, path=None, status=200):
        answer = client.get(path or f"/api/v1/petitions/{receipt['id']}/reads", headers=as_staff(username))
        assert answer.status_code == status, answer.get_data(as_text=True)
        return answer.json.get("items")

    return get


def test_every_look_of_staff_says_who_what_when_and_why(look, review):
    look("shangtian.office")
    look("fenghua.office")
    newest, first = review("auditor")
    assert (first["reader"], first["body"], first["role"]) == ("毛定邦", "尚田街道办事处", "township_office")
    assert (first["what"], first["purpose"], newest["purpose"]) == ("detail", "in_charge", "oversees")
    assert newest["at"] > first["at"]


def test_a_petitioners_own_look_is_not_recorded(client, receipt, review):
    given = {"serial": receipt["serial"], "pin": receipt["pin"]}
    token = client.post("/api/v1/auth/receipt/sign-in", json=given).json["access_token"]
    answer = client.get(f"/api/v1/petitions/{receipt['id']}", headers={"Authorization": f"Bearer {token}"})
    assert answer.status_code == 200
    assert review("auditor") == []


def test_a_refused_look_is_no_read(look, review):
    look("wuxing.office", 404)
    assert review("auditor") == []


def test_the_auditor_sees_who_read_and_still_not_the_case(look, review):
    look("shangtian.office")
    (read,) = review("auditor")
    assert "账目" not in str(read) and "王某" not in str(read)
    assert not {"title", "people", "serial"} & set(read)
    look("auditor", 404)


def test_a_discipline_body_reviews_its_own_area_only_and_the_office_not_at_all(look, review):
    look("shangtian.office")
    assert len(review("fenghua.discipline")) == 1
    assert review("wuxing.discipline") == []
    for username in ("shangtian.office", "fenghua.office", "admin", "security"):
        review(username, status=403)


def test_an_export_is_one_record_with_its_filter(client, as_staff, receipt, review):
    answer = client.get("/api/v1/petitions/export.csv?open=true&priority=P2", headers=as_staff("fenghua.office"))
    assert receipt["serial"] in answer.get_data(as_text=True)
    (read,) = review("auditor", "/api/v1/reads")
    assert (read["what"], read["petition_id"], read["details"]) == ("export", None, {"open": True, "priority": "P2"})
    assert review("wuxing.discipline", "/api/v1/reads") == []


def test_a_link_to_a_file_is_a_read(client, as_staff, receipt, review, db_session):
    from PIL import Image

    given = {"serial": receipt["serial"], "pin": receipt["pin"]}
    phone = client.application.test_client()
    phone.post("/p/case", data=given)
    picture = io.BytesIO()
    Image.new("RGB", (8, 8)).save(picture, "PNG")
    picture.seek(0)
    assert phone.post("/p/case/files", data={"photo": (picture, "a.png")}).status_code == 303
    attachment = str(db_session.execute(text("SELECT id FROM attachments")).scalar_one())
    answer = client.get(f"/api/v1/attachments/{attachment}/link", headers=as_staff("shangtian.office"))
    assert answer.status_code == 200
    (read,) = review("auditor")
    assert (read["what"], read["details"]) == ("file", {"attachment_id": attachment})


def test_the_reads_of_one_account_are_found_page_by_page(look, review, client, as_staff, db_session):
    for _ in range(3):
        look("shangtian.office")
    look("fenghua.office")
    account = db_session.execute(text("SELECT id FROM staff_accounts WHERE username = 'shangtian.office'")).scalar_one()
    headers = as_staff("auditor")
    first = client.get(f"/api/v1/reads?account_id={account}&limit=2", headers=headers).json
    rest = client.get(f"/api/v1/reads?account_id={account}&limit=2&cursor={first['next']}", headers=headers).json
    assert (len(first["items"]), len(rest["items"]), rest["next"]) == (2, 1, None)
    assert {one["reader"] for one in first["items"] + rest["items"]} == {"毛定邦"}


@pytest.mark.parametrize(
    "change", ["DELETE FROM case_reads", "UPDATE case_reads SET purpose = ''", "TRUNCATE case_reads"]
)
def test_nobody_changes_the_record_and_nobody_writes_under_another_name(database, look, db_session, change):
    look("shangtian.office")
    one = db_session.execute(text("SELECT * FROM case_reads")).one()
    with psycopg.connect(database["DATABASE_URL"]) as web:
        settings = {"kind": "staff", "person": str(one.account_id), "role": one.role, "org": str(one.org_id)}
        for name, value in {**settings, "lo": "33", "hi": "33:", "reach": "area"}.items():
            web.execute("SELECT set_config(%s, %s, true)", (f"mj.{name}", value))
        web.execute("SAVEPOINT attempt")
        with pytest.raises(errors.InsufficientPrivilege):
            web.execute(change)
        web.execute("ROLLBACK TO SAVEPOINT attempt")
        other = db_session.execute(text("SELECT id FROM staff_accounts WHERE username = 'admin'")).scalar_one()
        with pytest.raises(errors.InsufficientPrivilege):
            web.execute(
                "INSERT INTO case_reads VALUES (gen_random_uuid(), now(), %s, %s, %s, NULL, '33', 'export', 'export', '{}')",
                (other, one.role, one.org_id),
            )
