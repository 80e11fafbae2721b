"""Importing staff from a list that is kept elsewhere."""

from uuid import uuid4

import pytest
from sqlalchemy import select

from app import clock
from app.directory.models import Appointment, Organisation, StaffAccount
from app.directory.staff_list import COLUMNS, StaffListError, import_staff, read_staff_list, write_passwords
from app.petitions.models import Petition

OFFICE = "萧王庙街道办事处"
PLACE = "330213005000"
PRESENT = [
    f"xiaowangmiao.office,王燕飞,township_office,{OFFICE},{PLACE},no,xiaowangmiao.office@mingjian.example",
    f"xiaowangmiao.head,袁国定,township_office,{OFFICE},{PLACE},yes,xiaowangmiao.head@mingjian.example",
]
NEWCOMER = f"wang.fang,王芳,township_office,{OFFICE},{PLACE},否,wang.fang@mingjian.example"


@pytest.fixture
def load(db_session, province, tmp_path):
    def run(*lines):
        path = tmp_path / "staff.csv"
        path.write_text("\n".join([",".join(COLUMNS), *lines, ""]), encoding="utf-8-sig")
        changes = import_staff(db_session, *read_staff_list(path))
        db_session.commit()
        return changes

    return run


def account(session, username):
    return session.scalars(select(StaffAccount).where(StaffAccount.username == username)).one()


def appointments(session, username):
    query = select(Appointment).where(Appointment.account_id == account(session, username).id)
    return list(session.scalars(query.order_by(Appointment.valid_from)))


def test_a_list_that_says_what_is_stored_changes_nothing(load):
    changes = load(*PRESENT)
    assert (changes.added, changes.changed, changes.ended, changes.unchanged) == ([], [], [], 2)


def test_a_newcomer_gets_an_account_with_a_password_for_once(load, db_session):
    changes = load(*PRESENT, NEWCOMER)
    assert changes.added == ["wang.fang"]
    made = account(db_session, "wang.fang")
    assert made.must_change_password
    assert changes.passwords["wang.fang"] not in made.password_hash
    again = load(*PRESENT, NEWCOMER)
    assert (again.added, again.passwords, again.unchanged) == ([], {}, 3)


def test_two_newcomers_do_not_share_a_password(load):
    other = NEWCOMER.replace("wang.fang", "wang.min")
    changes = load(*PRESENT, NEWCOMER, other)
    assert len(set(changes.passwords.values())) == 2


def test_a_newcomer_can_sign_in_and_must_change_the_password(load, client, db_session):
    changes = load(*PRESENT, NEWCOMER)
    body = {"username": "wang.fang", "password": changes.passwords["wang.fang"]}
    answer = client.post("/api/v1/auth/staff/sign-in", json=body)
    assert answer.status_code == 200
    headers = {"Authorization": f"Bearer {answer.json['access_token']}"}
    assert client.get("/api/v1/organisations", headers=headers).json["type"] == "/problems/must-change-password"


def test_who_is_missing_at_a_listed_body_is_ended_and_nobody_elsewhere(load, db_session):
    changes = load(PRESENT[1])
    assert changes.ended == ["xiaowangmiao.office"]
    (ended,) = appointments(db_session, "xiaowangmiao.office")
    assert ended.valid_to is not None
    assert ended.valid_to < clock.today()
    (untouched,) = appointments(db_session, "shangtian.office")
    assert untouched.valid_to is None
    assert load(PRESENT[1]).ended == []


def test_who_comes_back_gets_a_new_appointment(load, db_session):
    load(PRESENT[1])
    changes = load(*PRESENT)
    assert changes.changed == ["xiaowangmiao.office"]
    old, new = appointments(db_session, "xiaowangmiao.office")
    assert (new.valid_from, new.valid_to) == (clock.today(), None)


def test_who_still_handles_an_open_case_is_kept_and_reported(load, db_session):
    handler = account(db_session, "xiaowangmiao.office")
    (appointment,) = appointments(db_session, "xiaowangmiao.office")
    db_session.add(
        Petition(
            serial=uuid4().hex,
            pin_mac="-",
            filed_at=clock.now(),
            filed_on=clock.today(),
            division_code=PLACE,
            title="t",
            body="b",
            category="other",
            channel="web",
            item_type="appeal",
            state="handling",
            last_visible_at=clock.now(),
            main_org_id=appointment.org_id,
            main_handler_id=handler.id,
        )
    )
    db_session.commit()
    changes = load(PRESENT[1])
    assert (changes.ended, changes.needs_hand_over) == ([], ["xiaowangmiao.office"])


