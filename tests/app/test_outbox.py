"""Messages: written with the change, delivered after it, tried again, given up, sent once more."""

import io
import threading
from datetime import timedelta
from uuid import uuid4

import pytest
from sqlalchemy import select, text

from app import clock, outbox
from app.database import SYSTEM, transaction
from app.extensions import db
from app.messages import service
from app.messages.models import InboxMessage, OutboxMessage
from app.messages.service import Channels, back_off, deliver_due
from app.petitions.models import Petition
from app.signin.models import Villager
from notifications.channels.console import ConsoleChannel
from notifications.message import GiveUp, Receipt, Retry
from tests.app.cases import STRANGER, Cases


@pytest.fixture
def cases(app, worker_app, db_session):
    return Cases(app, worker_app, db_session)


class Recorder:
    """A channel that takes everything, or answers with `errors` first."""

    name = "recorder"

    def __init__(self, *errors):
        self.errors = list(errors)
        self.messages = []

    def send(self, message):
        if self.errors:
            raise self.errors.pop(0)
        self.messages.append(message)
        return Receipt()


def deliver(app, phone=None, mail=None, **more):
    with app.app_context():
        return deliver_due(channels=Channels(phone=phone or Recorder(), mail=mail), **more)


def put_code(cases):
    cases.put("phone", "one_time_code", None, {"code": "123456"}, address="13800000001")


def stored(session, template):
    session.rollback()
    found = select(OutboxMessage).where(OutboxMessage.template == template).order_by(OutboxMessage.created_at)
    return session.scalars(found.execution_options(populate_existing=True)).all()


def inbox_of(session, **wanted):
    session.rollback()
    return session.scalars(select(InboxMessage).filter_by(**wanted)).all()


def test_a_filing_reaches_the_inbox_of_the_office_in_charge_and_of_the_petitioner(cases, worker_app, db_session):
    villager = Villager(id=uuid4(), phone_mac="-", sealed={}, created_at=clock.now())
    db_session.add(villager)
    db_session.commit()
    case = cases.file(villager_id=villager.id)
    report = deliver(worker_app)
    assert (report.sent, report.failed) == (2, 0)
    for username in ("shangtian.office", "shangtian.head"):
        (message,) = inbox_of(db_session, account_id=cases.staff(username).person_id)
        assert (message.petition_id, message.template) == (case, "file.owner_org")
    (message,) = inbox_of(db_session, villager_id=villager.id)
    assert message.template == "file.petitioner"
    assert {row.status for row in stored(db_session, "file")} == {"sent"}


def test_a_petitioner_without_an_account_finds_the_message_at_the_case(cases, worker_app, db_session):
    case = cases.file()
    deliver(worker_app)
    (message,) = inbox_of(db_session, petition_id=case, account_id=None)
    assert message.villager_id is None


def test_nobody_outside_the_body_is_told(cases, worker_app, db_session):
    cases.file()
    deliver(worker_app)
    assert inbox_of(db_session, account_id=cases.staff("wuxing.office").person_id) == []
    assert inbox_of(db_session, account_id=cases.staff("fenghua.agri").person_id) == []


def test_a_change_that_is_rolled_back_tells_nobody(cases, worker_app, db_session):
    with pytest.raises(RuntimeError), cases.app.app_context(), transaction(STRANGER):
        outbox.put("phone", "one_time_code", None, {"code": "123456"}, address="13800000001")
        raise RuntimeError
    assert stored(db_session, "one_time_code") == []
    assert deliver(worker_app).sent == 0


def test_a_message_says_number_state_and_day_and_nothing_a_person_wrote(cases, worker_app, db_session):
    case = cases.file()
    for row in stored(db_session, "file"):
        assert set(row.params) == {"serial", "state", "due"}
    row = cases.row(case)
    words = service.words_of("file", "petitioner", stored(db_session, "file")[0].params)
    last_day = (row.next_due_at - timedelta(seconds=1)).astimezone(clock.SHANGHAI).date()
    assert words.zh == f"信访事项{row.serial}:已收到,最迟{last_day}登记。请保存查询码。"
    assert row.title not in words.zh


