"""Erasing destroys the key and the content, in back-ups as well, and leaves the proof that a case ran and how it ended."""

import dataclasses
import io
from datetime import timedelta

import pytest
from sqlalchemy import text

from app import clock
from app.supervision.models import ClockOffset

PLACE = "330213007213"
NAME, PHONE, BODY = "陈小妹", "13877770001", "村里三亩地的租金没有到账。"
KEPT_FROM, NOTE = "方无名", "反映人是我舅舅"
YEAR = 365.25


@pytest.fixture
def run(app, db_session, monkeypatch):
    """Runs `flask …` as an operator with the owner's address."""
    owner = db_session.get_bind().engine.url.render_as_string(hide_password=False)

    def command(*words, url=owner):
        settings = dataclasses.replace(app.config["SETTINGS"], owner_database_url=url)
        monkeypatch.setitem(app.config, "SETTINGS", settings)
        done = app.test_cli_runner().invoke(args=[str(word) for word in words])
        assert "Traceback" not in done.output
        return done

    yield command
    clock.offset_seconds.set(0)


@pytest.fixture
def case(client, new_key):
    """Files a named case with a picture and a message; `end=True` also has it withdrawn, with a reason."""
    from PIL import Image

    def make(title, *, end):
        draft = {"division_code": PLACE, "title": title, "body": BODY, "name": NAME, "phone": PHONE, "keep_from": [{"name": KEPT_FROM}]}
        receipt = client.post("/api/v1/petitions", json=draft, headers=new_key()).json
        given = {"serial": receipt["serial"], "pin": receipt["pin"]}
        phone = client.application.test_client()
        phone.post("/p/case", data=given)
        picture = io.BytesIO()
        Image.new("RGB", (8, 8)).save(picture, "PNG")
        picture.seek(0)
        phone.post("/p/case/files", data={"photo": (picture, "租金收据.png")})
        phone.post("/p/case/messages", data={"body": "我是陈小妹,请回电话。"})
        if end:
            answer = phone.post("/p/case/withdraw", data={"sure": "yes", "reason": "陈小妹已经拿到钱了。"})
            assert answer.status_code == 303
        return receipt

    return make


@pytest.fixture
def later(db_session):
    def travel(years):
        db_session.rollback()
        row = db_session.get(ClockOffset, 1) or ClockOffset(singleton=1, seconds=0)
        row.seconds += int(timedelta(days=years * YEAR + 2).total_seconds())
        db_session.add(row)
        db_session.commit()

    return travel


def rows_with(session, *words):
    session.rollback()
    tables = session.execute(
        text("SELECT schemaname, tablename FROM pg_tables WHERE schemaname IN ('public', 'sealed')")
    )
    return [
        (table, word)
        for schema, table in tables.all()
        for (row,) in session.execute(text(f'SELECT row_to_json(t)::text FROM "{schema}"."{table}" t'))
        for word in words
        if word in row
    ]


def test_nothing_is_erased_before_its_years_or_while_it_runs(run, case, later, db_session):
    case("还在办", end=False)
    case("已撤回", end=True)
    later(4)
    assert "0 cases are past their years" in run("retention", "erase", "--dry-run").output
    later(2)
    counted = run("retention", "erase", "--dry-run")
    assert "withdrawn, 5 years: 1" in counted.output and "1 cases are past" in counted.output
    assert db_session.execute(text("SELECT count(*) FROM petitions WHERE erased_at IS NOT NULL")).scalar() == 0


def test_erasing_asks_for_a_clear_word(run):
    assert run("retention", "erase").exit_code == 2
    assert run("retention", "erase", "--dry-run", "--yes").exit_code == 2


def test_erased_content_is_nowhere_and_the_proof_stays(run, case, later, db_session, client, as_staff):
    receipt = case("租金之事", end=True)
    query = text(
        "SELECT seq, at, event, from_state, to_state FROM petition_events WHERE petition_id = :id ORDER BY seq"
    )
    withdrawn = client.post(
        f"/api/v1/petitions/{receipt['id']}/recusal", json={"reason_code": "kin_of_petitioner", "note": NOTE}, headers=as_staff("shangtian.head")
    )
    assert withdrawn.status_code == 204, withdrawn.get_data(as_text=True)
    before = db_session.execute(query, {"id": receipt["id"]}).all()
    words = ("租金之事", "三亩地", NAME, PHONE, "请回电话", "拿到钱", "租金收据", KEPT_FROM, NOTE)
    assert {word for _table, word in rows_with(db_session, *words)} == set(words) - {PHONE}
    later(6)
    done = run("retention", "erase", "--yes")
    assert done.exit_code == 0 and "1 cases erased" in done.output, done.output
    assert rows_with(db_session, *words) == []
    kept_words = text("SELECT words FROM petition_words WHERE petition_id = :id")
    assert db_session.execute(kept_words, {"id": receipt["id"]}).scalar_one() == []
    after = db_session.execute(query, {"id": receipt["id"]}).all()
    assert after[:-1] == before and after[-1].event == "erase_content"
    kept = db_session.execute(
        text("SELECT serial, state, erased_at FROM petitions WHERE id = :id"), {"id": receipt["id"]}
    ).one()
    assert (kept.serial, kept.state) == (receipt["serial"], "withdrawn") and kept.erased_at
    assert "0 cases erased" in run("retention", "erase", "--yes").output
    view = client.get(f"/api/v1/petitions/{receipt['id']}", headers=as_staff("shangtian.office")).json
    assert (view["identity"], view["title"], view["state"]) == ("erased", "", "withdrawn")


def test_the_files_of_an_erased_case_are_gone_from_the_disk_and_those_of_another_stay(run, case, later, app):
    case("到期的", end=True)
    case("在办的", end=False)
    folder = app.config["SETTINGS"].files_dir

    def files():
        return [one for one in folder.rglob("*") if one.is_file()]

    assert len(files()) == 2
    later(6)
    run("retention", "erase", "--yes")
    assert len(files()) == 1


def test_an_operator_sets_other_years_and_a_state_without_a_rule_is_kept_for_good(run, case, later, db_session):
    case("已撤回", end=True)
    db_session.execute(text("UPDATE retention_rules SET years = 8 WHERE state = 'withdrawn'"))
    db_session.commit()
    later(6)
    assert "0 cases" in run("retention", "erase", "--dry-run").output
    db_session.execute(text("DELETE FROM retention_rules WHERE state = 'withdrawn'"))
    db_session.commit()
    later(40)
    assert "0 cases" in run("retention", "erase", "--dry-run").output
