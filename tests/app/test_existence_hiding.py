"""Two worlds, alike to the last id and instant, one with the case and one without it: nobody who must withdraw from the
case can tell in which they live. Answers are compared byte by byte, and so are the statements that they cost."""

import os
import random
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from itertools import product
from pathlib import Path
from uuid import UUID, uuid4

import pytest
import yaml
from sqlalchemy import create_engine, select, text
from sqlalchemy.orm import Session

from app import calendar_store, clock, count_statements
from app.directory.models import Appointment, Organisation, StaffAccount
from app.files.models import Attachment
from app.files.service import storage
from app.messages.models import InboxMessage, OutboxMessage
from app.messages.service import Channels, deliver_due
from app.petitions.models import Petition
from app.recusal.models import Lifting
from app.recusal.sweeps import sweep_recusals
from app.supervision.models import SupervisionOrder
from app.supervision.schemas import DESK_LISTS
from tests.app.cases import VILLAGE
from tests.app.test_petition_story import draft
from tests.conftest import PASSWORD, application, clone

CONTRACT = yaml.load((Path(__file__).parents[2] / "openapi.yaml").read_text(encoding="utf-8"), Loader=yaml.CSafeLoader)
MASKED = {"Date", "X-Request-Id"}
NOON = datetime(2026, 11, 24, 4, tzinfo=UTC)
WORDS = "独一无二的线索"
# The brother of one named; a bureau whose head is named; people at every level whom the reporter keeps away, among them an
# administrator, who sees dead letters, and the auditor.
SUBJECTS = {
    "accused": [{"name": "毛定国"}, {"name": "应建军", "post": "局长"}],
    "keep_from": [{"name": one} for one in ("董立军", "邬佳敏", "康立新", "王海波", "史明辉", "林思远", "系统管理员乙", "审计员", "方红")],
}
LATER = "shangtian.head"  # withdraws by declaration, after having seen, answered and been told of the case
LISTS = {
    "/api/v1/petitions": [
        {}, {"open": "true"}, {"open": "false"}, {"limit": 1}, {"limit": 2}, {"state": "handling"}, {"mine": "true"},
        {"supervised": "true"}, {"supervised": "false"}, {"colour": "yellow"}, {"priority": "P1"}, {"priority": "P2"},
    ],
    "/api/v1/petitions/search": [{"q": WORDS}, {"q": WORDS[:2]}, {"q": "租金"}, {"q": "租金", "limit": 1}],
    "/api/v1/petitions/export.csv": [{}, {"open": "true"}, {"supervised": "true"}],
    "/api/v1/supervision/desk": [
        {"list": one} for one in DESK_LISTS
    ],
    "/api/v1/statistics/petitions": [
        {}, {"division": "330213000000"}, {"division": VILLAGE}, {"since": "2026-11-24", "until": "2026-11-24"}, {"until": "2026-11-23"},
    ],
    "/api/v1/statistics/petitions.csv": [{}, {"division": VILLAGE}],
    "/api/v1/public/statistics": [{}, {"period": "2026-11"}, {"division": "330213000000"}],
    "/api/v1/divisions": [{}, {"parent": "330213"}],
    "/api/v1/organisations": [{"division": "330213"}],
    "/api/v1/inbox": [{}, {"unread": "true"}, {"limit": 1}],
    "/api/v1/identity-openings": [{}],
    "/api/v1/reads": [{}, {"limit": 1}],
    "/api/v1/data-requests": [{}, {"open": "false"}],
    "/api/v1/outbox/dead": [{}, {"limit": 1}],
}  # fmt: skip


NO_CLUE = "00000000-0000-4000-8000-000000000001"


class Frozen:
    """Randomness and the clock in our hands: the same step of either world draws the same ids at the same instant."""

    def __init__(self, monkeypatch):
        self.moment, self.source = NOON, random.Random(0)
        monkeypatch.setattr(os, "urandom", lambda size: self.source.randbytes(size))
        monkeypatch.setattr(clock, "now", lambda: self.moment + timedelta(seconds=clock.offset_seconds.get()))
        # When a process reads the calendar anew is a matter of real seconds, and none of the case.
        monkeypatch.setattr(calendar_store, "KEEP_SECONDS", 10**9)

    def at(self, step, minutes=None):
        self.source = random.Random(step)
        self.moment = NOON + timedelta(minutes=step if minutes is None else minutes)


