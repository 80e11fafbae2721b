"""Attacks over HTTP: injection through every text, a token of somebody else, a wider export, guessed numbers.

What is attacked is read from openapi.yaml, so that a new field, filter or route is attacked as soon as it is published.
docs/attacks.md is the table of all attacks; the last test holds that every test it names exists.
"""

import base64
import itertools
import json
import math
import re
import uuid
from collections import Counter
from pathlib import Path

import jwt
import pytest
from flask_jwt_extended import create_access_token
from sqlalchemy import event, text

from app import clock
from app.extensions import db
from app.petitions.export import _cell
from app.petitions.receipts import ALPHABET, pin_for, serial_for
from app.web import cursor_of
from tests.app.test_existence_hiding import CONTRACT, made_up
from tests.conftest import SECRET

ROOT = Path(__file__).parents[2]
FILING = "/api/v1/petitions"
HIDDEN = "只有吴兴知道的事"
MARK = "zq7x"
# Every one holds the mark, so that it is found in a statement into which it was pasted.
PAYLOADS = [
    f"{MARK}' OR '1'='1", f"{MARK}'; DROP TABLE petitions; --", f"{MARK}' UNION SELECT body FROM petitions --", f'{MARK}" OR ""="',
    f"%{MARK}%", f"{MARK}%", f"__{MARK}", f"{MARK}\\", f"\\{MARK}\\'", f"{MARK}$$; SELECT 1; $$", f"$x${MARK}$x$", f"{MARK}') OR (1=1",
    f"{MARK}.*", f"({MARK}|.)+", f"[{MARK}", f"{MARK} | ! & :* <->", f"{MARK}\x00", f"{MARK}\u2019 OR 1=1", f"{MARK}\uff07 OR 1=1",
    f":{MARK}", f"%({MARK})s", f"{{{MARK}}}", f"{MARK}' || pg_sleep(5) || '", f"E'{MARK}\\047'", f"{MARK}/**/OR/**/1=1", f"{MARK}\r\nX-Evil: 1",
    f"../../{MARK}", f"{MARK}\u202e", f"{{{{7*7}}}}{MARK}", f"<script>{MARK}</script>", f"=cmd|{MARK}!A1", f"{MARK}\ud800".encode("utf-8", "surrogatepass").decode("utf-8", "replace"),
]  # fmt: skip
STRING_FORMATS = {"date", "date-time"}


def operations():
    """(method, path, operation) of everything in the contract."""
    for path, item in CONTRACT["paths"].items():
        for method, operation in item.items():
            if method != "parameters":
                yield method, path, operation, [*item.get("parameters", []), *operation.get("parameters", [])]


def kinds_of(shape):
    kind = shape.get("type", "object")
    return kind if isinstance(kind, list) else [kind]


def shape_of(operation):
    shape = operation.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema", {})
    return CONTRACT["components"]["schemas"][shape["$ref"].rsplit("/", 1)[1]] if "$ref" in shape else shape


def texts_in(shape, path=()):
    """Paths to every string in a body, also those in lists and objects within it."""
    shape = CONTRACT["components"]["schemas"][shape["$ref"].rsplit("/", 1)[1]] if "$ref" in shape else shape
    if "string" in kinds_of(shape):
        yield path
    for name, one in shape.get("properties", {}).items():
        yield from texts_in(one, (*path, name))
    if "items" in shape:
        yield from texts_in(shape["items"], (*path, 0))


def put(body, path, value):
    """The body with the value at the path; what is missing on the way is made."""
    name, *rest = path
    if name == 0:
        return [put({}, rest, value) if rest else value]
    return {**body, name: put(body.get(name) or {}, rest, value) if rest else value}


@pytest.fixture
def statements(app):
    """Every SQL text that is sent from now on."""
    seen = []

    def note(_connection, _cursor, statement, *_):
        seen.append(statement)

    with app.app_context():
        event.listen(db.engine, "before_cursor_execute", note)
    return seen


