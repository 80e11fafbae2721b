"""Receipts and statutory papers: read back from the PDF, checked, delivered, and the same bytes every time."""

import hashlib
import io
import re
from datetime import date, timedelta
from urllib.parse import urlencode
from uuid import uuid4

import psycopg
import pytest
from psycopg import errors
from pypdf import PdfReader
from sqlalchemy import text

from app import clock
from app.papers import printing, receipts
from tests.app.cases import VILLAGE, Cases

DRAFT = {
    "division_code": VILLAGE, "title": "村道工程账目不清", "body": "花了多少钱一直没有公开。", "category": "works",
    "name": "竺某某", "phone": "13800000014",
}  # fmt: skip
FINDINGS = "经查阅合同、账目并走访相关人员,情况已核实。\n工程款共计12万元,已全部付清。"
PLAIN = "%Y年%-m月%-d日"


def words_of(pdf):
    """The text of a PDF without blanks and line breaks, which only the layout puts in."""
    pages = PdfReader(io.BytesIO(pdf)).pages
    return re.sub(r"\s", "", "".join(page.extract_text() for page in pages))


def chinese(day):
    day = date.fromisoformat(day) if isinstance(day, str) else day
    return f"{day.year}年{day.month}月{day.day}日"


class Office:
    """One case and the people who work on it, over HTTP."""

    def __init__(self, client, as_staff, new_key, **more):
        self.client, self.as_staff, self.new_key = client, as_staff, new_key
        taker = more.pop("taken_in_by", None)
        path, headers = ("/api/v1/intake/petitions", as_staff(taker)) if taker else ("/api/v1/petitions", {})
        answer = client.post(path, json={**DRAFT, **more}, headers={**headers, **new_key()})
        assert answer.status_code == 201, answer.get_data(as_text=True)
        self.receipt = answer.json
        self.path = f"/api/v1/petitions/{answer.json['id']}"
        signed = client.post(
            "/api/v1/auth/receipt/sign-in", json={"serial": self.receipt["serial"], "pin": self.receipt["pin"]}
        )
        self.own = {"Authorization": f"Bearer {signed.json['access_token']}"}

    def act(self, username, event, **facts):
        headers = self.own if username is None else self.as_staff(username)
        answer = self.client.post(f"{self.path}/actions/{event}", json=facts, headers=headers)
        assert answer.status_code == 200, (event, answer.get_data(as_text=True))
        return answer.json

    def accept(self):
        self.act("shangtian.office", "register")
        self.act("shangtian.office", "accept")

    def hand_out(self):
        bodies = self.client.get("/api/v1/organisations", headers=self.as_staff("shangtian.office"))
        assert bodies.status_code == 200, bodies.get_data(as_text=True)
        body = next(one["id"] for one in bodies.json["items"] if "纪工委" in one["name"] and "尚田" in one["name"])
        self.act("shangtian.office", "dispatch", main_org_id=body)
        self.act("shangtian.discipline", "sign")
        self.act("shangtian.discipline", "start", note="已联系信访人")

    def answer(self):
        law = "《信访工作条例》第三十二条"
        self.act("shangtian.discipline", "submit-reply", findings=FINDINGS, legal_basis=law, outcome="explained")
        self.act("shangtian.discipline.head", "approve-reply")
        self.act("shangtian.discipline", "deliver", proof="当面答复")

    def papers(self, username=None):
        headers = self.own if username is None else self.as_staff(username)
        answer = self.client.get(f"{self.path}/papers", headers=headers)
        assert answer.status_code == 200, answer.get_data(as_text=True)
        return answer.json["items"]

    def pdf(self, paper, username=None):
        headers = self.own if username is None else self.as_staff(username)
        answer = self.client.get(paper["url"], headers=headers)
        assert answer.status_code == 200, answer.get_data(as_text=True)
        assert answer.mimetype == "application/pdf"
        return answer.data


@pytest.fixture
def office(client, as_staff, new_key):
    return Office(client, as_staff, new_key)


@pytest.fixture
def answered(office):
    office.accept()
    office.hand_out()
    office.answer()
    return office


# --- the receipt -----------------------------------------------------------------------------------------------------


