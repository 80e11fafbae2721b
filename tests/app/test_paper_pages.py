"""Paper on the plain pages: receipt and code without script, the slip without the PIN in any address, papers of the case."""

import re

import pytest

from app.papers import printing
from tests.app.test_pages import ANSWERED, TAKEN_ON, file_case, look_up, play, words
from tests.app.test_papers import words_of


@pytest.fixture
def phone(app, province):
    """A browser that keeps cookies."""
    return app.test_client()


@pytest.fixture
def answered(phone, db_session, as_staff):
    """Number and PIN of a case that has been answered and is open on the phone."""
    serial, pin = file_case(phone)
    phone.post("/p/receipt")
    play(phone, serial, [*TAKEN_ON, *ANSWERED], db_session, as_staff)
    look_up(phone, serial, pin)
    return serial, pin


def test_the_receipt_page_shows_its_code_and_prints_receipt_and_slip(phone):
    serial, pin = file_case(phone)
    page = phone.get("/p/receipt")
    code = re.search(r'<img src="(/p/receipt/[^"]+)"', page.text)[1]
    picture = phone.get(code)
    assert picture.mimetype == "image/svg+xml" and b"<svg" in picture.data
    assert "img-src 'self'" in page.headers["Content-Security-Policy"]
    sheet = words_of(phone.get("/p/receipt/sheet.pdf").data)
    assert serial in sheet and pin not in sheet
    slip = phone.post("/p/receipt/slip")
    assert serial in words_of(slip.data) and pin in words_of(slip.data)
    assert "no-store" in slip.headers["Cache-Control"]


def test_no_address_and_no_log_line_holds_the_pin(phone, caplog):
    caplog.set_level("DEBUG")
    serial, pin = file_case(phone)
    page = phone.get("/p/receipt").text
    assert [link for link in re.findall(r'(?:href|src|action)="([^"]*)"', page) if pin in link or serial in link] == []
    assert phone.get("/p/receipt/slip").status_code == 405, "a slip can not be asked for by an address"
    phone.post("/p/receipt/slip")
    phone.post("/api/v1/receipts/slip", json={"serial": serial, "pin": pin})
    assert pin not in caplog.text


def test_the_slip_is_gone_once_the_visitor_has_the_pin_written_down(phone):
    file_case(phone)
    phone.post("/p/receipt")
    assert phone.post("/p/receipt/slip").status_code == 401
    assert phone.get("/p/receipt/sheet.pdf").status_code == 401


def test_without_fonts_the_receipt_page_works_and_the_sheet_says_what_is_missing(phone, monkeypatch):
    serial, _pin = file_case(phone)
    monkeypatch.setattr(printing, "font_paths", lambda: dict.fromkeys(printing.FONT_FILES))
    printing._fonts.cache_clear()
    sheet = phone.get("/p/receipt/sheet.pdf")
    assert sheet.status_code == 503 and "缺少打印用的中文字体" in words(sheet) and "照样有效" in words(sheet)
    page = phone.get("/p/receipt")
    assert page.status_code == 200 and serial in words(page)


def test_the_page_of_a_case_lists_its_papers_and_opening_one_delivers_it(phone, answered):
    serial, _pin = answered
    page = phone.get("/p/case")
    assert "受理告知书" in words(page) and "信访事项处理意见书" in words(page) and "网上送达" not in words(page).replace("视为网上送达", "")
    links = re.findall(r'href="(/p/papers/\d+\.pdf)"', page.text)
    assert len(links) == 2
    assert "信访事项处理意见书" in words_of(phone.get(links[-1]).data)
    assert "网上送达" in words(phone.get("/p/case")).replace("视为网上送达", "")
    assert serial in words_of(phone.get("/p/receipt.pdf").data)


def test_the_check_page_tells_a_genuine_paper_from_a_false_one(phone, answered):
    number, code = re.search(r"(信访处〔[^;]*号); 核验码 ([0-9A-Z-]+)", words(phone.get("/p/case"))).groups()
    good = phone.get("/p/verify", query_string={"number": number, "code": code})
    assert "是本系统出具的文书" in words(good) and "信访事项处理意见书" in words(good)
    for query in ({"number": number, "code": "22222-22222"}, {"number": "信访处〔2026〕33-2222-2222号", "code": code}):
        assert "没有这样一份文书" in words(phone.get("/p/verify", query_string=query))
    assert phone.get("/p/verify").status_code == 200
