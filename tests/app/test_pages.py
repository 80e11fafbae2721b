"""The plain pages as a villager with an old phone meets them: real filing, real look-up, no script."""

import html
import io
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from flask import Flask
from flask.testing import FlaskClient
from PIL import Image
from sqlalchemy import text
from sqlalchemy.orm import Session
from werkzeug.test import TestResponse

import app.pages
from app.identity import store
from app.pages.text import CONTENT_SECURITY_POLICY, catalogue
from app.petitions.models import Petition
from app.petitions.schemas import CATEGORIES, REJECT_REASONS, ROUTES, SUSPENSION_REASONS
from app.privacy.own_data import GROUNDS
from app.timeline import PUBLIC_EVENTS
from workflows.petition import GRADES, OUTCOMES, RECHECK_OUTCOMES, REVIEW_OUTCOMES, PetitionState

HERE = Path(app.pages.__file__).parent
TEMPLATES = sorted((HERE / "templates").glob("*.html"))
SHANGYI = "330213007213"
FORM_ADDRESS = f"/p/file?danger=no&place={SHANGYI}"


@pytest.fixture
def phone(app: Flask, province: Any) -> FlaskClient:
    """A browser that keeps cookies, on a server whose demonstration province is loaded."""
    return app.test_client()


def hidden(page: TestResponse, name: str) -> str:
    """The value of a hidden field of the page."""
    found = re.search(rf'name="{name}" value="([^"]*)"', page.text)
    assert found, f"no field {name}"
    return html.unescape(found[1])


def words(page: TestResponse) -> str:
    """What a reader sees of the page, on one line."""
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", page.text)).split())


def filled(key: str, **changes: Any) -> dict[str, Any]:
    return {
        "key": key, "danger": "no", "division_code": SHANGYI, "item_type": "appeal", "category": "land",
        "title": "两年没有拿到租金", "body": "村里租了我家三亩地。\r\n两年没有付钱。", "who": "named", "name": "陈小妹",
        "phone": "138 0000 1234", "address": "", "claimed": "1,200.50", "accused_name_1": "竺某", "accused_post_1": "村会计",
        **changes,
    }  # fmt: skip


def file_case(phone: FlaskClient, **changes: Any) -> tuple[str, str]:
    """File through the pages; returns number and PIN as printed on the receipt."""
    form = phone.get(FORM_ADDRESS)
    sent = phone.post("/p/file", data=filled(hidden(form, "key"), **changes), content_type="multipart/form-data")
    assert sent.status_code == 303, words(sent)
    receipt = phone.get(sent.location)
    serial, pin = re.findall(r'class="code">([^<]+)<', receipt.text)
    return serial, pin


def look_up(phone: FlaskClient, serial: str, pin: str) -> TestResponse:
    answer = phone.post("/p/case", data={"serial": serial, "pin": pin})
    assert answer.status_code == 303, words(answer)
    return phone.get("/p/case")


@pytest.fixture
def answered(phone: FlaskClient, db_session: Session, as_staff: Callable[[str], dict[str, str]]) -> tuple[str, str]:
    """Number and PIN of a case that has been answered and waits for its rating."""
    serial, pin = file_case(phone)
    phone.post("/p/receipt")
    play(phone, serial, [*TAKEN_ON, *ANSWERED], db_session, as_staff)
    return serial, pin


Moves = list[tuple[str, str, dict[str, Any]]]
TAKEN_ON: Moves = [
    ("register", "shangtian.office", {}),
    ("accept", "shangtian.office", {}),
    ("dispatch", "shangtian.office", {"main": "奉化区农业农村局"}),
    ("sign", "fenghua.agri", {}),
    ("start", "fenghua.agri", {"note": "已联系"}),
]
ANSWERED: Moves = [
    (
        "submit_reply",
        "fenghua.agri",
        {"findings": "查明租金确未支付。", "legal_basis": "农村土地承包法", "outcome": OUTCOMES[0]},
    ),
    ("approve_reply", "fenghua.agri.head", {}),
    ("deliver", "fenghua.agri", {"proof": "当面送达,本人签收"}),
]
EXTENDED: Moves = [
    ("request_extension", "fenghua.agri", {"days": 20, "reason": "等待第三方评估"}),
    ("approve_extension", "fenghua.agri.head", {"days": 20}),
]