def test_a_message_of_the_same_name_is_stored_once(cases, db_session):
    for _ in range(2):
        cases.put("owner_org", "due_soon", None, {"serial": "MJ-1"}, once="a name")
    assert len(stored(db_session, "due_soon")) == 1


def test_a_code_is_printed_and_then_forgotten(cases, worker_app, db_session):
    put_code(cases)
    stream = io.StringIO()
    assert deliver(worker_app, phone=ConsoleChannel(stream)).sent == 1
    assert "123456" in stream.getvalue()
    (row,) = stored(db_session, "one_time_code")
    assert (row.status, row.params, row.address) == ("sent", {}, None)


def test_a_code_that_waited_too_long_is_not_sent_any_more(cases, worker_app, db_session):
    put_code(cases)
    cases.travel(timedelta(minutes=6))
    phone = Recorder()
    assert deliver(worker_app, phone=phone).dead == 1
    assert phone.messages == []
    (row,) = stored(db_session, "one_time_code")
    assert (row.status, row.params, row.last_error) == ("dead", {}, "out-of-date")


def test_a_failed_attempt_waits_ten_seconds_then_twice_as_long(cases, worker_app, db_session):
    put_code(cases)
    phone = Recorder(Retry("busy"), Retry("busy"))
    assert deliver(worker_app, phone=phone).put_off == 1
    assert deliver(worker_app, phone=phone).failed == 0
    cases.travel(timedelta(seconds=11))
    assert deliver(worker_app, phone=phone).put_off == 1
    cases.travel(timedelta(seconds=11))
    assert deliver(worker_app, phone=phone).sent == 0
    cases.travel(timedelta(seconds=10))
    assert deliver(worker_app, phone=phone).sent == 1
    assert len(phone.messages) == 1


def test_the_pause_doubles_up_to_an_hour():
    seconds = [back_off(attempts).total_seconds() for attempts in range(1, 12)]
    assert seconds == [10, 20, 40, 80, 160, 320, 640, 1280, 2560, 3600, 3600]


def with_mailbox(session, cases, username):
    account = cases.staff(username).person_id
    statement = text("UPDATE staff_accounts SET email = :mail WHERE id = :id")
    session.execute(statement, {"mail": f"{username}@example.gov.cn", "id": account})
    session.commit()


@pytest.fixture
def mailboxes(cases, db_session):
    for username in ("shangtian.office", "shangtian.head"):
        with_mailbox(db_session, cases, username)


@pytest.mark.usefixtures("mailboxes")
def test_staff_with_a_mailbox_get_mail_in_both_languages(cases, worker_app):
    cases.file()
    mail = Recorder()
    assert deliver(worker_app, mail=mail).sent == 2
    (message,) = mail.messages
    assert message.to == ("shangtian.head@example.gov.cn", "shangtian.office@example.gov.cn")
    zh, en = message.body.split("\n")
    assert "待登记" in zh
    assert "to be registered" in en


@pytest.mark.usefixtures("mailboxes")
def test_a_repeated_attempt_adds_nothing_to_the_inbox(cases, worker_app, db_session):
    case = cases.file()
    mail = Recorder(Retry("busy"))
    deliver(worker_app, mail=mail)
    cases.travel(timedelta(seconds=11))
    assert deliver(worker_app, mail=mail).sent == 1
    assert len(inbox_of(db_session, account_id=cases.staff("shangtian.head").person_id, petition_id=case)) == 1


@pytest.mark.usefixtures("mailboxes")
def test_after_eight_attempts_a_message_is_given_up_and_listed(cases, worker_app, db_session):
    case = cases.file()
    mail = Recorder(*[Retry("busy")] * 8)
    for _ in range(9):
        deliver(worker_app, mail=mail)
        cases.travel(timedelta(hours=1))
    (row,) = [row for row in stored(db_session, "file") if row.status == "dead"]
    assert (row.attempts, row.last_error) == (8, "busy")
    with worker_app.app_context(), transaction(SYSTEM):
        (item,) = service.dead_letters()["items"]
    assert (item["id"], item["petition_id"], item["resendable"]) == (row.id, case, True)
    assert not {"params", "address"} & set(item)