@pytest.fixture
def filed(client, db_session, new_key):
    """Files in a county; returns the receipt."""

    def file(county="330213", **more):
        place = db_session.scalar(text("SELECT min(code) FROM divisions WHERE level = 5 AND code LIKE :p"), {"p": f"{county}%"})
        db_session.rollback()
        draft = {"division_code": place, "title": "某事", "body": "请查。", "name": "王某", "phone": "13800000001", **more}
        answer = client.post(FILING, json=draft, headers=new_key())
        assert answer.status_code == 201, answer.get_data(as_text=True)
        return answer.json

    return file


@pytest.fixture
def hidden(filed):
    """A case in another city; what nobody of Fenghua may come to see."""
    return filed("330502", title=HIDDEN, body=f"{HIDDEN} {MARK}' OR '1'='1 %{MARK}%")


def tells(answer, hidden):
    shown = answer.get_data(as_text=True)
    return any(one in shown for one in (HIDDEN, hidden["id"], hidden["serial"]))


# Injection


@pytest.mark.slow
def test_every_text_filter_takes_a_payload_as_a_value_and_shows_nothing_out_of_scope(client, as_staff, statements, filed, hidden):
    office, own = as_staff("fenghua.office"), filed(title="可见之事")
    tried = 0
    for method, path, _operation, parameters in operations():
        if method != "get":
            continue
        names = [p["name"] for p in parameters if p.get("in") == "query" and {"string", "array"} & set(kinds_of(p["schema"]))]
        places = [p["name"] for p in parameters if p.get("in") == "path"]
        here = re.sub(r"\{(\w+)\}", lambda m: {"log": "330213", "seq": "1", "size": "1"}.get(m[1], own["id"]), path)
        required = {p["name"]: made_up(p["schema"], {"account_id": own["id"], "petition_id": own["id"]}) for p in parameters if p.get("in") == "query" and p.get("required")}
        for payload in PAYLOADS:
            statements.clear()
            answers = [client.get(here, query_string={**required, name: payload}, headers=office) for name in names]
            answers += [client.get(path.replace(f"{{{name}}}", payload.replace("/", "%2F")), headers=office) for name in places]
            for answer in answers:
                tried += 1
                assert answer.status_code < 500, (path, payload, answer.get_data(as_text=True))
                assert not tells(answer, hidden), (path, payload)
                assert "X-Evil" not in answer.headers
            assert not [one for one in statements if MARK in one.lower()], (path, payload)
    assert tried > 1000


def test_a_search_finds_exactly_what_holds_the_text_literally(client, as_staff, statements, filed, hidden):
    """Wildcards, patterns and operators are letters like any others."""
    office = as_staff("fenghua.office")
    bodies = {filed(body=f"一{one}二")["id"]: f"一{one}二" for one in PAYLOADS if "\x00" not in one and "\ufffd" not in one}
    bodies |= {filed(body=one)["id"]: one for one in (f"a{MARK}b", f"{MARK.upper()} OR", "%%__", "百分之百", "' OR '1'='1")}
    for query in [*PAYLOADS, "%%", "__", "' OR", "' OR '1'='1", "\\\\", ".*", "$$", "--", MARK, MARK.upper(), "百分"]:
        statements.clear()
        answer = client.get(f"{FILING}/search", query_string={"q": query, "limit": 100}, headers=office)
        if "\x00" in query:
            assert answer.status_code == 422
            continue
        assert answer.status_code == 200, (query, answer.get_data(as_text=True))
        literal = {case for case, body in bodies.items() if query.strip().lower() in f"某事 {body}".lower()}
        assert {row["id"] for row in answer.json["items"]} == literal, query
        assert all("search_petitions" not in one or "%(q)s" in one for one in statements)
    for query, answer in ((one, client.get("/api/v1/divisions", query_string={"q": one})) for one in ("%%", "__", "' OR '1'='1", "\\%", ".*")):
        assert answer.status_code == 200 and answer.json["items"] == [], query


