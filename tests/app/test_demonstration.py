"""The demonstration province, the holiday notices that come with it, and importing another notice."""

import json
from datetime import date

import pytest
from argon2 import PasswordHasher
from sqlalchemy import func, select

from app.database import SYSTEM, transaction
from app.directory import demonstration, service
from app.directory.bodies import may_hold
from app.directory.models import Appointment, Division, Kinship, Organisation, Person, Post, StaffAccount
from app.supervision.calendar_import import NoticeError, import_notices, read_notice, shipped_notices
from app.supervision.models import Holiday, HolidayYear
from workflows.calendar import WorkCalendar

TABLES = (Division, Organisation, Person, Post, Kinship, StaffAccount, Appointment, Holiday, HolidayYear)


def counts(session):
    return [session.scalar(select(func.count()).select_from(table)) for table in TABLES]


def test_a_second_load_changes_nothing(db_session, province):
    before = counts(db_session)
    again = demonstration.load(db_session, divisions="some", mode="test")
    assert again == demonstration.Loaded(0, 0, 0, 0, 0)
    assert counts(db_session) == before


def test_what_somebody_changed_stays_changed(db_session, province):
    admin = db_session.scalars(select(StaffAccount).where(StaffAccount.username == "admin")).one()
    admin.password_hash = "changed"
    db_session.flush()
    demonstration.load(db_session, divisions="some", mode="test")
    db_session.flush()
    assert db_session.scalar(select(StaffAccount.password_hash).where(StaffAccount.username == "admin")) == "changed"


def test_production_refuses_the_published_passwords(db_session, province):
    before = counts(db_session)
    with pytest.raises(demonstration.NotADemonstration):
        demonstration.load(db_session, mode="production")
    assert counts(db_session) == before


@pytest.mark.slow
def test_the_whole_province_has_its_27036_divisions(db_session, province):
    demonstration.load(db_session, divisions="all", mode="test")
    db_session.flush()
    assert db_session.scalar(select(func.count()).select_from(Division)) == 27_036
    by_level = db_session.execute(select(Division.level, func.count()).group_by(Division.level)).all()
    assert dict(map(tuple, by_level)) == {1: 1, 2: 11, 3: 90, 4: 1387, 5: 25547}


def test_every_account_has_the_published_password_and_a_fitting_role(db_session, province):
    rows = db_session.execute(
        select(StaffAccount, Appointment, Organisation)
        .join(Appointment, Appointment.account_id == StaffAccount.id)
        .join(Organisation, Organisation.id == Appointment.org_id)
    ).all()
    assert {account.username for account, _, _ in rows} == {row.username for row in demonstration.accounts()}
    (password_hash,) = {account.password_hash for account, _, _ in rows}
    assert PasswordHasher().verify(password_hash, demonstration.PASSWORD)
    for account, appointment, body in rows:
        assert may_hold(appointment.role, body.kind, body.level), account.username
        assert account.must_change_password is False


def test_every_body_that_handles_or_decides_has_somebody_who_approves(db_session, province):
    deciding = {"petition_office", "discipline", "office", "department", "dispatched_group"}
    heads = set(db_session.scalars(select(Appointment.org_id).where(Appointment.head)))
    others = set(db_session.scalars(select(Appointment.org_id).where(~Appointment.head)))
    for body in db_session.scalars(select(Organisation).where(Organisation.kind.in_(deciding))):
        assert body.id in heads, body.name
        assert body.id in others, body.name


def test_the_supervisor_of_the_contractor_is_kin_to_none_of_the_six_cadres(db_session, app, province):
    cadres = set(
        db_session.scalars(
            select(Post.person_id)
            .join(Organisation, Organisation.id == Post.org_id)
            .where(Organisation.division_code == "330502101235")
        )
    )
    assert len(cadres) == 6
    doubted = db_session.scalars(select(Person).where(Person.name == "赵某")).one()
    with app.app_context(), transaction(SYSTEM):
        kin = service.kin_of(cadres)
    assert kin  # The comparison has something to compare with.
    assert doubted.id not in kin


def test_the_shipped_notices_give_the_known_working_days(db_session, province):
    notices = {year: {} for year in db_session.scalars(select(HolidayYear.year))}
    assert set(notices) == {2024, 2025, 2026}
    for day in db_session.scalars(select(Holiday)):
        notices[day.day.year][day.day] = day.is_off
    calendar = WorkCalendar.from_notices(notices)
    assert calendar.add_workdays(date(2025, 9, 26), 5).day == date(2025, 10, 10)
    assert calendar.add_workdays(date(2026, 2, 12), 5).day == date(2026, 2, 26)
    assert calendar.add_workdays(date(2025, 12, 30), 5).day == date(2026, 1, 7)


def notice_file(folder, year, days):
    path = folder / f"{year}.json"
    rows = [{"name": "节日", "date": day, "isOffDay": off} for day, off in days]
    path.write_text(json.dumps({"year": year, "papers": [], "days": rows}), encoding="utf-8")
    return path


def test_a_new_notice_makes_its_year_known_and_a_second_import_changes_nothing(db_session, province, tmp_path):
    days = [("2027-01-01", True), ("2027-01-03", False), ("2026-12-27", False)]
    notice = read_notice(notice_file(tmp_path, 2027, days))
    changes = import_notices(db_session, (notice,))
    assert (changes.years, changes.added, changes.changed, changes.removed) == ((2027,), 3, 0, 0)
    assert db_session.get(HolidayYear, 2027) is not None
    assert not import_notices(db_session, (notice,))


def test_a_corrected_notice_replaces_the_days_it_named_before(db_session, province, tmp_path):
    import_notices(
        db_session, (read_notice(notice_file(tmp_path, 2027, [("2027-01-01", True), ("2027-01-02", True)])),)
    )
    corrected = read_notice(notice_file(tmp_path, 2027, [("2027-01-01", True), ("2027-01-03", False)]))
    changes = import_notices(db_session, (corrected,))
    assert (changes.years, changes.added, changes.changed, changes.removed) == ((2027,), 1, 0, 1)
    assert db_session.get(Holiday, date(2027, 1, 2)) is None


def test_the_later_notice_decides_over_a_december_day(db_session, province, tmp_path):
    import_notices(
        db_session, (read_notice(notice_file(tmp_path, 2027, [("2026-12-28", True), ("2027-01-01", True)])),)
    )
    assert not import_notices(db_session, shipped_notices())
    assert db_session.get(Holiday, date(2026, 12, 28)).is_off is True


@pytest.mark.parametrize(
    "content",
    [
        "not json",
        "[]",
        '{"year": 2027, "days": []}',
        '{"year": "2027", "days": [{"date": "2027-01-01", "isOffDay": true}]}',
        '{"year": 2027, "days": [{"date": "2027-02-30", "isOffDay": true}]}',
        '{"year": 2027, "days": [{"date": "2028-01-01", "isOffDay": true}]}',
        '{"year": 2027, "days": [{"date": "2027-01-01", "isOffDay": 1}]}',
        '{"year": 2027, "days": [{"date": "2027-01-01", "isOffDay": true}, {"date": "2027-01-01", "isOffDay": false}]}',
        '{"year": 2027, "days": [7]}',
    ],
)
def test_what_is_no_notice_is_refused(tmp_path, content):
    path = tmp_path / "notice.json"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(NoticeError):
        read_notice(path)