def play(
    phone: FlaskClient, serial: str, steps: Moves, look: Session, as_staff: Callable[[str], dict[str, str]]
) -> None:
    """Let the staff act on the case, over HTTP as they do."""
    case = look.execute(text("SELECT id FROM petitions WHERE serial = :s"), {"s": serial}).scalar_one()
    for event, username, facts in steps:
        if "main" in facts:
            org = text("SELECT id FROM organisations WHERE name = :name")
            facts = {"main_org_id": str(look.execute(org, {"name": facts["main"]}).scalar_one())}
        address = f"/api/v1/petitions/{case}/actions/{event.replace('_', '-')}"
        answer = phone.post(address, json=facts, headers=as_staff(username))
        assert answer.status_code == 200, (event, answer.text)
    look.rollback()


# --- filing ----------------------------------------------------------------------------------------------------------


def test_danger_is_asked_first_and_shows_whom_to_call(phone: FlaskClient) -> None:
    asked = phone.get("/p/file")
    assert 'href="/p/file?danger=now"' in asked.text
    calling = phone.get("/p/file?danger=now")
    assert 'href="tel:110"' in calling.text and 'href="tel:120"' in calling.text
    assert "<form" not in calling.text


def test_the_place_is_chosen_step_by_step(phone: FlaskClient) -> None:
    here = "/p/file?danger=no"
    for code, question in (
        ("330200000000", "选择市"), ("330213000000", "选择县"), ("330213007000", "选择乡镇"), (SHANGYI, "选择村"),
    ):  # fmt: skip
        step = phone.get(here)
        assert question in words(step)
        assert f'value="{code}"' in step.text
        here = f"/p/file?danger=no&place={code}"
    assert 'name="title"' in phone.get(here).text


def test_an_unknown_place_is_explained_on_a_page(phone: FlaskClient) -> None:
    answer = phone.get("/p/file?danger=no&place=abc")
    assert answer.status_code == 422
    assert answer.mimetype == "text/html"
    assert "接下来怎么办" in words(answer)


def test_filing_leads_to_a_receipt_with_number_pin_and_dates(phone: FlaskClient) -> None:
    form = phone.get(FORM_ADDRESS)
    sent = phone.post("/p/file", data=filled(hidden(form, "key")))
    assert (sent.status_code, sent.location) == (303, "/p/receipt")
    receipt = phone.get("/p/receipt")
    serial, pin = re.findall(r'class="code">([^<]+)<', receipt.text)
    assert re.fullmatch(r"MJ(-[0-9A-Z]{4}){4}", serial)
    assert re.fullmatch(r"\d{8}", pin)
    assert "最迟" in words(receipt)


def test_what_was_written_is_what_is_stored(db_session: Session, phone: FlaskClient) -> None:
    serial, _pin = file_case(phone)
    stored = db_session.query(Petition).filter_by(serial=serial).one()
    assert stored.body == "村里租了我家三亩地。\n两年没有付钱。"
    assert stored.claimed_fen == 120_050
    assert [one["name"] for one in stored.accused] == ["竺某"]
    sealed = db_session.execute(text(store.sealed_of(":id")), {"id": stored.id}).scalar_one()
    (person,) = store.opened(stored.id, sealed, store.keyring())
    assert (person["name"], person["phone"]) == ("陈小妹", "13800001234")


def test_an_anonymous_filing_keeps_no_identity_even_when_it_was_typed(db_session: Session, phone: FlaskClient) -> None:
    serial, _pin = file_case(phone, who="anonymous")
    stored = db_session.query(Petition).filter_by(serial=serial).one()
    assert stored.way == "anonymous"
    count = text("SELECT count(*) FROM sealed.identities WHERE petition_id = :id")
    assert db_session.execute(count, {"id": stored.id}).scalar() == 0


def test_who_must_not_learn_of_it_is_asked_with_what_follows_in_both_languages(phone: FlaskClient) -> None:
    for lang, n in (("zh", 0), ("en", 1)):
        page = phone.get(f"{FORM_ADDRESS}&lang={lang}")
        for name in ("file.keep", "file.keep.hint", "file.keep.then"):
            assert catalogue()[name][n] in words(page)
        assert "<script" not in page.text
        assert all(f'<label for="keep_{part}_{n}">' in page.text for part in ("name", "post") for n in range(1, 6))


def test_whoever_the_form_names_to_be_kept_away_does_not_see_the_case(
    db_session: Session, phone: FlaskClient, as_staff: Callable[[str], dict[str, str]]
) -> None:
    serial, _pin = file_case(phone, keep_name_1="董立军", keep_post_1="纪工委", keep_name_4="尚田街道办事处", keep_name_5="无此人")
    stored = db_session.query(Petition).filter_by(serial=serial).one()
    given = [{"name": "董立军", "post": "纪工委"}, {"name": "尚田街道办事处", "post": ""}, {"name": "无此人", "post": ""}]
    assert (stored.keep_from, len(stored.excluded_account_ids), len(stored.excluded_org_ids)) == (given, 1, 1)
    case = stored.id
    db_session.rollback()
    for username, status in (("shangtian.discipline", 404), ("shangtian.head", 404), ("shangtian.discipline.head", 200)):
        assert phone.get(f"/api/v1/petitions/{case}", headers=as_staff(username)).status_code == status, username


