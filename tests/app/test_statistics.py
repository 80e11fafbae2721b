"""Figures for staff, made of what the reader may see, and published figures, made once of everything."""

import csv
import io
from datetime import timedelta

import pytest
from sqlalchemy import text
from sqlalchemy.exc import ProgrammingError

from app.database import SYSTEM, transaction
from app.extensions import db
from app.statistics import publishing
from app.statistics.publishing import TABLES, TERMS, Month, publish_due
from app.statistics.suppression import TOTAL
from app.supervision.scheduler import JOBS
from tests.app.cases import VILLAGE, Cases
from tests.conftest import SECRET

STAFF, PUBLIC = "/api/v1/statistics/petitions", "/api/v1/public/statistics"
FENGHUA, NINGBO, ZHEJIANG = "330213000000", "330200000000", "330000000000"
WUXING_VILLAGE = "330502001005"
MONTH = timedelta(days=31)

# Petitions of a month, n of each county and category, written past the door: only their number matters.
MANY = """
    INSERT INTO petitions SELECT (jsonb_populate_record(p, jsonb_build_object(
        'id', gen_random_uuid(), 'serial', 'MJ-' || gen_random_uuid(), 'division_code', place, 'category', named,
        'state', 'accepted'))).*
      FROM petitions p, unnest(CAST(:places AS text[])) place, unnest(CAST(:categories AS text[])) named, generate_series(1, :number) n WHERE p.id = :pattern
"""

RATING = """
    INSERT INTO ratings (id, petition_id, round, at, office_grade, body_grade)
    VALUES (gen_random_uuid(), :id, 1, clock_timestamp(), 'basic', :grade)
"""


@pytest.fixture
def cases(app, worker_app, db_session):
    return Cases(app, worker_app, db_session)


@pytest.fixture
def figures(client, as_staff):
    """What an account is told."""

    def ask(username, expect=200, **query):
        answer = client.get(STAFF, query_string=query, headers=as_staff(username))
        assert answer.status_code == expect, answer.get_data(as_text=True)
        return answer.json

    return ask


def many(cases, number, places=(VILLAGE, WUXING_VILLAGE), categories=TABLES["filed"]):
    pattern = cases.file(category="other")
    values = {"places": list(places), "categories": list(categories), "number": number, "pattern": pattern}
    cases.session.execute(text(MANY), values)
    cases.session.commit()
    return pattern


def rate(cases, case, grade):
    """The petitioner rates, through the door and in the table of ratings."""
    cases.rate(case, grade)
    add_rating(cases, case, grade)


def add_rating(cases, case, grade):
    cases.session.execute(text(RATING), {"id": case, "grade": grade})
    cases.session.commit()


def publish(cases, span=2 * MONTH):
    cases.travel(span)
    with cases.worker_app.app_context():
        return publish_due()


def test_cases_are_counted_by_place_state_category_and_month(cases, figures):
    cases.file(category="land")
    rated = cases.resolved(category="land")
    rate(cases, rated, "basic")
    cases.resolved(category="works")
    told = figures("fenghua.office")
    assert told["division"] == FENGHUA
    total = told["total"]
    assert (total["filed"], total["answered"], total["on_time"], total["on_time_rate"]) == (3, 2, 2, 100.0)
    assert (total["rated"], total["satisfied"], total["satisfaction_rate"], total["median_workdays"]) == (1, 1, 100.0, 0.0)
    assert [(one["code"], one["filed"]) for one in told["by_division"]] == [("330213007000", 3)]
    assert {one["code"]: one["filed"] for one in told["by_state"]} == {"filed": 1, "rated": 1, "resolved": 1}
    assert {one["code"]: one["filed"] for one in told["by_category"]} == {"land": 2, "works": 1}
    assert sum(one["filed"] for one in told["by_month"]) == 3
    assert [one["code"] for one in figures("fenghua.office", division=VILLAGE)["by_division"]] == [VILLAGE]


