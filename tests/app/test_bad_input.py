"""What is wrong with a request is said exactly, field by field, and a refused request changes nothing."""

import uuid
from datetime import timedelta

import jwt as pyjwt
import pytest
from flask_jwt_extended import create_access_token
from sqlalchemy import text

FILING = "/api/v1/petitions"
COUNTED = ("petitions", "petition_events", "deadlines", "sealed.identities", "outbox", "idempotency_keys", "case_messages", "ratings", "money_entries", "meetings")


@pytest.fixture
def place(db_session):
    return db_session.execute(
        text("SELECT min(code) FROM divisions WHERE level = 5 AND code LIKE '330213007%'")
    ).scalar_one()


@pytest.fixture
def state_of(db_session):
    """What the case tables hold now: counts, and the versions of all cases."""

    def read():
        counts = {name: db_session.execute(text(f"SELECT count(*) FROM {name}")).scalar_one() for name in COUNTED}
        versions = db_session.execute(text("SELECT id, version, state FROM petitions ORDER BY id")).all()
        db_session.rollback()
        return counts, [tuple(row) for row in versions]

    return read


@pytest.fixture
def case(client, place, new_key):
    answer = client.post(FILING, json=draft(place), headers=new_key())
    assert answer.status_code == 201, answer.get_data(as_text=True)
    return answer.json


def draft(place, **more):
    return {"division_code": place, "title": "土地租金", "body": "多年没有收到。", "name": "王某", **more}


def refused(answer, status, slug, *fields):
    """The answer is this problem, in both languages, and names exactly these fields."""
    assert answer.status_code == status, answer.get_data(as_text=True)
    assert answer.mimetype == "application/problem+json"
    body = answer.json
    assert body["type"] == f"/problems/{slug}"
    assert body["status"] == status
    assert body["title"] and body["title_en"]
    assert sorted(body.get("errors", {})) == sorted(fields)


def nested(levels):
    return "[" * levels + "]" * levels


BAD_FIELDS = [
    ("an unknown field", {"titel": "x"}, ["titel"]),
    ("two wrong fields", {"titel": "x", "people_count": "many"}, ["people_count", "titel"]),
    ("a number for a text", {"title": 7}, ["title"]),
    ("a list for a text", {"body": ["x"]}, ["body"]),
    ("null for a text", {"title": None}, ["title"]),
    ("a text for a number", {"claimed_fen": "1000"}, ["claimed_fen"]),
    ("a fraction of a fen", {"claimed_fen": 0.5}, ["claimed_fen"]),
    ("a number beyond any column", {"claimed_fen": 2**63}, ["claimed_fen"]),
    ("an endless number", {"people_count": 1e308}, ["people_count"]),
    ("a way that is none", {"way": "perhaps"}, ["way"]),
    ("an over-long title", {"title": "长" * 101}, ["title"]),
    ("an over-long text", {"body": "长" * 10_001}, ["body"]),
    ("a blank title", {"title": "   "}, ["title"]),
    ("a NUL in the title", {"title": "a\0b"}, ["title"]),
    ("a NUL in the text", {"body": "甲\0乙"}, ["body"]),
    ("a NUL in the name", {"name": "王\0某"}, ["name"]),
    ("eleven digits", {"division_code": "33021300720"}, ["division_code"]),
    ("letters in a code", {"division_code": "33021300720x"}, ["division_code"]),
    ("full-width digits in a code", {"division_code": "\uff13\uff13" + "0213007205"}, ["division_code"]),
    ("a trailing newline in a code", {"division_code": "330213007205\n"}, ["division_code"]),
    ("a code of nowhere", {"division_code": "999999999999"}, ["division_code"]),
    ("a code of a county", {"division_code": "330213000000"}, ["division_code"]),
    ("a number for a code", {"division_code": 330213007205}, ["division_code"]),
    ("an unknown category", {"category": "weather"}, ["category"]),
    ("an unknown kind", {"item_type": "praise"}, ["item_type"]),
    ("a phone number of another country", {"phone": "+4912345"}, ["phone"]),
    ("full-width digits in a phone number", {"phone": "1" + "\uff13" * 10}, ["phone"]),
    ("no people", {"people_count": 0}, ["people_count"]),
    ("a collective without representatives", {"people_count": 5}, ["representatives"]),
    ("six representatives", {"people_count": 9, "representatives": [{"name": "甲"}] * 6}, ["representatives"]),
    ("a child without guardian", {"under_14": True}, ["guardian"]),
    ("an accused without name", {"accused": [{"post": "书记"}]}, ["accused"]),
    ("an accused that is a text", {"accused": ["书记"]}, ["accused"]),
    ("an id that is none", {"accused_org_ids": ["1"]}, ["accused_org_ids"]),
]