def test_the_receipt_on_paper_holds_number_dates_and_what_to_do_but_no_word_of_the_petition(office, client):
    answer = client.get(f"{office.path}/receipt.pdf", headers=office.own)
    assert answer.status_code == 200 and answer.mimetype == "application/pdf"
    assert len(PdfReader(io.BytesIO(answer.data)).pages) == 1
    words = words_of(answer.data)
    assert office.receipt["serial"] in words
    promised = [one for one in office.receipt["promises"] if one["policy"] in ("PT-00", "PT-01", "PT-02", "PT-11")]
    assert len(promised) >= 3
    for one in promised:
        assert chinese(one["due_on"]) in words, one
    assert "12345" in words and "自动把本件交上一级" in words
    for secret in (office.receipt["pin"], DRAFT["title"], DRAFT["body"], DRAFT["name"], DRAFT["phone"]):
        assert secret not in words


def test_the_receipt_is_the_same_bytes_today_and_after_the_case_has_moved(office, client):
    first = client.get(f"{office.path}/receipt.pdf", headers=office.own).data
    office.accept()
    assert client.get(f"{office.path}/receipt.pdf", headers=office.own).data == first


def test_a_receipt_printed_later_is_the_one_of_the_filing_to_the_letter_in_every_form(office, client):
    office.accept()
    later = client.get(f"{office.path}/receipt", headers=office.own).json
    assert {**later, "pin": office.receipt["pin"]} == {**office.receipt, "code": receipts.code_text(office.receipt)}
    with client.application.app_context():
        assert client.get(f"{office.path}/receipt.pdf", headers=office.own).data == receipts.receipt_pdf(office.receipt)


def test_a_calendar_that_changes_later_leaves_the_dates_of_a_receipt_as_they_were_promised(office, client, monkeypatch):
    monkeypatch.setattr(receipts.calendar_store, "current", lambda: pytest.fail("the dates were computed anew"))
    assert client.get(f"{office.path}/receipt", headers=office.own).json["promises"] == office.receipt["promises"]


def test_staff_print_the_promise_but_not_the_secret_that_opens_it(office, client, as_staff):
    seen = client.get(f"{office.path}/receipt", headers=as_staff("shangtian.office")).json
    assert seen["promise"] == office.receipt["promise"] and seen["commitment"] == office.receipt["commitment"]
    assert {"salt", "opening", "pin"}.isdisjoint(seen)


def test_a_receipt_from_before_receipts_were_kept_has_its_dates_and_no_promise(office, client, db_session):
    db_session.execute(text("DELETE FROM receipts"))
    db_session.commit()
    seen = client.get(f"{office.path}/receipt", headers=office.own).json
    assert seen["promises"] == office.receipt["promises"] and seen["filed_at"] == office.receipt["filed_at"]
    assert {"promise", "commitment", "salt", "opening"}.isdisjoint(seen)
    assert client.get(f"{office.path}/receipt.pdf", headers=office.own).status_code == 200


def test_commitment_and_promise_stand_on_paper_and_in_the_code_when_the_receipt_has_them(app, office):
    commitment, promise = "c0ffee" * 10, {"log": "mj-1", "signature": "MEUCIQ"}
    receipt = {**office.receipt, "commitment": commitment, "promise": promise, "salt": "never-printed"}
    code, words = receipts.code_text(receipt), words_of(receipts.receipt_pdf(receipt))
    for told in (code, words):
        assert commitment in told and "MEUCIQ" in told
        assert "never-printed" not in told and office.receipt["pin"] not in told
    plain = {name: value for name, value in office.receipt.items() if name not in ("commitment", "promise")}
    assert "内容承诺值" not in words_of(receipts.receipt_pdf(plain))


def test_the_receipt_of_a_filing_carries_its_promise_on_paper_and_in_a_code_that_can_be_drawn(app, office):
    promised, words = office.receipt["promise"], words_of(receipts.receipt_pdf(office.receipt))
    assert office.receipt["commitment"] in words and promised["signature"] in words
    assert promised["signature"] in receipts.code_text(office.receipt)
    assert office.receipt["salt"] not in words