@pytest.mark.usefixtures("mailboxes")
def test_a_dead_message_can_be_sent_again(cases, worker_app, db_session):
    cases.file()
    mail = Recorder(GiveUp("answer-550"))
    assert deliver(worker_app, mail=mail).dead == 1
    (row,) = [row for row in stored(db_session, "file") if row.status == "dead"]
    with worker_app.app_context(), transaction(SYSTEM):
        service.resend(row.id)
    assert deliver(worker_app, mail=mail).sent == 1
    assert len(mail.messages) == 1
    with worker_app.app_context(), pytest.raises(service.Conflict), transaction(SYSTEM):
        service.resend(row.id)


def test_a_dead_code_cannot_be_sent_again(cases, worker_app, db_session):
    put_code(cases)
    deliver(worker_app, phone=Recorder(GiveUp("blocked")))
    (row,) = stored(db_session, "one_time_code")
    with worker_app.app_context(), pytest.raises(service.Conflict), transaction(SYSTEM):
        service.resend(row.id)


@pytest.mark.usefixtures("mailboxes")
def test_an_unreachable_server_is_tried_once_for_the_whole_page(cases, worker_app, db_session):
    for _ in range(3):
        cases.file()
    mail = Recorder(Retry("unreachable", unreachable=True))
    assert deliver(worker_app, mail=mail).put_off == 3
    assert mail.messages == []
    cases.travel(timedelta(seconds=11))
    assert deliver(worker_app, mail=mail).sent == 3


def test_an_unknown_text_is_given_up_and_holds_up_no_other(cases, worker_app, db_session):
    cases.put("owner_org", "no_such_text", None, {})
    cases.put("petitioner", "file", uuid4(), {})
    put_code(cases)
    report = deliver(worker_app)
    assert (report.sent, report.dead) == (1, 2)
    assert stored(db_session, "no_such_text")[0].last_error == "no-such-text"


@pytest.mark.usefixtures("mailboxes")
def test_a_worker_that_dies_half_way_loses_no_message(cases, worker_app, db_session):
    cases.file()

    class Dying(Recorder):
        def send(self, message):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        deliver(worker_app, mail=Dying())
    mail = Recorder()
    assert deliver(worker_app, mail=mail).sent == 0
    cases.travel(service.LEASE + timedelta(seconds=1))
    deliver(worker_app, mail=mail)
    assert len(mail.messages) == 1


def test_two_workers_at_once_send_each_message_once(cases, worker_app):
    for _ in range(30):
        put_code(cases)
    phones = [Recorder(), Recorder()]
    threads = [threading.Thread(target=deliver, args=(worker_app, phone)) for phone in phones]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    ids = [message.id for phone in phones for message in phone.messages]
    assert len(ids) == len(set(ids)) == 30


def test_more_than_a_page_is_delivered_in_one_round_up_to_the_limit(cases, worker_app, monkeypatch):
    monkeypatch.setattr(service, "PAGE", 2)
    for _ in range(5):
        put_code(cases)
    assert deliver(worker_app, limit=3).sent == 3
    assert deliver(worker_app).sent == 2


def test_an_insert_sends_a_notification(cases, db_session):
    connection = db_session.connection().connection.driver_connection
    db_session.execute(text("LISTEN outbox"))
    db_session.commit()
    connection = db_session.connection().connection.driver_connection
    put_code(cases)
    assert [note.channel for note in connection.notifies(timeout=5, stop_after=1)] == ["outbox"]
    db_session.execute(text("UNLISTEN outbox"))