@pytest.mark.slow
def test_every_text_of_every_body_travels_as_a_value(client, as_staff, statements, filed, hidden, new_key):
    """Each string of each JSON body, with a payload in its place and the smallest valid body around it."""
    own, office = filed(), as_staff("fenghua.office")
    ids = {"petition_id": own["id"], "account_id": str(uuid.uuid4())}
    tried = set()
    payloads = itertools.cycle(one for one in PAYLOADS if "\x00" not in one)
    for method, path, operation, _parameters in operations():
        shape = shape_of(operation)
        for place in texts_in(shape) if shape else ():
            body = made_up(shape, ids)
            for payload in (*itertools.islice(payloads, 4), f"{MARK}\x00"):
                statements.clear()
                address = re.sub(r"\{(\w+)\}", lambda m: {"seq": "1"}.get(m[1], own["id"]), path)
                headers = new_key() if path.startswith("/api/v1/auth/") else {**office, **new_key()}
                answer = client.open(address, method=method.upper(), json=put(body, place, payload), headers=headers)
                assert answer.status_code < 500, (path, place, payload, answer.get_data(as_text=True))
                assert not tells(answer, hidden), (path, place, payload)
                assert not [one for one in statements if MARK in one.lower()], (path, place, payload)
                tried.add((path, place))
    assert len(tried) > 80


def test_a_cell_of_an_export_runs_in_no_spreadsheet():
    assert [_cell(one) for one in ("=1+1", "+1", "-1", "@x", "\tx", "\rx", "x", None)] == ["'=1+1", "'+1", "'-1", "'@x", "'\tx", "'\rx", "x", ""]


# A token of another role


def claims_of(headers):
    return jwt.decode(headers["Authorization"].removeprefix("Bearer "), options={"verify_signature": False})


def bearer(token):
    return {"Authorization": f"Bearer {token}"}


def pieces(token):
    return [base64.urlsafe_b64decode(one + "==") for one in token.split(".")[:2]]


def packed(*parts):
    return ".".join(base64.urlsafe_b64encode(json.dumps(one).encode()).decode().rstrip("=") for one in parts)


def test_a_token_that_was_changed_opens_nothing(client, app, as_staff, filed):
    own, weak, strong = filed(), as_staff("shangyi.clerk"), as_staff("fenghua.head")
    token = weak["Authorization"].removeprefix("Bearer ")
    head, claims = (json.loads(one) for one in pieces(token))
    mark, other = token.split(".")[2], strong["Authorization"].split(".")[2]
    changed = [{**claims, **one} for one in ({"sub": claims_of(strong)["sub"]}, {"kind": "receipt"}, {"kind": "system"}, {"type": "refresh"}, {"exp": 4e9})]
    forged = [f"{packed(head, one)}.{mark}" for one in changed]
    forged += [f"{packed(head, claims_of(strong))}.{mark}", f"{packed(head, claims)}.{other}", f"{packed(head, claims)}.", packed(head, claims)]
    forged += [f"{packed({**head, 'alg': one}, claims_of(strong))}.{tail}" for one in ("none", "None", "NONE", "HS512", "RS256", "") for tail in ("", mark)]
    forged += [jwt.encode(claims_of(strong), key, algorithm="HS256") for key in ("z" * 40, SECRET[:-1] + "x", "secret" * 6)]
    forged += [jwt.encode(claims_of(strong), "z" * 40, algorithm="HS256", headers=one) for one in ({"kid": "/dev/null"}, {"jku": "http://localhost/x"}, {"x5u": "x"})]
    for one in forged:
        for path in (FILING, f"{FILING}/{own['id']}", "/api/v1/auth/me"):
            answer = client.get(path, headers=bearer(one))
            assert (answer.status_code, answer.json["type"]) == (401, "/problems/invalid-token"), one
    assert client.get(f"{FILING}/{own['id']}", headers=strong).status_code == 200