@pytest.mark.parametrize(("change", "fields"), [row[1:] for row in BAD_FIELDS], ids=[row[0] for row in BAD_FIELDS])
def test_a_filing_names_the_wrong_field_and_stores_nothing(client, place, new_key, state_of, change, fields):
    before = state_of()
    refused(client.post(FILING, json=draft(place, **change), headers=new_key()), 422, "invalid-input", *fields)
    assert state_of() == before


def test_missing_fields_are_named_together(client, new_key, state_of):
    before = state_of()
    refused(client.post(FILING, json={}, headers=new_key()), 422, "invalid-input", "body", "division_code", "title")
    assert state_of() == before


@pytest.mark.parametrize("words", ["🏠🌾租金", "𠮷野家的𡈽地", "e\u0301té", "العربية", "名\u200b字", "㐂㐧龘"])
def test_emoji_and_rare_characters_come_back_as_they_were_sent(client, place, new_key, as_staff, words):
    filed = client.post(FILING, json=draft(place, title=words, name=words[:5]), headers=new_key())
    assert filed.status_code == 201, filed.get_data(as_text=True)
    seen = client.get(f"{FILING}/{filed.json['id']}", headers=as_staff("fenghua.office"))
    assert seen.json["title"] == words


RAW = [
    ("broken JSON", b"{", "application/json", 400, "bad-request", []),
    ("a number of thirty digits", b'{"claimed_fen": 1000000000000000000000000000000}', "application/json", 422, "invalid-input", None),
    ("no body", b"", "application/json", 422, "invalid-input", None),
    ("bytes that are no UTF-8", b'{"title": "\xff\xfe"}', "application/json", 400, "bad-request", []),
    ("a list", b"[]", "application/json", 422, "invalid-input", None),
    ("a lone text", b'"x"', "application/json", 422, "invalid-input", None),
    ("null", b"null", "application/json", 422, "invalid-input", None),
    ("twenty levels", nested(20).encode(), "application/json", 422, "invalid-input", None),
    ("ten thousand levels", nested(10_000).encode(), "application/json", 400, "bad-request", None),
    ("NaN", b'{"claimed_fen": NaN}', "application/json", 400, "bad-request", []),
    ("a form", b"title=x", "application/x-www-form-urlencoded", 415, "unsupported-media-type", []),
    ("XML", b"<title/>", "application/xml", 415, "unsupported-media-type", []),
    ("JSON called text", b"{}", "text/plain", 415, "unsupported-media-type", []),
]


@pytest.mark.parametrize(("data", "kind", "status", "slug", "fields"), [row[1:] for row in RAW], ids=[row[0] for row in RAW])
def test_a_body_that_is_no_draft_is_refused(client, new_key, state_of, data, kind, status, slug, fields):
    before = state_of()
    answer = client.post(FILING, data=data, content_type=kind, headers=new_key())
    assert answer.status_code == status, answer.get_data(as_text=True)
    assert answer.json["type"] == f"/problems/{slug}"
    if fields is not None:
        assert sorted(answer.json.get("errors", {})) == fields or "errors" in answer.json
    assert state_of() == before


def test_twenty_levels_inside_a_field_name_the_field(client, place, new_key, state_of):
    deep: object = "x"
    for _ in range(20):
        deep = {"a": deep}
    before = state_of()
    refused(client.post(FILING, json=draft(place, title=deep), headers=new_key()), 422, "invalid-input", "title")
    refused(client.post(FILING, json=draft(place, more=deep), headers=new_key()), 422, "invalid-input", "more")
    assert state_of() == before


def test_a_lone_surrogate_is_refused(client, place, new_key, state_of):
    before = state_of()
    data = b'{"division_code": "' + place.encode() + b'", "title": "a\\ud800b", "body": "xx"}'
    answer = client.post(FILING, data=data, content_type="application/json", headers=new_key())
    assert answer.status_code in (400, 422), answer.get_data(as_text=True)
    assert state_of() == before


def test_a_huge_body_is_refused_before_it_is_read(client, app, new_key, state_of):
    before = state_of()
    app.config["MAX_CONTENT_LENGTH"] = 2**20
    answer = client.post(FILING, data=b"x" * (2**20 + 1), content_type="application/json", headers=new_key())
    refused(answer, 413, "too-large")
    assert state_of() == before


def test_a_body_of_several_megabytes_is_no_draft(client, place, new_key, state_of):
    before = state_of()
    answer = client.post(FILING, json=draft(place, body="长" * 2_000_000), headers=new_key())
    assert (answer.status_code, answer.json["type"]) in ((413, "/problems/too-large"), (422, "/problems/invalid-input"))
    assert state_of() == before