def test_the_inbox_is_paged_newest_first_and_read_marks_stay(cases, worker_app, db_session):
    for _ in range(3):
        cases.file()
        deliver(worker_app)
    reader = cases.staff("shangtian.office")
    with cases.app.app_context(), transaction(reader):
        first = service.inbox(limit=2)
        second = service.inbox(limit=2, cursor=first["next"])
        assert [len(first["items"]), len(second["items"]), second["next"]] == [2, 1, None]
        moments = [item["at"] for item in first["items"] + second["items"]]
        assert moments == sorted(moments, reverse=True)
        read = service.mark_read(first["items"][0]["id"])
        assert read["read_at"] is not None
    with cases.app.app_context(), transaction(reader):
        assert len(service.inbox(unread=True)["items"]) == 2
        assert service.mark_read(read["id"])["read_at"] == read["read_at"]


def test_case_messages_carry_no_case_text_into_the_database(cases, worker_app, db_session):
    case = cases.file()
    deliver(worker_app)
    with worker_app.app_context(), transaction(SYSTEM):
        title = db.session.get(Petition, case).title
    for table in ("outbox", "inbox"):
        rows = db_session.execute(text(f"SELECT row_to_json(t)::text FROM {table} t")).scalars()
        assert not any(title in row for row in rows)


def test_staff_read_their_messages_over_http(client, cases, worker_app, as_staff):
    cases.file()
    deliver(worker_app)
    clerk = as_staff("shangtian.office")
    (item,) = client.get("/api/v1/inbox", headers=clerk).json["items"]
    assert item["event"] == "file"
    assert item["text"].startswith(f"信访事项{item['serial']}:新事项待登记")
    assert item["read_at"] is None
    read = client.post(f"/api/v1/inbox/{item['id']}/actions/read", headers=clerk)
    assert read.status_code == 200
    assert read.json["read_at"] is not None
    assert client.get("/api/v1/inbox?unread=true", headers=clerk).json["items"] == []


def test_somebody_elses_message_is_unknown(client, cases, worker_app, as_staff, db_session):
    cases.file()
    deliver(worker_app)
    (message,) = inbox_of(db_session, account_id=cases.staff("shangtian.office").person_id)
    other = as_staff("fenghua.agri")
    assert client.get("/api/v1/inbox", headers=other).json["items"] == []
    assert client.post(f"/api/v1/inbox/{message.id}/actions/read", headers=other).status_code == 404
    assert client.get("/api/v1/inbox").status_code == 401
    assert inbox_of(db_session, id=message.id)[0].read_at is None


@pytest.mark.usefixtures("mailboxes")
def test_the_head_of_the_office_sees_what_was_given_up_and_sends_it_again(
    client, cases, worker_app, as_staff, db_session
):
    cases.file()
    mail = Recorder(GiveUp("answer-550"))
    deliver(worker_app, mail=mail)
    head = as_staff("shangtian.head")
    (item,) = client.get("/api/v1/outbox/dead", headers=head).json["items"]
    assert (item["last_error"], item["template"], item["resendable"]) == ("answer-550", "file", True)
    assert client.post(f"/api/v1/outbox/{item['id']}/actions/resend", headers=head).status_code == 200
    assert client.post(f"/api/v1/outbox/{item['id']}/actions/resend", headers=head).status_code == 404
    assert deliver(worker_app, mail=mail).sent == 1
    assert client.get("/api/v1/outbox/dead", headers=head).json["items"] == []


@pytest.mark.usefixtures("mailboxes")
def test_dead_letters_are_for_those_who_can_mend_them(client, cases, worker_app, as_staff):
    cases.file()
    deliver(worker_app, mail=Recorder(GiveUp("answer-550")))
    assert client.get("/api/v1/outbox/dead", headers=as_staff("fenghua.agri")).status_code == 403
    assert client.get("/api/v1/outbox/dead", headers=as_staff("wuxing.head")).json["items"] == []
    assert len(client.get("/api/v1/outbox/dead", headers=as_staff("admin")).json["items"]) == 1


@pytest.mark.parametrize("query", ["cursor=nonsense", "limit=0", "limit=101", "unread=maybe"])
def test_a_senseless_query_is_refused_and_named(client, as_staff, query):
    answer = client.get(f"/api/v1/inbox?{query}", headers=as_staff("shangtian.office"))
    assert answer.status_code == 422
    assert list(answer.json["errors"]) == [query.partition("=")[0]]