@pytest.mark.parametrize("changes", [{"keep_post_2": "会计"}, {"keep_name_1": "某" * 51}])
def test_a_mistake_among_those_to_be_kept_away_is_named_and_shown_at_its_field(phone: FlaskClient, changes: dict[str, str]) -> None:
    again = phone.post("/p/file", data=filled(hidden(phone.get(FORM_ADDRESS), "key"), **changes))
    assert again.status_code == 422
    assert 'href="#keep_from"' in again.text and 'id="keep_from"' in again.text and 'id="e-keep_from"' in again.text
    assert catalogue()["file.keep"][0] in words(again)
    (value,) = changes.values()
    assert f'value="{value}"' in again.text and "<details open><summary>" + catalogue()["file.keep.open"][0] in again.text


def test_the_minutes_of_a_hearing_stand_on_the_page_of_the_case(
    phone: FlaskClient, db_session: Session, as_staff: Callable[[str], dict[str, str]]
) -> None:
    serial, _pin = file_case(phone)
    phone.post("/p/receipt")
    play(phone, serial, [*TAKEN_ON, ("hold_hearing", "fenghua.agri", {"minutes": "双方陈述 <b>意见</b>。", "days": 3})], db_session, as_staff)
    shown = phone.get("/p/case")
    assert "听证笔录：双方陈述 &lt;b&gt;意见&lt;/b&gt;。" in shown.text


def test_sending_the_same_form_twice_files_once(db_session: Session, phone: FlaskClient) -> None:
    key = hidden(phone.get(FORM_ADDRESS), "key")
    phone.post("/p/file", data=filled(key))
    first = phone.get("/p/receipt").text
    phone.post("/p/file", data=filled(key))
    assert re.findall(r'class="code">([^<]+)<', phone.get("/p/receipt").text) == re.findall(
        r'class="code">([^<]+)<', first
    )
    assert db_session.query(Petition).filter_by(title="两年没有拿到租金").count() == 1


def test_mistakes_bring_the_form_back_with_everything_that_was_written(phone: FlaskClient) -> None:
    key = hidden(phone.get(FORM_ADDRESS), "key")
    again = phone.post("/p/file", data=filled(key, category="", phone="123", body='第一行\n"引号" <b>'))
    assert again.status_code == 422
    assert "第一行\n&#34;引号&#34; &lt;b&gt;" in again.text
    assert 'id="e-category"' in again.text and 'id="e-phone"' in again.text
    assert hidden(again, "key") == key


@pytest.mark.parametrize("who", ["named", "confidential", "anonymous"])
def test_name_and_a_way_to_be_told_are_asked_of_a_named_petitioner_only(phone: FlaskClient, who: str) -> None:
    key = hidden(phone.get(FORM_ADDRESS), "key")
    answer = phone.post("/p/file", data=filled(key, who=who, name="", phone=""))
    assert answer.status_code == (303 if who == "anonymous" else 422)


def test_the_form_shows_what_each_way_means_before_anything_is_sent(phone: FlaskClient) -> None:
    shown = words(phone.get(FORM_ADDRESS))
    for way in ("named", "confidential", "anonymous"):
        assert catalogue()[f"file.who.{way}.then"][0] in shown
    assert 'href="/p/privacy"' in phone.get(FORM_ADDRESS).text


def test_the_privacy_notice_names_the_rights_and_the_days_in_both_languages(phone: FlaskClient) -> None:
    assert "15个工作日" in words(phone.get("/p/privacy"))
    assert "15 working days" in words(phone.get("/p/privacy?lang=en"))


def test_a_form_of_another_site_is_refused(phone: FlaskClient) -> None:
    answer = phone.post("/p/file", data=filled("k" * 43), headers={"Origin": "https://evil.example"})
    assert answer.status_code == 403
    assert answer.mimetype == "text/html"


def test_the_receipt_is_gone_once_it_is_written_down(phone: FlaskClient) -> None:
    _serial, pin = file_case(phone)
    assert pin in phone.get("/p/receipt").text
    left = phone.post("/p/receipt")
    assert (left.status_code, left.location) == (303, "/p/case")
    assert pin not in phone.get("/p/case").text
    assert phone.get("/p/receipt").status_code == 303