def test_a_late_answer_and_a_bad_rating_count_against_the_rates(cases, figures):
    late = cases.handled()
    cases.travel(timedelta(days=95))
    cases.act(late, "expire", policy="PT-05")
    cases.act(late, "rehandle", cases.staff("fenghua.office"), main_org_id=cases.staff("fenghua.land").org_id)
    cases.answer(late, "fenghua.land")
    rate(cases, late, "dissatisfied")
    total = figures("fenghua.office")["total"]
    assert (total["answered"], total["on_time"], total["on_time_rate"]) == (1, 0, 0.0)
    assert (total["rated"], total["satisfied"], total["satisfaction_rate"]) == (1, 0, 0.0)
    assert total["median_workdays"] >= 60


def test_without_cases_there_are_no_rates(figures):
    told = figures("fenghua.office")
    assert told["total"]["filed"] == 0 and told["total"]["on_time_rate"] is None and told["total"]["median_workdays"] is None
    assert told["by_division"] == told["by_state"] == told["by_category"] == told["by_month"] == []


def test_a_body_is_told_of_its_own_area_or_its_own_cases_alone(cases, figures):
    cases.handled()
    cases.file()
    assert figures("shangtian.office")["total"]["filed"] == 2
    assert figures("fenghua.agri")["total"]["filed"] == 1, "a department counts what it handles"
    assert figures("xiaowangmiao.office")["total"]["filed"] == 0
    assert figures("xiaowangmiao.office", expect=422, division=VILLAGE)["errors"]
    assert figures("wuxing.office", expect=422, division=FENGHUA)["errors"]


@pytest.mark.parametrize("username", ["admin", "auditor"])
def test_who_sees_no_cases_sees_no_figures(figures, username):
    figures(username, expect=403)


def test_a_case_that_is_hidden_from_the_reader_is_not_counted(cases, figures):
    cases.file(excluded_account_ids=[cases.staff("fenghua.office").person_id])
    assert figures("fenghua.office")["total"]["filed"] == 0
    assert figures("fenghua.head")["total"]["filed"] == 1


def test_days_are_days_of_filing_and_a_span_has_an_end(cases, figures):
    cases.file()
    today = figures("fenghua.office")["until"]
    assert figures("fenghua.office", since=today, until=today)["total"]["filed"] == 1
    assert figures("fenghua.office", until="2020-01-31")["total"]["filed"] == 0
    for wrong in ({"since": "2020-01-01"}, {"since": "2026-02-02", "until": "2026-02-01"}, {"until": "0001-01-05"}):
        figures("fenghua.office", expect=422, **wrong)


def test_the_spreadsheet_says_the_same_and_its_download_is_on_record(cases, client, as_staff, figures, db_session):
    cases.resolved(category="land")
    answer = client.get(f"{STAFF}.csv", headers=as_staff("fenghua.office"))
    rows = list(csv.DictReader(io.StringIO(answer.get_data(as_text=True))))
    told = figures("fenghua.office")
    assert answer.mimetype == "text/csv"
    assert [int(one["filed"]) for one in rows if one["group"] == "total"] == [told["total"]["filed"]] == [1]
    assert {one["code"] for one in rows if one["group"] == "category"} == {"land"}
    assert db_session.execute(text("SELECT count(*) FROM case_reads WHERE what = 'export'")).scalar_one() == 1


def test_the_span_of_a_download_is_on_record_too(client, as_staff, db_session):
    answer = client.get(f"{STAFF}.csv", query_string={"since": "2026-01-01", "until": "2026-01-31"}, headers=as_staff("fenghua.office"))
    assert answer.status_code == 200
    assert db_session.scalars(text("SELECT details FROM case_reads")).all() == [{"since": "2026-01-01", "until": "2026-01-31"}]


# Published figures.


def test_nothing_is_published_of_a_month_that_runs_or_has_not_settled(cases, client):
    many(cases, 60)
    with cases.worker_app.app_context():
        assert publish_due().done == 0
    told = client.get(PUBLIC)
    assert told.status_code == 200 and told.json["periods"] == [] and told.json["place"] is None
    assert client.get(PUBLIC, query_string={"period": "2026-01"}).status_code == 404