class World:
    """A clone of the template with two open cases, and with or without the hidden one between them."""

    def __init__(self, app, worker_app, session, frozen, hidden):
        self.app, self.worker_app, self.session, self.frozen, self.hidden = app, worker_app, session, frozen, hidden
        self.client, self.tokens, self.statements = app.test_client(), {}, count_statements(app)
        self.ids = {}

    def headers(self, username):
        if username not in self.tokens:
            here, self.frozen.source = self.frozen.source, random.Random(username)
            answer = self.client.post("/api/v1/auth/staff/sign-in", json={"username": username, "password": PASSWORD})
            assert answer.status_code == 200, answer.get_data(as_text=True)
            self.tokens[username] = {"Authorization": f"Bearer {answer.json['access_token']}"}
            self.frozen.source = here
        return self.tokens[username]

    def org(self, username):
        found = self.session.scalar(
            select(Appointment.org_id).join(StaffAccount, StaffAccount.id == Appointment.account_id).where(StaffAccount.username == username)
        )
        self.session.rollback()
        return str(found)

    def file(self, step, **more):
        self.frozen.at(step)
        answer = self.client.post("/api/v1/petitions", json=draft(VILLAGE, **more), headers={"Idempotency-Key": f"{step:022d}"})
        assert answer.status_code == 201, answer.get_data(as_text=True)
        self.receipt = answer.json
        return answer.json["id"]

    def act(self, step, case, username, event, **facts):
        self.frozen.at(step)
        answer = self.client.post(f"/api/v1/petitions/{case}/actions/{event}", json=facts, headers=self.headers(username))
        assert answer.status_code == 200, (event, answer.get_data(as_text=True))

    def post(self, step, path, body, username, expect=201):
        self.frozen.at(step)
        headers = {**self.headers(username), "Idempotency-Key": f"{step:022d}"}
        answer = self.client.post(path, json=body, headers=headers)
        assert answer.status_code == expect, answer.get_data(as_text=True)
        return answer

    def handle(self, step, case):
        self.act(step, case, LATER, "register")
        self.act(step + 1, case, LATER, "accept")
        self.act(step + 2, case, LATER, "dispatch", main_org_id=self.org("shangtian.discipline"), co_org_ids=[self.org("fenghua.group")])
        self.act(step + 3, case, "shangtian.discipline.head", "sign")
        self.act(step + 4, case, "shangtian.discipline.head", "start", note="已联系")
        self.post(step + 5, "/api/v1/supervision/orders", {"petition_id": case, "reason": "by_hand"}, "fenghua.head")

    def build(self):
        first = self.file(10)
        self.deliver(20)
        if self.hidden:
            self.build_hidden()
        second = self.file(300, title="另一件租金的事")
        self.handle(310, first)
        self.deliver(330)
        self.ids |= {"first": first, "second": second}

    def build_hidden(self):
        case = self.file(100, body=f"{WORDS},租金未付。", claimed_fen=100, way="confidential", **SUBJECTS)
        asked_data = self.ask_about_data(105)
        self.handle(110, case)
        opening = self.open_identity(116, case)
        written = self.post(120, f"/api/v1/petitions/{case}/messages", {"body": "请补充材料"}, LATER)
        self.frozen.at(130)
        attachment = Attachment(
            id=uuid4(), petition_id=UUID(case), uploader_kind="staff", uploader_id=self.account(LATER), name="a.jpg", size=1,
            received=1, status="released", media_type="image/jpeg", sha256="0" * 64, created_at=clock.now(),
        )  # fmt: skip
        letter = OutboxMessage(
            id=uuid4(), created_at=clock.now(), audience="main_org", template="accept", petition_id=UUID(case), params={},
            status="dead", attempts=8, next_attempt_at=clock.now(), last_error="no-channel",
        )  # fmt: skip
        lifting = Lifting(
            id=uuid4(), petition_id=UUID(case), bearer_id=self.account(LATER), cleared_ids=[self.account(LATER)], at=clock.now(),
            account_id=self.account("fenghua.head"), role="petition_office", org_id=UUID(self.org("fenghua.head")), reason="同名",
        )  # fmt: skip
        self.session.add_all([attachment, letter, lifting])
        self.session.commit()
        with self.app.app_context(), storage().keep(attachment.id) as target:
            target.write(b"x")
        self.deliver(140)
        self.frozen.at(150, minutes=398)  # a link opens for five minutes
        link = self.client.get(f"/api/v1/attachments/{attachment.id}/link", headers=self.headers(LATER))
        assert link.status_code == 200, link.get_data(as_text=True)
        with self.client.get(link.json["url"]) as opened:
            assert opened.data == b"x"
        gone = self.client.post(f"/api/v1/petitions/{case}/recusal", json={"reason_code": "other"}, headers=self.headers(LATER))
        assert gone.status_code == 204
        with self.worker_app.app_context():
            assert sweep_recusals().failed == 0
        row = self.session.get(Petition, UUID(case))
        assert row.state == "handling"
        self.ids |= {
            "petition_id": case, "attachment_id": str(attachment.id), "upload_id": str(attachment.id),
            "message_id": str(letter.id), "token": link.json["url"].removeprefix("/files/"), "serial": row.serial,
            "order_id": str(self.session.scalar(select(SupervisionOrder.id).where(SupervisionOrder.petition_id == row.id))),
            "inbox_id": str(self.session.scalar(
                select(InboxMessage.id).where(InboxMessage.petition_id == row.id, InboxMessage.account_id == self.account(LATER)).limit(1)
            )),
            "opening_id": opening, "lifting_id": str(lifting.id), "request_id": asked_data, "written": written.json["id"], "code": VILLAGE, "account_id": str(self.account(LATER)),
        }  # fmt: skip
        self.session.rollback()

    def ask_about_data(self, step):
        """The petitioner of the last filing asks for a correction."""
        self.frozen.at(step)
        given = {name: self.receipt[name] for name in ("serial", "pin")}
        token = self.client.post("/api/v1/auth/receipt/sign-in", json=given).json["access_token"]
        answer = self.client.post(
            "/api/v1/my-data/requests",
            json={"petition_id": self.receipt["id"], "kind": "correct", "wish": "姓名写错了"},
            headers={"Authorization": f"Bearer {token}", "Idempotency-Key": f"{step:022d}"},
        )
        assert answer.status_code == 201, answer.get_data(as_text=True)
        return answer.json["id"]

    def open_identity(self, step, case):
        """One asks, another grants, and the first looks: on record, each of it."""
        path = f"/api/v1/petitions/{case}/identity-openings"
        asked = self.post(step, path, {"reason": "电话不通,需上门核对反映人的住址和联系方式。"}, "shangtian.discipline.head").json["id"]
        self.post(step + 1, f"/api/v1/identity-openings/{asked}/actions/grant", None, "fenghua.head", expect=200)
        self.post(step + 2, f"/api/v1/identity-openings/{asked}/actions/open", None, "shangtian.discipline.head", expect=200)
        return asked

    def account(self, username):
        return self.session.scalar(select(StaffAccount.id).where(StaffAccount.username == username))

    def deliver(self, step):
        self.frozen.at(step)
        with self.worker_app.app_context():
            deliver_due(channels=Channels(phone=None, mail=None))

    def excluded(self):
        """User names of everybody from whom the hidden case is hidden."""
        row = self.session.get(Petition, UUID(self.ids["petition_id"]))
        query = select(StaffAccount.username).where(
            StaffAccount.id.in_(row.excluded_account_ids)
            | StaffAccount.id.in_(select(Appointment.account_id).where(Appointment.org_id.in_(row.excluded_org_ids)))
        )
        found = sorted(self.session.scalars(query))
        self.session.rollback()
        return found

    def ask(self, step, username, method, path, **more):
        """(status, headers, bytes, statements) of one request; what differs by its nature is masked."""
        self.headers(username)
        self.frozen.at(f"{step} {username}", minutes=400)  # what one account writes collides with nobody else's
        self.statements.clear()
        headers = {**self.tokens[username], **more.pop("headers", {})}
        answer = self.client.open(path, method=method, headers=headers, **more)
        body = answer.get_data()
        shown = sorted((name, value) for name, value in answer.headers if name not in MASKED)
        return answer.status_code, shown, body, list(self.statements)