def picture() -> io.BytesIO:
    stream = io.BytesIO()
    Image.new("RGB", (40, 30), "red").save(stream, "JPEG")
    stream.seek(0)
    return stream


def test_a_photo_comes_with_the_filing(phone: FlaskClient) -> None:
    file_case(phone, photo=(picture(), "现场.jpg"))
    assert "材料已收到" in words(phone.get("/p/receipt"))
    phone.post("/p/receipt")
    assert "现场.jpg" in words(phone.get("/p/case"))


def test_a_refused_photo_does_not_lose_the_petition(phone: FlaskClient) -> None:
    serial, pin = file_case(phone, photo=(io.BytesIO(b"MZ this is a program"), "photo.jpg"))
    receipt = words(phone.get("/p/receipt"))
    assert serial in receipt and pin in receipt and "照片没有传上" in receipt


def test_a_form_sent_twice_brings_its_photo_once(phone: FlaskClient) -> None:
    key = hidden(phone.get(FORM_ADDRESS), "key")
    for _ in range(2):
        phone.post("/p/file", data=filled(key, photo=(picture(), "a.jpg")), content_type="multipart/form-data")
    phone.post("/p/receipt")
    assert words(phone.get("/p/case")).count("a.jpg") == 1


# --- the case --------------------------------------------------------------------------------------------------------


def test_number_and_pin_open_the_case_on_any_phone(app: Flask, phone: FlaskClient) -> None:
    serial, pin = file_case(phone)
    other = app.test_client()
    assert 'name="pin"' in other.get("/p/case").text
    case = look_up(other, f" {serial.lower()} ", pin)
    assert serial in case.text
    assert "两年没有拿到租金" in words(case)
    assert "您反映了这件事" in words(case)


def test_a_wrong_pin_opens_nothing_and_sets_no_cookie(phone: FlaskClient, app: Flask) -> None:
    serial, pin = file_case(phone)
    other = app.test_client()
    wrong = f"{(int(pin) + 1) % 10**8:08d}"
    answer = other.post("/p/case", data={"serial": serial, "pin": wrong})
    assert answer.status_code == 401
    assert "不对" in words(answer)
    assert "Set-Cookie" not in answer.headers
    assert wrong not in answer.text
    assert 'name="pin"' in other.get("/p/case").text


def test_many_wrong_pins_shut_the_door_with_a_page_that_says_what_to_do(phone: FlaskClient, app: Flask) -> None:
    serial, _pin = file_case(phone)
    other = app.test_client()
    answers = [other.post("/p/case", data={"serial": serial, "pin": f"{n:08d}"}) for n in range(7)]
    assert answers[-1].status_code == 429
    assert answers[-1].mimetype == "text/html"
    assert int(answers[-1].headers["Retry-After"]) > 0


def test_the_cookie_of_a_case_is_out_of_reach_of_scripts_and_of_other_sites(phone: FlaskClient) -> None:
    file_case(phone)
    cookie = next(c for c in phone.post("/p/receipt").headers.getlist("Set-Cookie") if c.startswith("mj_case="))
    assert "HttpOnly" in cookie and "SameSite=Strict" in cookie and "Path=/p" in cookie


def test_signing_out_ends_the_session_on_the_server_too(app: Flask, phone: FlaskClient) -> None:
    file_case(phone)
    phone.post("/p/receipt")
    kept = phone.get_cookie("mj_case", path="/p")
    assert kept is not None
    phone.post("/p/sign-out")
    phone.set_cookie("mj_case", kept.value, path="/p")
    assert 'name="pin"' in phone.get("/p/case").text


def test_a_message_reaches_the_case_as_text(phone: FlaskClient) -> None:
    file_case(phone)
    phone.post("/p/receipt")
    sent = phone.post("/p/case/messages", data={"body": "还有一张收据 <script>alert(1)</script>"})
    assert (sent.status_code, urlsplit(sent.location).path) == (303, "/p/case")
    case = phone.get(sent.location)
    assert "<script" not in case.text
    assert "还有一张收据 <script>alert(1)</script>" in words(case)


def test_later_evidence_joins_the_case(phone: FlaskClient) -> None:
    file_case(phone)
    phone.post("/p/receipt")
    sent = phone.post("/p/case/files", data={"photo": (picture(), "收据.jpg")}, content_type="multipart/form-data")
    assert sent.status_code == 303, words(sent)
    assert "收据.jpg" in words(phone.get("/p/case"))
    refused = phone.post(
        "/p/case/files", data={"photo": (io.BytesIO(b"MZ program"), "b.jpg")}, content_type="multipart/form-data"
    )
    assert refused.status_code == 422
    assert "换一张照片" in words(refused)