def test_a_closed_month_is_published_once_and_never_again(cases, client):
    many(cases, 60)
    report = publish(cases)
    assert report.done >= 1 and report.failed == 0
    first = client.get(PUBLIC, query_string={"period": report.periods[0]}).json
    assert first["least"] == TERMS.least and first["place"]["code"] == ZHEJIANG
    assert abs(first["place"]["figures"]["filed"]["land"] - 120) < 60
    cases.session.execute(text(MANY), {"places": [VILLAGE], "categories": ["land"], "number": 500, "pattern": cases.session.scalar(text("SELECT min(id::text)::uuid FROM petitions"))})
    cases.session.commit()
    with cases.worker_app.app_context():
        assert publish_due().done == 0
    assert client.get(PUBLIC, query_string={"period": report.periods[0]}).json == first


def test_of_two_that_publish_the_same_month_one_leaves_it_to_the_other(cases):
    many(cases, 60)
    cases.travel(2 * MONTH)
    day = cases.session.execute(text("SELECT max(filed_on) FROM petitions")).scalar_one()
    with cases.worker_app.app_context():
        outcomes = []
        for _ in range(2):
            with transaction(SYSTEM):
                outcomes.append(publishing._publish(Month(day.year, day.month)))
    assert outcomes == [True, False]


def test_no_serving_process_can_change_what_was_published(cases):
    many(cases, 60)
    publish(cases)
    for app in (cases.app, cases.worker_app):
        for statement in ("UPDATE published_figures SET figures = '{}'", "DELETE FROM published_figures", "UPDATE publications SET least = 1"):
            with app.app_context(), pytest.raises(ProgrammingError), transaction(SYSTEM):
                db.session.execute(text(statement))


def test_small_figures_are_hidden_and_what_is_shown_adds_up(cases, client):
    many(cases, 40)
    report = publish(cases)
    told = client.get(PUBLIC, query_string={"period": report.periods[0], "division": NINGBO}).json
    assert [one["code"] for one in told["below"]] and FENGHUA in {one["code"] for one in told["below"]}
    for place in (told["place"], *told["below"]):
        for name, columns in TABLES.items():
            shown = place["figures"][name]
            assert set(shown) == {TOTAL, *columns}
            assert all(value is None or value >= TERMS.least for value in shown.values())
            if None not in shown.values():
                assert sum(shown[one] for one in columns) == shown[TOTAL]
    assert None not in told["place"]["figures"]["filed"].values()
    assert None in told["place"]["figures"]["answered"].values(), "nothing was answered"


def test_accusations_sealed_cases_and_conduct_are_in_no_published_figure(cases):
    many(cases, 3, (VILLAGE,), ("land",))
    for more in ({"item_type": "accusation"}, {"category": "conduct"}, {"item_type": "accusation", "state": "sealed"}):
        cases.file(**{"category": "land", **more})
    with cases.worker_app.app_context(), transaction(SYSTEM):
        today = db.session.execute(text("SELECT max(filed_on) FROM petitions")).scalar_one()
        counted = publishing._count("filed", Month(today.year, today.month))
    assert counted == {(FENGHUA, "land"): 3, (FENGHUA, "other"): 1}


def test_answers_and_ratings_count_in_their_month_and_a_changed_mind_once(cases):
    rate(cases, cases.resolved(), "satisfied")
    changed = cases.resolved()
    rate(cases, changed, "satisfied")
    add_rating(cases, changed, "dissatisfied")
    row = cases.session.execute(text("SELECT max(filed_on) FROM petitions")).scalar_one()
    month = Month(row.year, row.month)
    with cases.worker_app.app_context(), transaction(SYSTEM):
        assert publishing._count("answered", month) == {(FENGHUA, "on_time"): 2}
        assert publishing._count("rated", month) == {(FENGHUA, "satisfied"): 1, (FENGHUA, "dissatisfied"): 1}
        assert publishing._count("rated", month.next()) == {}