def test_what_a_token_claims_of_role_body_and_area_is_not_believed(client, app, as_staff, filed, hidden):
    """Signed with the right key and all: a token names a session, and the database says the rest."""
    filed()
    weak = as_staff("xiaowangmiao.office")
    big = {"kind": "staff", "role": "system_admin", "org": str(uuid.uuid4()), "scope": "", "reach": "all", "lo": "", "hi": ":", "head": True}
    with app.app_context():
        token = create_access_token(claims_of(weak)["sub"], additional_claims=big)
        as_villager = create_access_token(claims_of(weak)["sub"], additional_claims={"kind": "villager"})
    assert client.get(FILING, headers=bearer(token)).json == client.get(FILING, headers=weak).json
    assert client.get("/api/v1/auth/me", headers=bearer(token)).json == client.get("/api/v1/auth/me", headers=weak).json
    assert client.get(f"{FILING}/{hidden['id']}", headers=bearer(token)).status_code == 404
    assert client.get("/api/v1/outbox/dead", headers=bearer(token)).status_code == client.get("/api/v1/outbox/dead", headers=weak).status_code
    assert client.get(FILING, headers=bearer(as_villager)).status_code == 401


def test_a_refresh_token_a_revoked_session_and_a_lost_appointment_open_nothing(client, db_session, filed):
    own = filed()

    def sign_in(username):
        answer = client.post("/api/v1/auth/staff/sign-in", json={"username": username, "password": "correct horse battery"})
        return answer.json["access_token"], answer.json["refresh_token"]

    def outcome(token):
        answers = [client.get(path, headers=bearer(token)) for path in (FILING, f"{FILING}/{own['id']}", f"{FILING}/export.csv")]
        return {(one.status_code, one.json["type"].split("/")[-1]) if one.status_code != 200 else 200 for one in answers}

    ends = {
        "the session was revoked": "UPDATE sessions SET revoked_at = now() WHERE account_id = :a",
        "the session is past its time": "UPDATE sessions SET expires_at = now() WHERE account_id = :a",
        "the appointment has ended": "UPDATE appointments SET valid_from = current_date - 9, valid_to = current_date - 2 WHERE account_id = :a",
        "the appointment begins later": "UPDATE appointments SET valid_from = current_date + 2, valid_to = NULL WHERE account_id = :a",
        "the person has left": "UPDATE staff_accounts SET left_on = current_date - 2 WHERE id = :a",
    }
    usernames = ("fenghua.office", "fenghua.head", "ningbo.office", "ningbo.office.head", "fenghua.discipline")
    for username, (why, change) in zip(usernames, ends.items(), strict=True):
        access, refresh = sign_in(username)
        assert outcome(access) == {200} and outcome(refresh) == {(401, "invalid-token")}
        swapped = client.post("/api/v1/auth/refresh", json={"refresh_token": access})
        assert swapped.status_code == 401
        account = db_session.scalar(text("SELECT id FROM staff_accounts WHERE username = :u"), {"u": username})
        db_session.execute(text(change), {"a": account})
        db_session.commit()
        assert outcome(access) == {(401, "signed-out")}, why


def requests_about(case, shape_ids):
    """One request for every route of the contract that names a petition."""
    for method, path, operation, _parameters in operations():
        if "{petition_id}" in path and method in ("get", "post", "head", "patch"):
            address = path.format(petition_id=case, seq=1)
            more = {"headers": {"Idempotency-Key": uuid.uuid4().hex}}
            if shape := shape_of(operation):
                more["json"] = made_up(shape, shape_ids)
            if path.endswith("/uploads"):
                more["headers"] |= {"Tus-Resumable": "1.0.0", "Upload-Length": "5", "Upload-Metadata": "filename YS5qcGc="}
            yield method.upper(), address, more