def test_only_allowed_forms_are_shown(phone: FlaskClient) -> None:
    file_case(phone)
    phone.post("/p/receipt")
    case = phone.get("/p/case").text
    assert "/p/case/withdraw" in case
    assert "/p/case/rate" not in case and "/p/case/ask_review" not in case


def test_an_action_out_of_turn_is_refused_on_a_page(phone: FlaskClient) -> None:
    file_case(phone)
    phone.post("/p/receipt")
    answer = phone.post("/p/case/rate", data={"office_grade": "satisfied", "body_grade": "satisfied"})
    assert answer.status_code == 409
    assert answer.mimetype == "text/html"


def test_staff_actions_are_no_pages(phone: FlaskClient) -> None:
    file_case(phone)
    phone.post("/p/receipt")
    assert phone.post("/p/case/accept").status_code == 404


def test_withdrawing_asks_for_a_tick_first(phone: FlaskClient) -> None:
    file_case(phone)
    phone.post("/p/receipt")
    assert "打勾" in words(phone.post("/p/case/withdraw"))
    assert phone.post("/p/case/withdraw", data={"sure": "yes"}).status_code == 303
    withdrawn = phone.get("/p/case")
    assert "您已撤回" in words(withdrawn)
    assert "/p/case/withdraw" not in withdrawn.text and "/p/case/files" not in withdrawn.text


def test_an_answered_case_shows_the_body_the_last_day_and_the_rating_form(
    phone: FlaskClient, answered: tuple[str, str]
) -> None:
    case = words(phone.get("/p/case"))
    assert "奉化区农业农村局" in case
    assert "宋志平" not in case, "a person's name is no business of the page"
    assert "前评价" in case
    assert re.search(r"您评价 最迟 \d+年\d+月\d+日 — 还有 \d+ 天", case)
    assert re.search(r"您可以请上一级再查（复查） 最迟 \d+年\d+月\d+日 — 还有 \d+ 天", case)
    assert "已安排办理; 交给：奉化区农业农村局" in case


def test_the_answer_is_shown_with_its_conclusion_and_its_legal_basis(
    phone: FlaskClient, answered: tuple[str, str]
) -> None:
    case = words(phone.get("/p/case"))
    for part in ("予以支持", "查明租金确未支付", "农村土地承包法"):
        assert part in case


def test_every_extension_is_shown_with_its_days_and_its_reason(
    phone: FlaskClient, db_session: Session, as_staff: Callable[[str], dict[str, str]]
) -> None:
    serial, _pin = file_case(phone)
    phone.post("/p/receipt")
    play(phone, serial, [*TAKEN_ON, *EXTENDED], db_session, as_staff)
    case = words(phone.get("/p/case"))
    assert "延长 20 天" in case
    assert "等待第三方评估" in case


def test_a_dissatisfied_rating_without_a_reason_is_sent_back(phone: FlaskClient, answered: tuple[str, str]) -> None:
    answer = phone.post("/p/case/rate", data={"office_grade": "satisfied", "body_grade": "dissatisfied"})
    assert answer.status_code == 422
    assert "请写理由" in words(answer)


def test_a_dissatisfied_rating_takes_the_case_up(
    db_session: Session, phone: FlaskClient, answered: tuple[str, str]
) -> None:
    version = hidden(phone.get("/p/case"), "version")
    sent = phone.post(
        "/p/case/rate",
        data={"version": version, "office_grade": "basic", "body_grade": "dissatisfied", "reason": "钱还是没有拿到"},
    )
    assert sent.status_code == 303, words(sent)
    case = words(phone.get(sent.location))
    assert "已交上一级" in case
    assert "您可以请上一级再查（复查） 最迟" not in case, "a right that can not be used now has no date"
    assert "现在由谁负责: 奉化区信访局" in case, "the body that answered has it no longer"
    assert "钱还是没有拿到" in case
    assert db_session.query(Petition).filter_by(serial=answered[0]).one().state == PetitionState.DISSATISFIED


def test_a_review_can_be_asked_for(phone: FlaskClient, answered: tuple[str, str]) -> None:
    sent = phone.post("/p/case/ask_review", data={"reason": "依据不对"})
    assert sent.status_code == 303, words(sent)
    assert "正在复查" in words(phone.get("/p/case"))


def test_a_rating_given_on_an_old_page_is_not_taken(phone: FlaskClient, answered: tuple[str, str]) -> None:
    answer = phone.post("/p/case/rate", data={"version": "1", "office_grade": "basic", "body_grade": "basic"})
    assert answer.status_code == 412
    assert answer.mimetype == "text/html"