def test_the_last_administrator_is_never_ended_by_a_list(load, db_session):
    changes = load("security,安全管理员,security_admin,浙江省监督平台运行中心,330000000000,,security@mingjian.example")
    assert changes.ended == ["admin"]
    assert changes.needs_hand_over == ["admin2"]


def test_a_damaged_row_is_named_and_nothing_is_ended(load, db_session):
    changes = load(PRESENT[1], "x,,township_office,甲,330213005000,no,")
    assert changes.rejected == [(3, "username-not-2-to-50-of-a-z-0-9-dot-dash")]
    assert (changes.ended, changes.withheld) == ([], ["xiaowangmiao.office"])


def test_a_changed_name_and_a_new_head_are_changes(load, db_session):
    changes = load(PRESENT[0].replace(",no,", ",yes,").replace("王燕飞", "王艳飞"), PRESENT[1])
    assert changes.changed == ["xiaowangmiao.office"]
    assert account(db_session, "xiaowangmiao.office").name == "王艳飞"
    assert [one.head for one in appointments(db_session, "xiaowangmiao.office")] == [True]


def test_a_missing_body_is_made_of_the_kind_of_the_role(load, db_session):
    changes = load("li.na,李娜,department_handler,奉化区民政局,330213000000,yes,")
    assert changes.bodies_added == ["奉化区民政局"]
    made = db_session.scalars(select(Organisation).where(Organisation.name == "奉化区民政局")).one()
    assert (made.kind, made.level) == ("department", 3)


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ("li.na,李娜,emperor,甲局,330213000000,no,", "role-unknown"),
        ("li.na,李娜,system,甲局,330213000000,no,", "role-unknown"),
        ("li.na,李娜,county_discipline,甲局,330213005000,no,", "role-not-at-this-level"),
        (f"li.na,李娜,petition_office,{OFFICE},{PLACE},no,", "role-not-at-this-body"),
        ("li.na,李娜,department_handler,甲局,330213,no,", "code-not-12-digits"),
        ("li.na,李娜,department_handler,甲局,330299000000,no,", "division-unknown-or-withdrawn"),
        ("li.na,李娜,department_handler,甲局,330213000000,maybe,", "head-not-yes-or-no"),
        ("li.na,李娜,department_handler,甲局,330213000000,no,nobody", "email-not-an-address"),
        ("li.na,,department_handler,甲局,330213000000,no,", "name-or-org-name-missing"),
        ("li.na,李娜,department_handler", "wrong-number-of-columns"),
        ("li.na,李娜,department_handler,甲局,330213000000,no,,more", "wrong-number-of-columns"),
        ("li.na,李\0娜,department_handler,甲局,330213000000,no,", "control-character-or-too-long"),
    ],
)
def test_a_row_that_can_not_be_right_says_why(load, db_session, row, reason):
    changes = load(row)
    assert changes.rejected == [(2, reason)]
    assert db_session.scalar(select(StaffAccount.id).where(StaffAccount.username == "li.na")) is None


def test_two_names_for_one_user_name_are_an_error(load):
    changes = load(NEWCOMER, NEWCOMER.replace("王芳", "王方"), NEWCOMER)
    assert [reason for _, reason in changes.rejected] == ["name-or-email-differs-from-an-earlier-row", "row-repeated"]


def test_a_file_of_another_kind_is_refused(tmp_path):
    path = tmp_path / "staff.csv"
    for content in (b"", b"a,b\n1,2\n", "用户名".encode("gb18030")):
        path.write_bytes(content)
        with pytest.raises(StaffListError):
            read_staff_list(path)
    with pytest.raises(StaffListError):
        read_staff_list(tmp_path / "missing.csv")


def test_one_time_passwords_are_written_for_their_owner_alone(tmp_path):
    path = tmp_path / "passwords.csv"
    write_passwords(path, {"wang.fang": "secret"})
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.read_text().splitlines() == ["username,password", "wang.fang,secret"]
    with pytest.raises(FileExistsError):
        write_passwords(path, {})