@pytest.mark.parametrize("key", ["short", "x" * 129, "äöü" * 10, "a b" * 10])
def test_a_key_that_could_be_guessed_is_refused(client, place, state_of, key):
    before = state_of()
    answer = client.post(FILING, json=draft(place), headers={"Idempotency-Key": key})
    refused(answer, 422, "invalid-input", "Idempotency-Key")
    assert state_of() == before


def test_a_filing_without_key_is_refused(client, place, state_of):
    before = state_of()
    refused(client.post(FILING, json=draft(place)), 400, "key-required")
    assert state_of() == before


QUERIES = [
    ("limit=0", "limit"), ("limit=101", "limit"), ("limit=many", "limit"), ("limit=1e3", "limit"), ("state=unknown", "state"),
    ("colour=green", "colour"), ("priority=P9", "priority"), ("open=maybe", "open"), ("cursor=%00", "cursor"),
    ("cursor=abc", "cursor"), ("cursor=" + "A" * 201, "cursor"), ("sort=title", "sort"), ("cursor=8J%2BYgA", "cursor"),
]  # fmt: skip


@pytest.mark.parametrize(("query", "field"), QUERIES)
def test_a_wrong_query_names_its_parameter(client, as_staff, query, field):
    refused(client.get(f"{FILING}?{query}", headers=as_staff("fenghua.office")), 422, "invalid-input", field)


@pytest.mark.parametrize("q", ["%00%00", "a" * 51])
def test_a_wrong_search_names_its_parameter(client, as_staff, q):
    refused(client.get(f"{FILING}/search?q={q}", headers=as_staff("fenghua.office")), 422, "invalid-input", "q")


@pytest.mark.parametrize("path", ["not-a-uuid", "0", "%00", "00000000-0000-0000-0000-00000000000g"])
def test_an_id_that_is_none_is_not_found(client, as_staff, path):
    refused(client.get(f"{FILING}/{path}", headers=as_staff("fenghua.office")), 404, "not-found")


@pytest.mark.parametrize("day", ["2026-02-30", "2026-13-01", "30/02/2026", "", "tomorrow", 20260101, "2026-01-01T00:00:00Z"])
def test_an_impossible_day_names_the_field(client, case, as_staff, new_key, state_of, day):
    headers = {**as_staff("shangtian.office"), **new_key()}
    before = state_of()
    entry = {"kind": "claimed", "amount_fen": 100, "on": day}
    refused(client.post(f"{FILING}/{case['id']}/money", json=entry, headers=headers), 422, "invalid-input", "on")
    assert state_of() == before


@pytest.mark.parametrize("instant", ["2026-02-30T10:00:00Z", "2026-01-01T10:00:00", "2999-01-01T00:00:00Z", "0000-01-01T00:00:00Z", "x"])
def test_an_impossible_instant_names_the_field(client, case, as_staff, new_key, state_of, instant):
    headers = {**as_staff("shangtian.office"), **new_key()}
    before = state_of()
    meeting = {"held_at": instant, "org_ids": [str(uuid.uuid4())], "minutes": "议定。"}
    refused(client.post(f"{FILING}/{case['id']}/meetings", json=meeting, headers=headers), 422, "invalid-input", "held_at")
    assert state_of() == before


@pytest.mark.parametrize(("action", "facts", "fields"), [
    ("register", {"note": "x"}, ["note"]),
    ("reject", {}, ["reason_code"]),
    ("reject", {"reason_code": "lazy"}, ["reason_code"]),
    ("dispatch", {"main_org_id": "x"}, ["main_org_id"]),
    ("request-extension", {"days": 61, "reason": "x"}, ["days"]),
    ("request-extension", {"days": "7", "reason": "x"}, ["days"]),
    ("rate", {"grade": "fine", "office_grade": "basic"}, ["grade"]),
])  # fmt: skip
def test_wrong_facts_of_an_action_name_the_field(client, case, as_staff, state_of, action, facts, fields):
    headers = as_staff("shangtian.office")
    before = state_of()
    answer = client.post(f"{FILING}/{case['id']}/actions/{action}", json=facts, headers=headers)
    refused(answer, 422, "invalid-input", *fields)
    assert state_of() == before


@pytest.mark.parametrize("match", ["x", "", "*", '"-1"', '"99999999999"', '"1", "2"', '"٣"'])
def test_an_if_match_that_is_no_version_is_refused(client, case, as_staff, state_of, match):
    headers = as_staff("shangtian.office") | {"If-Match": match}
    before = state_of()
    answer = client.post(f"{FILING}/{case['id']}/actions/register", json={}, headers=headers)
    refused(answer, 422, "invalid-input", "If-Match")
    assert state_of() == before