# --- danger, children, and what somebody else wrote down -------------------------------------------------------------


def stored(look: Session, serial: str, column: str) -> Any:
    found = look.execute(text(f"SELECT {column} FROM petitions WHERE serial = :s"), {"s": serial}).scalar_one()
    look.rollback()
    return found


def test_danger_told_on_the_first_question_makes_the_case_most_urgent(phone: FlaskClient, db_session: Session) -> None:
    form = phone.get(f"/p/file?danger=called&place={SHANGYI}")
    assert 'href="tel:110"' in form.text and "按最紧急的来办" in words(form)
    wrong = phone.post("/p/file", data=filled(hidden(form, "key"), danger="called", title=""))
    assert wrong.status_code == 422 and hidden(wrong, "danger") == "called", "a mistake must not lose the danger"
    sent = phone.post("/p/file", data=filled(hidden(wrong, "key"), danger=hidden(wrong, "danger")))
    receipt = phone.get(sent.location)
    assert 'href="tel:120"' in receipt.text
    assert stored(db_session, re.findall(r'class="code">([^<]+)<', receipt.text)[0], "priority") == "P0"


@pytest.mark.parametrize("danger", ["no", "now", "P0", ""])
def test_no_other_word_in_the_form_makes_a_case_urgent(phone: FlaskClient, db_session: Session, danger: str) -> None:
    serial, _pin = file_case(phone, danger=danger, priority="P0")
    assert stored(db_session, serial, "priority") == "P2"


def test_a_child_is_asked_for_a_grown_up_and_may_do_without_a_name(phone: FlaskClient, db_session: Session) -> None:
    form = phone.get(FORM_ADDRESS)
    wrong = phone.post("/p/file", data=filled(hidden(form, "key"), under_14="yes"))
    assert wrong.status_code == 422 and 'id="e-guardian"' in wrong.text
    assert '<input type="checkbox" name="under_14" value="yes" checked>' in wrong.text
    child = {"under_14": "yes", "guardian": "陈大伯", "guardian_phone": "138 0000 9999"}
    serial, _pin = file_case(phone, **child)
    case = stored(db_session, serial, "id")
    found = db_session.scalar(text(store.sealed_of(":id")), {"id": case})
    with phone.application.app_context():
        people = [(one["part"], one["name"], one["phone"]) for one in store.open_sealed(case, found)]
    assert ("guardian", "陈大伯", "13800009999") in people
    serial, _pin = file_case(phone, under_14="yes", who="anonymous")
    assert db_session.scalar(text(store.sealed_of(":id")), {"id": stored(db_session, serial, "id")}) is None


@pytest.fixture
def written_down(phone: FlaskClient, as_staff: Callable[[str], dict[str, str]], new_key: Any) -> tuple[str, str]:
    """Id and number of a case that a grid worker filed for somebody, who has looked it up on this phone."""
    draft = {
        "division_code": SHANGYI, "title": "低保没有批下来", "body": "他说一百元。", "name": "陈小妹", "phone": "13800001234",
        "channel": "helper",
    }  # fmt: skip
    made = phone.post("/api/v1/intake/petitions", json=draft, headers={**as_staff("shangyi.grid"), **new_key()})
    assert made.status_code == 201, made.text
    look_up(phone, made.json["serial"], made.json["pin"])
    return made.json["id"], made.json["serial"]


def test_what_somebody_else_wrote_is_shown_as_written_until_it_is_confirmed(
    phone: FlaskClient, written_down: tuple[str, str], db_session: Session
) -> None:
    page = phone.get("/p/case")
    assert "这是别人替您写的，请您核对" in words(page) and "有人替您填了这份表" in words(page)
    assert words(page).index("他说一百元。") < words(page).index("现在到哪一步")
    assert phone.post("/p/case/record", data={"answer": "confirm"}).status_code == 303
    after = words(phone.get("/p/case"))
    assert "请您核对" not in after and "您确认了记录" in after
    assert stored(db_session, written_down[1], "confirmed_at") is not None


def test_this_is_not_what_i_said_reaches_the_staff_and_confirms_nothing(
    phone: FlaskClient, written_down: tuple[str, str], db_session: Session, as_staff: Callable[[str], dict[str, str]]
) -> None:
    empty = phone.post("/p/case/record", data={"said": " "})
    assert empty.status_code == 422 and 'id="e-said"' in empty.text
    assert phone.post("/p/case/record", data={"said": "我说的是一千元"}).status_code == 303
    page = words(phone.get("/p/case"))
    assert "您已经说明这份记录不对" in page and "对，这是我说的" in page
    assert stored(db_session, written_down[1], "confirmed_at") is None
    seen = phone.get(f"/api/v1/petitions/{written_down[0]}", headers=as_staff("shangtian.office")).json
    assert [one["body"] for one in seen["messages"]] == ["我说的是一千元"]