@contextmanager
def world(cluster, frozen, hidden):
    serve = contextmanager(application)
    with clone(cluster) as urls, serve(urls, "web") as app, serve(urls, "worker") as worker_app:
        engine = create_engine(urls["OWNER_DATABASE_URL"].replace("postgresql://", "postgresql+psycopg://", 1))
        try:
            with Session(engine) as session:
                made = World(app, worker_app, session, frozen, hidden)
                made.build()
                yield made
        finally:
            engine.dispose()


def made_up(shape, ids):
    """The smallest body that a schema allows, with ids of the hidden case."""
    shape = CONTRACT["components"]["schemas"][shape["$ref"].rsplit("/", 1)[1]] if "$ref" in shape else shape
    kind = shape.get("type", "object")
    kind = next(one for one in kind if one != "null") if isinstance(kind, list) else kind
    if "enum" in shape:
        return shape["enum"][0]
    if kind == "object":
        wanted = shape.get("required", [])
        return {name: ids["petition_id"] if name in ("petition_id", "parent_id") else made_up(one, ids) for name, one in shape.get("properties", {}).items() if name in wanted}
    if kind == "array":
        return [made_up(shape["items"], ids)]
    if kind in ("integer", "number"):
        return 1
    if kind == "boolean":
        return False
    formats = {"uuid": ids["account_id"], "date": "2026-11-01", "date-time": "2026-11-01T00:00:00+08:00"}
    return formats.get(shape.get("format"), "给定的内容" * (1 + shape.get("minLength", 0) // 5))


def requests_of(ids):
    """Every GET and every POST about a case, message, file or order of the contract: (method, path, more)."""
    found = []
    for path, operations in CONTRACT["paths"].items():
        for method in ("get", "head", "post", "patch", "options"):
            if method not in operations or path.startswith("/api/v1/auth/") and method != "get":
                continue
            if method == "post" and "{" not in path and not path.endswith(("/supervision/orders", "/my-data/requests")):
                continue  # files something new, which says nothing of what is there
            others = {"version": 1, "seq": 1, "log": "330213", "size": 1, "commitment": "00" * 32, "clue_id": NO_CLUE}
            others |= dict.fromkeys(("alert_id", "packet_id", "question_id", "task_id", "source_id", "batch_id"), NO_CLUE)
            variants = [path.format(**ids, link=ids["token"], **others)]
            if "/inbox/{message_id}" in path:
                variants = [path.format(message_id=ids["inbox_id"])]
            for address, query in product(variants, LISTS.get(path, [{}]) if method == "get" else [{}]):
                more = {"query_string": query}
                content = operations[method].get("requestBody", {}).get("content", {})
                if "application/json" in content:
                    more["json"] = made_up(content["application/json"]["schema"], ids)
                if "/uploads" in path:
                    more["headers"] = {"Tus-Resumable": "1.0.0", "Upload-Length": "5", "Upload-Metadata": "filename YS5qcGc=", "Upload-Offset": "1"}
                    if method == "patch":
                        more |= {"data": b"abcd", "content_type": "application/offset+octet-stream"}
                found.append((method.upper(), address, more))
    return found


def keyed(method, address, more, key):
    return (method, address, {**more, "headers": {**more.get("headers", {}), "Idempotency-Key": key}})


@pytest.mark.slow
def test_whoever_must_withdraw_can_not_tell_whether_the_case_exists(cluster, monkeypatch):
    frozen = Frozen(monkeypatch)
    with world(cluster, frozen, hidden=True) as one:
        ids, accounts = one.ids, one.excluded()
        assert {"shangtian.office", LATER, "fenghua.agri", "fenghua.office", "ningbo.office", "admin2", "auditor"} <= set(accounts)
        asked = requests_of(ids)
        asked = [keyed(*each, f"{n:022d}") if each[0] == "POST" else each for n, each in enumerate(asked, 1000)]
        # What they did themselves before they had to withdraw, sent once more with the same key.
        again = f"/api/v1/petitions/{ids['petition_id']}/messages"
        asked.append(keyed("POST", again, {"json": {"body": "请补充材料"}}, f"{120:022d}"))
        assert len(asked) > 90 and {"GET", "POST", "HEAD", "PATCH"} <= {method for method, _, _ in asked}
        told = [walk(one, username, asked) for username in accounts]
        seen = [one.ask(1, "fenghua.head", "GET", f"/api/v1/petitions/{ids['petition_id']}")[0]]
    with world(cluster, frozen, hidden=False) as other:
        assert other.ids == {name: ids[name] for name in ("first", "second")}
        assert other.session.execute(text("SELECT count(*) FROM petitions")).scalar_one() == 2
        other.session.rollback()
        for username, before in zip(accounts, told, strict=True):
            for request, mine, theirs in zip(asked, before, walk(other, username, asked), strict=True):
                assert mine == theirs, (username, request)
    assert seen == [200], "those who may see it do"


def walk(place, username, asked):
    return [place.ask(500 + n, username, method, path, **more) for n, (method, path, more) in enumerate(asked)]


def test_to_whoever_must_withdraw_the_case_is_an_unknown_id(cluster, monkeypatch):
    frozen = Frozen(monkeypatch)
    with world(cluster, frozen, hidden=True) as one:
        unknown = {name: value if name in ("code", "token") else str(uuid4()) for name, value in one.ids.items()}
        for username in ("shangtian.office", LATER, "fenghua.office"):
            for known, strange in zip(requests_of(one.ids), requests_of(unknown), strict=True):
                if known[1] != strange[1] and "hand-over" not in known[1]:
                    mine = one.ask(1, username, *known[:2], **keyed(*known, "k" * 22)[2])
                    theirs = one.ask(1, username, *strange[:2], **keyed(*strange, "k" * 22)[2])
                    assert mine == theirs, (username, known)


def test_the_organisation_tree_of_the_demonstration_leaves_somebody_to_see_it(cluster, monkeypatch):
    with world(cluster, Frozen(monkeypatch), hidden=True) as one:
        everybody = set(one.session.scalars(select(StaffAccount.username)))
        assert one.session.scalar(select(Organisation.id).limit(1))
        assert {"fenghua.head", "shangtian.discipline.head", "ningbo.office.head"} <= everybody - set(one.excluded())