def test_the_code_is_a_picture_for_the_page_and_for_print(office, client):
    svg = client.get(f"{office.path}/receipt.svg", headers=office.own)
    png = client.get(f"{office.path}/receipt.png", headers=office.own)
    assert svg.mimetype == "image/svg+xml" and b"<svg" in svg.data and b"<script" not in svg.data
    assert png.mimetype == "image/png" and png.data.startswith(b"\x89PNG")
    code = client.get(f"{office.path}/receipt", headers=office.own).json["code"]
    assert code == receipts.code_text(office.receipt)
    assert [line.partition(":")[0] for line in code.splitlines()] == [receipts.FORMAT, "number", "commitment", "promise"]


def test_nobody_else_gets_a_receipt_or_its_code(office, client, as_staff):
    for name in ("receipt", "receipt.pdf", "receipt.svg", "receipt.png", "papers", "papers/2.pdf"):
        assert client.get(f"{office.path}/{name}").status_code == 401, name
        assert client.get(f"{office.path}/{name}", headers=as_staff("wuxing.office")).status_code == 404, name


def test_the_slip_needs_the_right_pin_and_five_wrong_ones_shut_the_door(office, client):
    right = {"serial": office.receipt["serial"], "pin": office.receipt["pin"]}
    answer = client.post("/api/v1/receipts/slip", json=right)
    assert answer.status_code == 200
    assert office.receipt["serial"] in words_of(answer.data) and office.receipt["pin"] in words_of(answer.data)
    wrong = {**right, "pin": "00000000"}
    assert [client.post("/api/v1/receipts/slip", json=wrong).status_code for _ in range(6)] == [401] * 5 + [429]


def test_a_missing_font_is_said_by_name_while_the_receipt_as_data_and_code_still_works(office, client, monkeypatch):
    monkeypatch.setattr(printing, "font_paths", lambda: dict.fromkeys(printing.FONT_FILES))
    printing._fonts.cache_clear()
    answer = client.get(f"{office.path}/receipt.pdf", headers=office.own)
    assert answer.status_code == 503 and answer.json["type"] == "/problems/paper-font-missing"
    assert answer.json["font"] == "Noto Serif SC" and answer.json["package"] == printing.FONT_PACKAGE
    assert client.get(f"{office.path}/receipt", headers=office.own).status_code == 200
    assert client.get(f"{office.path}/receipt.svg", headers=office.own).status_code == 200


def test_a_character_that_the_fonts_lack_is_marked_and_named(app, office):
    pdf = printing.to_pdf(
        "paper",
        {**sheet(), "paragraphs": ["承办人䶮某与\U00020bb7某核对。", "另有\U00020bb7字。"]},
        clock.now(),
    )
    words = words_of(pdf)
    assert f"与{printing.GETA}某" in words and "U+20BB7" in words and "䶮某" in words


def sheet():
    """The values of an empty paper."""
    return {
        "title": "试", "number": "试号", "body": "试机关", "day": "2026年1月1日", "salutation": "信访人：", "paragraphs": [],
        "closing": "特此告知。", "rows": [], "check": "", "qr": receipts.code_picture("x", "svg").decode(),
        "missing_words": "缺字", "words": {"seal": "", "qr": "码", "stub": "", "stub_lines": []},
    }  # fmt: skip


def test_what_people_write_is_never_read_as_markup(app):
    hostile = '#import "@preview/cetz:0.3.0"\n#read("/etc/passwd") $x$ *b* _i_ `c` <l> @r // \\ "]) #panic()'
    words = words_of(printing.to_pdf("paper", {**sheet(), "paragraphs": [hostile]}, clock.now()))
    assert '#read("/etc/passwd")$x$*b*' in words and "#panic()" in words


# --- statutory papers ------------------------------------------------------------------------------------------------


def test_a_case_has_the_papers_of_its_decisions_in_order(answered):
    assert [one["kind"] for one in answered.papers()] == ["acceptance", "handling_opinion"]


def test_the_handling_opinion_says_outcome_findings_basis_remedy_and_its_last_day(answered, client):
    paper = answered.papers()[-1]
    words = words_of(answered.pdf(paper))
    window = next(
        one for one in client.get(answered.path, headers=answered.own).json["promises"] if one["policy"] == "PT-07"
    )
    assert paper["last_on"] == window["due_on"]
    for said in (
        "信访事项处理意见书", "诉求合理但缺乏依据", "经查阅合同、账目并走访相关人员", "工程款共计12万元", "《信访工作条例》第三十二条",
        "《信访工作条例》第三十五条", "上一级机关复查", chinese(window["due_on"]), paper["number"].split("-", 2)[2], paper["code"],
        answered.receipt["serial"], "纪工委",
    ):  # fmt: skip
        assert said in words, said
    assert DRAFT["name"] not in words and DRAFT["phone"] not in words