def test_a_case_of_ones_own_asks_for_no_confirmation(phone: FlaskClient) -> None:
    assert "请您核对" not in words(look_up(phone, *file_case(phone)))


# --- mistakes on the page of the case --------------------------------------------------------------------------------


def test_a_rating_without_a_grade_comes_back_with_the_reason_that_was_written(
    phone: FlaskClient, answered: tuple[str, str]
) -> None:
    back = phone.post("/p/case/rate", data={"office_grade": "basic", "reason": "钱没有到账"})
    assert back.status_code == 422
    assert 'id="e-body-grade"' in back.text and "钱没有到账" in back.text
    assert re.search(r'name="office_grade" value="basic" required checked', back.text)


@pytest.mark.parametrize(
    ("address", "field", "value", "told"),
    [
        ("/p/case/messages", "body", "", "e-message"),
        ("/p/case/messages", "body", "长" * 5001, "e-message"),
        ("/p/case/ask_review", "reason", "", "e-ask_review-reason"),
        ("/p/case/ask_review", "reason", "长" * 2001, "e-ask_review-reason"),
        ("/p/case/files", "photo", "", "e-photo"),
    ],
)
def test_a_mistake_is_told_beside_its_field_and_loses_nothing(
    phone: FlaskClient, answered: tuple[str, str], address: str, field: str, value: str, told: str
) -> None:
    back = phone.post(address, data={field: value})
    assert back.status_code == 422 and f'id="{told}"' in back.text
    assert value in back.text


# --- every page ------------------------------------------------------------------------------------------------------


def every_page(phone: FlaskClient) -> list[TestResponse]:
    phone.delete_cookie("mj_case", path="/p")
    found = [
        phone.get(address)
        for address in (
            "/",
            "/p/file",
            "/p/file?danger=now",
            "/p/file?danger=no",
            FORM_ADDRESS,
            "/p/case",
            "/p/figures",
            "/p/nothing",
        )
    ]
    file_case(phone)
    found.append(phone.get("/p/receipt"))
    phone.post("/p/receipt")
    return [*found, phone.get("/p/case")]


def test_no_page_holds_script_or_names_another_host(phone: FlaskClient) -> None:
    for page in every_page(phone):
        assert not re.search(r"<script|javascript:|\son\w+=|<style|\sstyle=", page.text, re.IGNORECASE)
        assert not re.search(r'(?:href|src|action)="(?:https?:)?//', page.text)
        assert page.headers["Content-Security-Policy"] == CONTENT_SECURITY_POLICY
        assert page.headers["Cache-Control"] == "no-store"


def test_every_field_has_a_label(phone: FlaskClient) -> None:
    for page in every_page(phone):
        labelled = set(re.findall(r'<label[^>]* for="([^"]+)"', page.text))
        for field in re.findall(r"<(?:input|select|textarea)\b[^>]*>", page.text):
            if 'type="hidden"' in field:
                continue
            if 'type="radio"' in field or 'type="checkbox"' in field:
                assert f'<label class="choice">{field}' in page.text
            else:
                found = re.search(r'\bid="([^"]+)"', field)
                assert found and found[1] in labelled, field


def test_no_address_carries_personal_content(phone: FlaskClient) -> None:
    serial, pin = file_case(phone)
    phone.post("/p/receipt")
    case = phone.get("/p/case")
    addresses = " ".join(re.findall(r'(?:href|action)="([^"]*)"', case.text))
    for secret in (serial, pin, "陈小妹", "13800001234"):
        assert secret not in addresses


def test_the_language_switch_is_remembered(phone: FlaskClient) -> None:
    assert '<html lang="zh-CN">' in phone.get("/").text
    english = phone.get(f"{FORM_ADDRESS}&lang=en")
    assert '<html lang="en">' in english.text and "What happened" in words(english)
    assert "Report a problem" in words(phone.get("/"))
    assert f"danger=no&amp;place={SHANGYI}&amp;lang=zh" in english.text
    assert "反映问题" in words(phone.get("/?lang=zh"))


def test_a_problem_is_told_in_the_language_of_the_visitor(phone: FlaskClient) -> None:
    assert "没有办成" in words(phone.get("/p/nothing"))
    assert "What to do next" in words(phone.get("/p/nothing?lang=en"))


# --- the catalogue ---------------------------------------------------------------------------------------------------