def everything_about(db_session, case):
    """The rows of a case, of what hangs on it and of who looked at it, as their owner sees them."""
    tables = db_session.scalars(
        text(
            "SELECT c.oid::regclass::text FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid WHERE c.relkind = 'r' "
            "AND a.attname = 'petition_id' AND c.relname <> 'sessions' AND c.relnamespace IN ('public'::regnamespace, 'sealed'::regnamespace)"
        )
    ).all()
    found = {name: sorted(db_session.scalars(text(f"SELECT t::text FROM {name} t WHERE petition_id = :c"), {"c": case})) for name in tables}
    found["petitions"] = db_session.scalars(text("SELECT t::text FROM petitions t WHERE id = :c"), {"c": case}).all()
    db_session.rollback()
    return found


STRANGERS = [
    "shangyi.supervisor", "shangyi.grid", "shangyi.clerk", "shangtian.office", "shangtian.discipline", "fenghua.agri", "fenghua.group.head",
    "fenghua.office", "fenghua.head", "fenghua.discipline.head", "ningbo.office", "ningbo.discipline.head", "auditor", "security", "admin",
    "a villager", "another receipt",
]  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("stranger", STRANGERS)
def test_no_route_about_a_case_answers_a_token_that_does_not_see_it(client, as_staff, as_villager, db_session, filed, hidden, stranger):
    other = filed()
    if stranger == "a villager":
        headers = as_villager("13900000009")
    elif stranger == "another receipt":
        signed = client.post("/api/v1/auth/receipt/sign-in", json={"serial": other["serial"], "pin": other["pin"]})
        headers = bearer(signed.json["access_token"])
    else:
        headers = as_staff(stranger)
    account = str(db_session.scalar(text("SELECT id FROM organisations WHERE level = 3 LIMIT 1")))
    before, tried = everything_about(db_session, hidden["id"]), 0
    for method, path, more in requests_about(hidden["id"], {"petition_id": other["id"], "account_id": account}):
        answer = client.open(path, method=method, **{**more, "headers": {**headers, **more["headers"]}})
        # A list about a case that is not seen may also be an empty one, as for a case that is not there.
        empty = answer.status_code == 200 and answer.json == {"items": [], "next": None}
        assert answer.status_code in (403, 404) or empty, (method, path, answer.status_code, answer.get_data(as_text=True))
        assert not tells(answer, hidden)
        tried += 1
    assert tried > 50
    assert everything_about(db_session, hidden["id"]) == before


@pytest.mark.parametrize("who", ["a villager", "a receipt"])
def test_a_petitioners_token_is_refused_on_every_route_of_staff(client, as_villager, filed, who, hidden):
    own = filed()
    if who == "a villager":
        headers = as_villager("13900000009")
    else:
        headers = bearer(client.post("/api/v1/auth/receipt/sign-in", json={"serial": own["serial"], "pin": own["pin"]}).json["access_token"])
    for method, path in (
        ("GET", f"{FILING}/search?q=某事"), ("GET", f"{FILING}/export.csv"), ("POST", "/api/v1/intake/petitions"), ("GET", "/api/v1/clues"),
        ("GET", "/api/v1/supervision/desk"), ("GET", "/api/v1/supervision/orders"), ("GET", "/api/v1/outbox/dead"), ("GET", "/api/v1/reads"),
        ("GET", "/api/v1/data-requests"), ("GET", "/api/v1/identity-openings"), ("GET", f"/api/v1/staff?organisation_id={uuid.uuid4()}"),
        ("POST", f"{FILING}/{own['id']}/actions/register"), ("GET", f"{FILING}/{own['id']}/reads"), ("GET", f"{FILING}/{own['id']}/exclusions"),
    ):  # fmt: skip
        body = {"division_code": "330213007213", "title": "来信", "body": "来信内容。", "channel": "letter"} if "intake" in path else {}
        answer = client.open(path, method=method, json=body if method == "POST" else None, headers={**headers, "Idempotency-Key": uuid.uuid4().hex})
        # The case of the receipt is not the villager's, who does not see it.
        assert answer.status_code in (403, 404 if own["id"] in path else 403), (path, answer.status_code, answer.get_data(as_text=True))