def test_the_acceptance_names_the_last_day_of_handling_as_it_was_on_that_day(answered):
    paper = answered.papers()[0]
    words = words_of(answered.pdf(paper))
    assert "受理告知书" in words and chinese(paper["last_on"]) in words
    assert paper["basis"] == [
        "《信访工作条例》第二十三条第二款", "《浙江省信访条例》第二十条", "《信访工作条例》第三十四条", "《浙江省信访条例》第二十三条",
    ]  # fmt: skip
    # The local limit of 30 days ends before the statutory one of 60: a rest day may move it on, but never so far.
    assert timedelta(days=30) <= date.fromisoformat(paper["last_on"]) - clock.today() < timedelta(days=60)


@pytest.mark.parametrize(
    ("event", "facts", "kind", "said"),
    [
        ("reject", {"reason_code": "not_petition_matter", "reason": "属于个人之间的买卖"}, "non_acceptance", "不属于信访事项"),
        ("redirect", {"route_code": "arbitration"}, "redirect", "属于仲裁途径"),
    ],
)
def test_a_refusal_says_why_and_that_its_remedy_has_no_last_day(office, event, facts, kind, said):
    office.act("shangtian.office", "register")
    office.act("shangtian.office", event, **facts)
    (paper,) = office.papers()
    words = words_of(office.pdf(paper))
    assert paper["kind"] == kind and paper["last_on"] is None
    assert said in words and "不设期限" in words and facts.get("reason", "") in words


def test_an_extension_says_days_reason_and_the_new_last_day(office):
    office.accept()
    office.hand_out()
    before = office.papers()[0]["last_on"]
    office.act("shangtian.discipline", "request-extension", days=15, reason="须等待审计结果")
    office.act("shangtian.discipline.head", "approve-extension", days=15)
    paper = office.papers()[-1]
    words = words_of(office.pdf(paper))
    assert paper["kind"] == "extension" and paper["last_on"] > before
    assert timedelta(days=45) <= date.fromisoformat(paper["last_on"]) - clock.today() < timedelta(days=75)
    assert "延长15日" in words and "须等待审计结果" in words and chinese(paper["last_on"]) in words
    assert office.papers()[0]["last_on"] == before


def test_review_and_re_review_opinions_come_from_their_bodies_and_the_last_one_is_final(answered):
    answered.act(None, "ask-review", reason="账目仍未公开")
    answered.act("fenghua.office", "give-review-opinion", outcome="uphold", opinion="原处理意见事实清楚。")
    answered.act(None, "ask-recheck", reason="仍不同意")
    answered.act("ningbo.office", "give-recheck-opinion", outcome="uphold", opinion="复查意见适当。")
    review, recheck = answered.papers()[-2:]
    words = words_of(answered.pdf(review))
    assert review["kind"] == "review_opinion" and "奉化" in review["body"] and review["number"].split("-")[1] == "330213"
    assert "原处理意见事实清楚。" in words and "上一级机关复核" in words and chinese(review["last_on"]) in words
    words = words_of(answered.pdf(recheck))
    assert recheck["kind"] == "recheck_opinion" and "宁波" in recheck["body"] and recheck["last_on"] is None
    assert "复查意见适当。" in words and "不再受理" in words and "已终结" in words


def test_a_paper_is_the_same_bytes_every_time_and_its_hash_is_kept_instead_of_the_file(answered, client, as_staff):
    paper = answered.papers()[-1]
    first = answered.pdf(paper)
    answered.act(None, "rate", grade="satisfied", office_grade="satisfied")
    printing._fonts.cache_clear()
    assert answered.pdf(paper) == answered.pdf(paper, "shangtian.office") == first
    assert hashlib.sha256(first).hexdigest() == paper["sha256"] == answered.papers()[-1]["sha256"]