def test_every_text_is_there_in_both_languages() -> None:
    for key, (zh, en) in catalogue().items():
        assert re.search(r"[\u4e00-\u9fff]", zh) or key == "site.other", key
        assert en and (not re.search(r"[\u4e00-\u9fff]", en) or key == "site.other"), key
        assert set(re.findall(r"{\w+}", zh)) == set(re.findall(r"{\w+}", en)), key


def test_every_text_that_a_template_or_route_asks_for_exists() -> None:
    for source in [*TEMPLATES, *HERE.glob("*.py")]:
        for key in re.findall(r"\b(?:t|both|row)\('([a-z_.0-9]+)'[,)]|\bt\(\"([a-z_.0-9]+)\"[,)]", source.read_text()):
            assert "".join(key) in catalogue(), (source.name, key)


def test_templates_hold_no_text_of_their_own() -> None:
    for template in TEMPLATES:
        bare = re.sub(
            r'{#.*?#}|{%.*?%}|{{.*?}}|<[^>]*>|&\w+;|[\w-]+="[^"]*"', "", template.read_text(), flags=re.DOTALL
        )
        assert not re.search(r"[A-Za-z\u4e00-\u9fff]{2,}", bare), (template.name, bare.split())


def test_every_code_that_a_petitioner_can_meet_has_plain_words() -> None:
    lists = {
        "state": [state.value for state in PetitionState],
        "category": CATEGORIES,
        "event": sorted(PUBLIC_EVENTS),
        "grade": GRADES,
        "outcome": {*OUTCOMES, *REVIEW_OUTCOMES, *RECHECK_OUTCOMES},
        "reason": {*SUSPENSION_REASONS, *REJECT_REASONS, *ROUTES},
    }
    missing = [
        f"{group}.{code}" for group, codes in lists.items() for code in codes if f"{group}.{code}" not in catalogue()
    ]
    assert missing == []


def _luminance(colour: str) -> float:
    full = colour if len(colour) == 7 else "#" + "".join(2 * c for c in colour[1:])
    parts = [int(full[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    red, green, blue = (p / 12.92 if p <= 0.03928 else ((p + 0.055) / 1.055) ** 2.4 for p in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def test_text_stands_out_from_its_background_and_targets_are_large() -> None:
    css = (HERE / "static" / "plain.css").read_text()
    assert "html { font-size: 18px" in css
    backgrounds = set(re.findall(r"background: (#\w+)", css))
    pairs = re.findall(r"{[^}]*\bcolor: (#\w+); background: (#\w+)", css)
    for text_colour in ("#1a1a1a", "#4a4a4a", "#0b4a8f"):
        pairs += [(text_colour, ground) for ground in backgrounds if _luminance(ground) > 0.5]
    for ink, ground in pairs:
        light, dark = sorted((_luminance(ink), _luminance(ground)), reverse=True)
        assert (light + 0.05) / (dark + 0.05) >= 4.5, (ink, ground)
    for rule in (".button, button", ".choice", "input, select, textarea", ".bar a"):
        found = re.search(rf"^{re.escape(rule)} {{[^}}]*min-height: (\d+)px", css, re.MULTILINE)
        assert found and int(found[1]) >= 44, rule


def test_my_data_is_shown_copied_and_asked_about_on_the_phone(phone: FlaskClient, db_session: Session) -> None:
    serial, pin = file_case(phone, who="confidential")
    phone.post("/p/case", data={"serial": serial, "pin": pin})
    shown = words(phone.get("/p/my-data"))
    assert serial in shown and "陈小妹" in shown and "13800001234" in shown
    copy = phone.get("/p/my-data/copy")
    assert copy.headers["Content-Disposition"] == 'attachment; filename="my-data.json"'
    assert copy.json["cases"][0]["serial"] == serial
    asked = phone.post("/p/my-data", data={"kind": "correct", "wish": "电话换了", "phone": "13800009999"})
    assert (asked.status_code, asked.headers["Location"]) == (303, "/p/my-data?done=1")
    assert "最迟" in words(phone.get("/p/my-data"))
    again = phone.post("/p/my-data", data={"kind": "correct", "wish": "再改一次"})
    assert again.status_code == 409 and "同类请求正在处理" in words(again)
    assert phone.post("/p/my-data", data={"kind": "nothing", "wish": "x"}).status_code == 422


def test_every_ground_of_a_refusal_has_plain_words() -> None:
    assert {f"mine.ground.{one}" for one in GROUNDS} <= set(catalogue())


def test_my_data_without_a_receipt_leads_to_the_look_up(app: Flask) -> None:
    answer = app.test_client().get("/p/my-data")
    assert (answer.status_code, answer.headers["Location"]) == (303, "/p/case")