# An export of a wider scope


WIDER = [
    {}, {"open": "true"}, {"open": "false"}, {"state": "filed"}, {"limit": "100"}, {"supervised": "false"},
    {"cursor": "made"}, {"division": "33"}, {"division_code": "330502"}, {"scope": ""}, {"lo": "", "hi": ":"}, {"reach": "all"}, {"role": "system_admin"},
]  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("query", WIDER, ids=str)
def test_an_export_holds_no_case_beyond_the_reach_of_who_asks(client, as_staff, filed, hidden, db_session, query):
    own, excluded = filed("330213007"), filed("330213007", keep_from=[{"name": "方红"}])
    if query.get("cursor") == "made":
        query = {"cursor": cursor_of(clock.now().replace(year=2099), uuid.UUID(int=2**128 - 1))}
    everywhere = {own["id"], excluded["id"], hidden["id"]}
    kept_out = db_session.scalars(
        text("SELECT username FROM staff_accounts a WHERE EXISTS (SELECT 1 FROM petitions p WHERE p.id = :c AND a.id = ANY (p.excluded_account_ids))"),
        {"c": excluded["id"]},
    ).all()
    db_session.rollback()
    reach = {
        "shangtian.discipline": {own["id"], excluded["id"]}, "fenghua.office": {own["id"], excluded["id"]}, "wuxing.office": {hidden["id"]},
        "fenghua.land": set(), "xiaowangmiao.office": set(), "auditor": set(), "admin": set(), "security": set(), "shangyi.clerk": set(),
    }  # fmt: skip
    assert kept_out, "the named colleague is an account of the demonstration"
    reach |= {one: {own["id"]} if one.startswith("shangtian") else set() for one in kept_out}
    for username, allowed in reach.items():
        answer = client.get(f"{FILING}/export.csv", query_string=query, headers=as_staff(username))
        found = {one for one in everywhere if one in answer.get_data(as_text=True)}
        if answer.status_code == 200:
            narrower = "open" in query and query["open"] == "false"
            assert found == (set() if narrower else allowed), username
        else:
            assert answer.status_code in (403, 422) and not found, (username, answer.get_data(as_text=True))


# Guessing numbers


def rank_correlation(values):
    """Spearman's coefficient of the values with the order in which they stand."""
    rank = {value: n for n, value in enumerate(sorted(values))}
    n = len(values)
    return 1 - 6 * sum((rank[value] - at) ** 2 for at, value in enumerate(values)) / (n * (n * n - 1))


def test_a_serial_number_has_the_bits_that_are_promised(app, filed):
    assert len(set(ALPHABET)) == 31 and 16 * math.log2(len(ALPHABET)) > 79
    for receipt in (filed() for _ in range(3)):
        assert re.fullmatch(rf"MJ(-[{ALPHABET}]{{4}}){{4}}", receipt["serial"])
        assert re.fullmatch(r"\d{8}", receipt["pin"]) and uuid.UUID(receipt["id"]).version == 4


def test_consecutive_serial_numbers_tell_neither_order_nor_their_neighbours(app):
    """Of consecutive keys, so that the numbers are the same at every run; a client's are random and can only be better."""
    n = 4000
    with app.app_context():
        serials = [serial_for(f"{at:022d}") for at in range(n)]
        pins = [pin_for(f"{at:022d}") for at in range(n)]
    assert len(set(serials)) == n
    for series in (serials, [one[::-1] for one in serials], [f"{pin}{at}" for at, pin in enumerate(pins)]):
        assert abs(rank_correlation(series)) < 4 / math.sqrt(n)
    bare = [one.replace("-", "")[2:] for one in serials]
    for place in range(16):
        counts = Counter(one[place] for one in bare)
        expected = n / len(ALPHABET)
        chi2 = sum((counts[letter] - expected) ** 2 / expected for letter in ALPHABET)
        assert chi2 < 30 + 5 * math.sqrt(60), f"letter {place} is not even"
    # Neighbours agree in as many places as strangers do: one in 31.
    same = sum(a == b for one, two in itertools.pairwise(bare) for a, b in zip(one, two, strict=True))
    assert abs(same / (16 * (n - 1)) - 1 / 31) < 0.004