def test_a_body_or_parent_that_does_not_exist_names_the_field(client, case, as_staff, state_of):
    headers = as_staff("shangtian.office")
    for action in ("register", "accept"):
        done = client.post(f"{FILING}/{case['id']}/actions/{action}", json={}, headers=headers)
        assert done.status_code == 200, done.get_data(as_text=True)
    before = state_of()
    nobody = str(uuid.uuid4())
    answer = client.post(f"{FILING}/{case['id']}/actions/dispatch", json={"main_org_id": nobody}, headers=headers)
    refused(answer, 422, "invalid-input", "main_org_id")
    assert state_of() == before


def changed_token(token):
    head, body, mark = token.split(".")
    return f"{head}.{body}.{mark[:-4]}{'AAAA' if mark[-4:] != 'AAAA' else 'BBBB'}"


@pytest.fixture
def tokens(app, as_staff):
    """Tokens that must not open anything, by what is wrong with them."""
    good = as_staff("fenghua.office")["Authorization"].removeprefix("Bearer ")
    claims = pyjwt.decode(good, options={"verify_signature": False})
    own = {"kind": claims["kind"]}
    return {
        "expired": create_access_token(claims["sub"], expires_delta=timedelta(seconds=-60), additional_claims=own),
        "forged": changed_token(good),
        "another secret": pyjwt.encode(claims, "z" * 40, algorithm="HS256"),
        "without signature": pyjwt.encode(claims, None, algorithm="none"),
        "a session of nobody": create_access_token(str(uuid.uuid4()), additional_claims=own),
        "a kind of its own": create_access_token(claims["sub"], additional_claims={"kind": "system"}),
        "a subject that is none": create_access_token("' OR 1=1 --", additional_claims=own),
        "no token": "not.a.token",
        "empty": "",
    }


@pytest.mark.parametrize(("wrong", "slug"), [
    ("expired", "token-expired"), ("forged", "invalid-token"), ("another secret", "invalid-token"),
    ("without signature", "invalid-token"), ("a session of nobody", "signed-out"), ("a kind of its own", "invalid-token"),
    ("a subject that is none", "invalid-token"), ("no token", "invalid-token"), ("empty", "invalid-token"),
])  # fmt: skip
def test_a_token_that_is_not_ours_or_over_opens_nothing(client, case, tokens, state_of, wrong, slug):
    headers = {"Authorization": f"Bearer {tokens[wrong]}"}
    before = state_of()
    for answer in (
        client.get(FILING, headers=headers),
        client.get(f"{FILING}/{case['id']}", headers=headers),
        client.post(f"{FILING}/{case['id']}/actions/register", json={}, headers=headers),
    ):
        refused(answer, 401, slug)
        assert answer.headers["WWW-Authenticate"] == "Bearer"
    assert state_of() == before


def test_without_a_token_nothing_is_opened(client, case, state_of):
    before = state_of()
    refused(client.get(FILING), 401, "not-signed-in")
    refused(client.post(f"{FILING}/{case['id']}/actions/register", json={}), 401, "not-signed-in")
    assert state_of() == before


def test_somebody_elses_case_is_answered_like_one_that_does_not_exist(client, case, place, as_staff, new_key, state_of):
    other = client.post(FILING, json=draft(place), headers=new_key()).json
    signed = client.post("/api/v1/auth/receipt/sign-in", json={"serial": other["serial"], "pin": other["pin"]})
    petitioner = {"Authorization": f"Bearer {signed.json['access_token']}"}
    stranger = as_staff("wuxing.office")
    before = state_of()
    for headers in (petitioner, stranger):
        for one in (case["id"], str(uuid.uuid4())):
            refused(client.get(f"{FILING}/{one}", headers=headers), 404, "not-found")
            refused(client.post(f"{FILING}/{one}/actions/register", json={}, headers=headers), 404, "not-found")
            refused(client.post(f"{FILING}/{one}/actions/withdraw", json={}, headers=headers), 404, "not-found")
            sent = client.post(f"{FILING}/{one}/messages", json={"body": "x"}, headers={**headers, **new_key()})
            refused(sent, 404, "not-found")
    assert state_of() == before


@pytest.mark.parametrize(("method", "path", "status", "slug"), [
    ("DELETE", FILING, 405, "method-not-allowed"), ("PUT", f"{FILING}/search", 405, "method-not-allowed"),
    ("GET", "/api/v1/nothing", 404, "not-found"), ("GET", "/api/v2/petitions", 404, "not-found"),
])  # fmt: skip
def test_a_wrong_method_or_path_is_a_problem_too(client, method, path, status, slug):
    answer = client.open(path, method=method)
    refused(answer, status, slug)
    assert status != 405 or "GET" in answer.headers["Allow"]