def test_one_case_more_changes_a_published_month_by_one_in_its_own_cells_at_most(cases):
    """What somebody excluded could ever see of a case: its county's, its city's and the province's figure for its category
    and their totals, each one higher, under noise that would have made the same figure in its absence."""
    parents = {ZHEJIANG: None, NINGBO: ZHEJIANG, FENGHUA: NINGBO, "330212000000": NINGBO}
    counted = {(place, column): 60 for place in (FENGHUA, "330212000000") for column in TABLES["filed"]}
    more = {**counted, (FENGHUA, "land"): 61}
    with cases.worker_app.app_context():
        without, with_it = (publishing.figures_of(parents, "filed", TABLES["filed"], each, "2026-10") for each in (counted, more))
    changed = {cell: with_it[cell] - without[cell] for cell in without if without[cell] != with_it[cell]}
    assert changed == {(place, column): 1 for place in (FENGHUA, NINGBO, ZHEJIANG) for column in ("land", TOTAL)}
    # The shift is inside the noise: some month's figure with the case is some other month's figure without it.
    with cases.worker_app.app_context():
        drawn = [
            {publishing.figures_of(parents, "filed", TABLES["filed"], each, f"{year}-{month:02}")[FENGHUA, "land"] for year in range(2000, 2008) for month in range(1, 13)}
            for each in (counted, more)
        ]
    assert len(drawn[0] & drawn[1]) >= 5


def test_the_answer_may_be_kept_and_asked_about_with_its_etag(cases, client):
    many(cases, 60)
    publish(cases)
    first = client.get(PUBLIC)
    assert first.headers["Cache-Control"] == "public, max-age=3600" and "Set-Cookie" not in first.headers
    again = client.get(PUBLIC, headers={"If-None-Match": first.headers["ETag"]})
    assert again.status_code == 304 and again.data == b""
    assert client.get(PUBLIC, query_string={"division": VILLAGE}).status_code == 404
    assert client.get(PUBLIC, query_string={"division": "330299000000"}).status_code == 404


def test_everybody_reads_the_figures_on_a_plain_page_in_both_languages(cases, client):
    assert "还没有公布" in client.get("/p/figures").text
    many(cases, 60)
    period = publish(cases).periods[0]
    assert 'href="/p/figures"' in client.get("/").text
    shown = client.get(PUBLIC, query_string={"period": period}).json["place"]["figures"]["filed"]
    address = f"/p/figures?period={period}&division={ZHEJIANG}"
    page = client.get(address).text
    assert "公开数据" in page and "土地承包、流转、宅基地" in page and f"<td>{shown['land']} (" in page and "未公布" in page
    assert f"/p/figures?period={period}&amp;division={NINGBO}" in page
    english = client.get(f"{address}&lang=en").text
    assert "Public figures" in english and "not shown" in english
    assert f"period={period}&amp;division={ZHEJIANG}&amp;lang=zh" in english
    for wrong in ("period=2026", "division=33", "period=1999-01", "division=339999000000", "period=2026-13"):
        assert client.get(f"/p/figures?{wrong}").status_code == 404


def test_the_command_says_what_it_published_and_what_comes_next(cases, database, monkeypatch):
    many(cases, 20)
    cases.travel(2 * MONTH)
    runner = cases.app.test_cli_runner()
    for name, value in {**database, "MINGJIAN_MODE": "test", "SECRET_KEY": SECRET}.items():
        monkeypatch.setenv(name, value)
    first, second = (runner.invoke(args=["statistics", "publish"]) for _ in range(2))
    assert first.exit_code == 0 and ": published." in first.output and "The next one, " in first.output, first.output
    assert second.exit_code == 0 and "0 months published" in second.output


def test_the_worker_publishes_by_itself():
    assert "statistics" in {job.name for job in JOBS}