LOOK_UPS = {
    "sign-in": ("/api/v1/auth/receipt/sign-in", "json"), "slip": ("/api/v1/receipts/slip", "json"), "page": ("/p/case", "form"),
}  # fmt: skip


@pytest.mark.parametrize("way", LOOK_UPS)
def test_a_wrong_pin_and_an_unknown_number_are_one_answer_to_the_byte_and_one_list_of_statements(client, app, filed, statements, way):
    real = filed()
    with app.app_context():
        unknown = serial_for("no such filing" * 2)
    path, how = LOOK_UPS[way]
    wrong_pin = f"{(int(real['pin']) + 1) % 10**8:08d}"
    seen = []
    for serial in (real["serial"], unknown):
        statements.clear()
        body = {"serial": serial, "pin": wrong_pin}
        answer = client.post(path, **({"json": body} if how == "json" else {"data": body}))
        shown = answer.get_data(as_text=True).replace(serial, "«number»")
        headers = [(name, value) for name, value in answer.headers if name not in ("Date", "X-Request-Id")]
        seen.append((answer.status_code, headers, shown, list(statements)))
    assert seen[0] == seen[1]
    assert seen[0][0] == 401 and any("receipt_petition" in one for one in seen[0][3]), seen[0]


def test_guessed_numbers_shut_the_door_of_their_address(client, app):
    """Thirty numbers in a quarter of an hour, whatever their PINs: of 2^79 numbers."""
    with app.app_context():
        guesses = [serial_for(f"guess {at}" * 4) for at in range(31)]
    statuses = [client.post("/api/v1/auth/receipt/sign-in", json={"serial": one, "pin": "00000000"}).status_code for one in guesses]
    assert statuses[:30] == [401] * 30 and statuses[30] == 429


def test_five_guesses_of_a_pin_shut_the_door_of_their_number_even_for_its_owner(client, filed):
    real = filed()
    wrong = [f"{(int(real['pin']) + at) % 10**8:08d}" for at in range(1, 6)]
    for pin in wrong:
        assert client.post("/api/v1/auth/receipt/sign-in", json={"serial": real["serial"], "pin": pin}).status_code == 401
    answer = client.post("/api/v1/auth/receipt/sign-in", json={"serial": real["serial"], "pin": real["pin"]})
    assert answer.status_code == 429 and int(answer.headers["Retry-After"]) > 0


# The table


def test_the_table_of_attacks_names_tests_that_exist_and_every_test_of_these_files():
    page = (ROOT / "docs" / "attacks.md").read_text(encoding="utf-8")
    named = set(re.findall(r"`(test_\w+\.py)::(test_\w+)`", page))
    assert len(named) > 50
    defined = {
        file: set(re.findall(r"^def (test_\w+)", (ROOT / "tests" / "app" / file).read_text(encoding="utf-8"), re.MULTILINE))
        for file in {file for file, _ in named}
    }
    assert sorted(f"{file}::{name}" for file, name in named if name not in defined[file]) == []
    own = {"test_attacks.py", "test_sql_attacks.py", "test_pool_identity.py"}
    left_out = {(file, name) for file in own for name in defined[file]} - named
    assert {name for _, name in left_out} == {"test_the_table_of_attacks_names_tests_that_exist_and_every_test_of_these_files"}