def test_a_paper_stays_as_it_was_made_when_a_body_is_renamed(answered, db_session):
    paper = answered.papers()[-1]
    first = answered.pdf(paper)
    db_session.execute(text("UPDATE organisations SET name = name || '（新）'"))
    db_session.commit()
    assert answered.pdf(paper) == first and answered.papers()[-1]["body"] == paper["body"]


def test_numbers_carry_year_and_place_and_no_sequence(client, as_staff, new_key):
    numbers = []
    for _ in range(3):
        office = Office(client, as_staff, new_key)
        office.accept()
        numbers.append(office.papers()[0]["number"])
    tails = [number.split("-", 2)[2] for number in numbers]
    assert len(set(tails)) == 3 and all(re.fullmatch(r"[2-9A-Z]{4}-[2-9A-Z]{4}", tail) for tail in tails)
    assert {number.rsplit("-", 2)[0] for number in numbers} == {f"{clock.today().year}-330213007"}


def test_anybody_can_check_a_paper_and_learns_no_content(answered, client):
    paper = answered.papers()[-1]
    for number in (paper["number"], paper["printed_number"]):
        told = client.get("/api/v1/papers/verify", query_string={"number": number, "code": paper["code"].lower()})
        assert told.status_code == 200
        assert told.json == {
            "genuine": True, "kind": "handling_opinion", "label": "信访事项处理意见书", "label_en": "handling opinion",
            "decided_on": clock.today().isoformat(), "sha256": paper["sha256"],
        }  # fmt: skip


def test_a_wrong_code_and_a_number_that_never_was_are_answered_alike(answered, client):
    paper, other = answered.papers()[-1], answered.papers()[0]
    year, place, *_tail = paper["number"].split("-")
    for number, code in (
        (paper["number"], "22222-22222"),
        (paper["number"], other["code"]),
        (f"{year}-{place}-2222-2222", paper["code"]),
        ("什么也不是", paper["code"]),
        (paper["number"], "！"),
    ):
        told = client.get(f"/api/v1/papers/verify?{urlencode({'number': number, 'code': code})}")
        assert (told.status_code, told.json) == (200, {"genuine": False}), number


# --- delivery --------------------------------------------------------------------------------------------------------


def test_opening_a_paper_is_its_delivery_online_once_and_only_for_the_petitioner(answered):
    paper = answered.papers("shangtian.office")[-1]
    answered.pdf(paper, "shangtian.office")
    assert answered.papers("shangtian.office")[-1]["deliveries"] == []
    answered.pdf(paper)
    answered.pdf(paper)
    (sent,) = answered.papers("shangtian.office")[-1]["deliveries"]
    assert (sent["method"], sent["on"], sent["body"]) == ("online", clock.today().isoformat(), None)


def review_until(office):
    """Last day of the right to ask for a review, as the petitioner reads it."""
    promises = office.client.get(office.path, headers=office.own).json["promises"]
    return next(date.fromisoformat(one["due_on"]) for one in promises if one["policy"] == "PT-07")


def of_a_letter(client, as_staff, new_key, cases):
    """A case taken in from a letter whose reply nobody brought, so that the clock sent it."""
    office = Office(client, as_staff, new_key, taken_in_by="shangtian.office", channel="letter")
    office.accept()
    office.hand_out()
    law = "《信访工作条例》第三十二条"
    office.act("shangtian.discipline", "submit-reply", findings=FINDINGS, legal_basis=law, outcome="explained")
    office.act("shangtian.discipline.head", "approve-reply")
    cases.act(office.receipt["id"], "deliver")
    return office


@pytest.fixture
def sent_by_the_clock(client, as_staff, new_key, app, worker_app, db_session):
    cases = Cases(app, worker_app, db_session)
    office = of_a_letter(client, as_staff, new_key, cases)
    before = review_until(office)
    cases.travel(timedelta(days=9))
    return office, before


def deliver(office, username, paper, method="post", *, ago=0, expect=201):
    headers = {**office.as_staff(username), **office.new_key()}
    on = (clock.today() - timedelta(days=ago)).isoformat()
    answer = office.client.post(
        f"{office.path}/papers/{paper['seq']}/deliveries", json={"method": method, "on": on, "note": ""}, headers=headers
    )
    assert answer.status_code == expect, answer.get_data(as_text=True)


@pytest.mark.parametrize("method", ["post", "in_person", "refused"])
def test_the_right_to_review_counts_from_the_day_on_which_the_paper_came(sent_by_the_clock, app, method):
    office, before = sent_by_the_clock
    paper = office.papers()[-1]
    with app.app_context():
        on = clock.today() - timedelta(days=2)
        deliver(office, "shangtian.discipline", paper, method, ago=2)
    after = review_until(office)
    assert after > before and on + timedelta(days=30) <= after < on + timedelta(days=45)
    timeline = office.client.get(office.path, headers=office.own).json["timeline"]
    assert (timeline[-1]["event"], timeline[-1]["facts"]["on"]) == ("record_delivery", on.isoformat())


def test_a_letter_writer_who_opens_the_paper_online_first_has_thirty_days_from_then(sent_by_the_clock):
    office, before = sent_by_the_clock
    office.pdf(office.papers()[-1])
    opened = review_until(office)
    assert opened > before
    deliver(office, "shangtian.discipline", office.papers()[-1])
    assert review_until(office) == opened


def test_delivering_a_paper_again_and_again_lengthens_nothing(sent_by_the_clock, app, worker_app, db_session):
    office, _before = sent_by_the_clock
    paper = office.papers()[-1]
    deliver(office, "shangtian.discipline", paper)
    once = review_until(office)
    cases = Cases(app, worker_app, db_session)
    for _ in range(2):
        cases.travel(timedelta(days=3))
        deliver(office, "shangtian.discipline", paper)
        office.pdf(paper)
    assert review_until(office) == once
    assert cases.events(office.receipt["id"]).count("record_delivery") == 1


def test_the_first_day_on_which_a_paper_came_is_the_day_of_the_event_and_shortens_nothing(sent_by_the_clock):
    office, before = sent_by_the_clock
    deliver(office, "shangtian.discipline", office.papers()[-1], ago=9)
    assert review_until(office) == before


def test_a_paper_whose_receipt_was_proved_gives_no_more_time_however_late_it_is_recorded(
    answered, app, worker_app, db_session
):
    before = review_until(answered)
    Cases(app, worker_app, db_session).travel(timedelta(days=9))
    deliver(answered, "shangtian.discipline", answered.papers()[-1])
    assert review_until(answered) == before


def test_a_head_request_delivers_nothing(answered, client):
    paper = answered.papers()[-1]
    told = client.head(paper["url"], headers=answered.own)
    assert told.status_code == 200 and told.data == b""
    assert answered.papers()[-1]["deliveries"] == []


def test_what_staff_see_of_papers_is_on_record_and_the_petitioners_own_look_is_not(answered, client, as_staff):
    def on_record():
        reads = client.get(f"{answered.path}/reads", headers=as_staff("auditor")).json["items"]
        return [(one["role"], one["purpose"], one["details"]) for one in reads if one["what"] == "paper"]

    paper = answered.papers()[-1]
    answered.pdf(paper)
    assert on_record() == []
    answered.papers("shangtian.office")
    answered.pdf(paper, "fenghua.office")
    assert on_record() == [
        ("petition_office", "oversees", {"seq": paper["seq"]}), ("township_office", "in_charge", {}),
    ]  # fmt: skip


def test_of_an_erased_case_the_words_are_gone_and_its_papers_are_still_found_genuine(answered, client, db_session, as_staff):
    paper, reader = answered.papers()[-1], as_staff("shangtian.office")
    db_session.execute(text("DELETE FROM papers WHERE seq <> :seq"), {"seq": paper["seq"]})
    db_session.execute(text("SELECT erase_content(:id)"), {"id": answered.receipt["id"]})
    db_session.commit()
    rows = db_session.scalars(text("SELECT row_to_json(p)::text FROM papers p")).all()
    assert len(rows) == 1 and "工程款" not in rows[0] and answered.receipt["serial"] not in rows[0]
    (left,) = client.get(f"{answered.path}/papers", headers=reader).json["items"]
    assert {name: left[name] for name in ("number", "code", "sha256", "next")} == {
        name: paper[name] for name in ("number", "code", "sha256", "next")
    }
    refused = client.get(paper["url"], headers=reader)
    assert (refused.status_code, refused.json["type"]) == (409, "/problems/already-erased")
    query = urlencode({"number": paper["number"], "code": paper["code"]})
    assert client.get(f"/api/v1/papers/verify?{query}").json["genuine"] is True


def test_staff_record_how_a_paper_was_handed_over_once_for_each_key(answered, client, as_staff, new_key):
    paper, headers = answered.papers()[-1], {**as_staff("shangtian.office"), **new_key()}
    draft = {"method": "refused", "on": clock.today().isoformat(), "note": "拒收,两名见证人在场"}
    path = paper["url"].removesuffix(".pdf") + "/deliveries"
    first = client.post(path, json=draft, headers=headers)
    assert first.status_code == 201, first.get_data(as_text=True)
    assert "note" not in first.json, "kept with the idempotency key"
    assert client.post(path, json=draft, headers=headers).status_code == 201
    (sent,) = answered.papers()[-1]["deliveries"]
    assert (sent["method"], sent["label"], sent["note"]) == ("refused", "拒收留置", draft["note"])
    assert "尚田" in sent["body"]


def test_a_delivery_that_can_not_be_is_refused(answered, client, as_staff, new_key):
    path = answered.papers()[-1]["url"].removesuffix(".pdf") + "/deliveries"
    today = clock.today()

    def send(headers, **more):
        draft = {"method": "post", "on": today.isoformat(), **more}
        return client.post(path, json=draft, headers={**headers, **new_key()}).status_code

    office = as_staff("shangtian.office")
    assert send(office, on=str(today + timedelta(days=1))) == 422
    assert send(office, on=str(today - timedelta(days=1))) == 422
    assert send(office, method="online") == 422
    assert send(answered.own) == 403
    assert send(as_staff("wuxing.office")) == 404
    assert client.post(path, json={"method": "post", "on": str(today)}, headers=office).status_code == 400
    unknown = path.replace(f"/{path.split('/')[-2]}/", "/999/")
    assert client.post(unknown, json={"method": "post", "on": str(today)}, headers={**office, **new_key()}).status_code == 404


# --- the database itself ---------------------------------------------------------------------------------------------

PETITIONER = {
    "mj.kind": "petitioner", "mj.role": "petitioner", "mj.reach": "receipt", "mj.lo": "", "mj.hi": ":", "mj.org": "",
    "mj.person": "",
}  # fmt: skip


@pytest.fixture
def web(database, answered):
    answered.pdf(answered.papers()[-1])
    with psycopg.connect(database["DATABASE_URL"]) as connection:
        yield connection


def be(connection, petition):
    for name, value in {**PETITIONER, "mj.petition": petition}.items():
        connection.execute("SELECT set_config(%s, %s, true)", (name, value))


@pytest.mark.parametrize("table", ["papers", "paper_deliveries"])
def test_papers_and_deliveries_are_seen_with_their_case_only(web, answered, table):
    assert web.execute(f"SELECT count(*) FROM {table}").fetchone()[0] == 0
    be(web, str(uuid4()))
    assert web.execute(f"SELECT count(*) FROM {table}").fetchone()[0] == 0
    be(web, answered.receipt["id"])
    assert web.execute(f"SELECT count(*) FROM {table}").fetchone()[0] > 0


@pytest.mark.slow
@pytest.mark.parametrize("table", ["papers", "paper_deliveries"])
@pytest.mark.parametrize("change", ["DELETE FROM {}", "UPDATE {} SET petition_id = petition_id", "TRUNCATE {}"])
def test_the_web_role_can_not_change_or_delete_a_paper_or_a_delivery(web, answered, table, change):
    be(web, answered.receipt["id"])
    with pytest.raises(errors.InsufficientPrivilege):
        web.execute(change.format(table))


def test_a_petitioner_can_not_record_a_delivery_by_hand(web, answered):
    be(web, answered.receipt["id"])
    paper = web.execute("SELECT id FROM papers LIMIT 1").fetchone()[0]
    with pytest.raises(errors.InsufficientPrivilege):
        web.execute(
            'INSERT INTO paper_deliveries (id, petition_id, paper_id, method, "on", at, note) '
            "VALUES (gen_random_uuid(), %s, %s, 'in_person', current_date, now(), '')",
            (answered.receipt["id"], paper),
        )
