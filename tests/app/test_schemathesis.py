"""Made-up requests over the whole contract: whatever is sent, the answer is one that the contract names."""

import itertools
import os
import secrets

import hypothesis
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, settings
from schemathesis.checks import CHECKS, load_all_checks, not_a_server_error
from schemathesis.core.failures import FailureGroup
from sqlalchemy import text

from app.extensions import db
from tests.conftest import PASSWORD

load_all_checks()
# Bytes of an upload (tus) are bytes: nothing to serialise.
schemathesis.serializer.alias("application/offset+octet-stream", "application/octet-stream")
# Continuous integration repeats one walk; everybody else's looks for something new and prints its seed.
SEED = int(os.environ.get("SCHEMATHESIS_SEED") or (20261124 if os.environ.get("CI") else secrets.randbelow(2**31)))
EXAMPLES = int(os.environ.get("SCHEMATHESIS_EXAMPLES", "5"))
NAMES = ("response_schema_conformance", "status_code_conformance", "content_type_conformance")


def failure_of(operation, headers, cases, answered):
    """What schemathesis has against the answers of one operation, or None; adds the statuses seen to `answered`."""
    checks = [not_a_server_error, *CHECKS.get_by_names(NAMES)]
    real = itertools.cycle(cases)

    def attempt(case):
        # A made-up id names no case, so the request would end at its door: put a real one in its place.
        if "petition_id" in (case.path_parameters or {}):
            case.path_parameters["petition_id"] = next(real)
        answer = case.call(headers=headers)
        answered.add(answer.status_code)
        db.session.rollback()
        case.validate_response(answer, checks=checks, headers=headers)

    limits = settings(
        max_examples=EXAMPLES, deadline=None, database=None, phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck), print_blob=False,
    )  # fmt: skip
    try:
        hypothesis.seed(SEED)(limits(hypothesis.given(case=operation.as_strategy())(attempt)))()
    except (FailureGroup, AssertionError) as failure:
        return "\n".join(str(one) for one in getattr(failure, "exceptions", [failure]))[:900]
    return None


@pytest.fixture
def cases(client, db_session, new_key):
    """Ids of a few filed cases in the county."""
    place = db_session.execute(
        text("SELECT min(code) FROM divisions WHERE level = 5 AND code LIKE '330213007%'")
    ).scalar_one()
    draft = {"division_code": place, "title": "一件事", "body": "正文若干。", "name": "王某", "phone": "13800000001"}
    return [client.post("/api/v1/petitions", json=draft, headers=new_key()).json["id"] for _ in range(5)]


@pytest.mark.slow
@pytest.mark.parametrize("who", ["nobody", "shangtian.office", "fenghua.office"])
def test_made_up_requests_get_the_answers_of_the_contract(app, client, cases, who):
    app.config["PROPAGATE_UNEXPECTED"] = False
    token = {}

    def headers_now():
        # One of the operations signs out: whoever is signed out signs in again before the next operation.
        if who != "nobody" and client.get("/api/v1/auth/me", headers=token).status_code != 200:
            answer = client.post("/api/v1/auth/staff/sign-in", json={"username": who, "password": PASSWORD})
            assert answer.status_code == 200, answer.get_data(as_text=True)
            token["Authorization"] = f"Bearer {answer.json['access_token']}"
        return dict(token)

    found, visited, answered = {}, 0, set()
    for result in schemathesis.openapi.from_wsgi("/openapi.json", app).get_all_operations():
        operation = result.ok()
        visited += 1
        if failure := failure_of(operation, headers_now(), cases, answered):
            found[operation.label] = failure
    report = "\n\n".join(f"{label}: {failure}" for label, failure in found.items())
    print(f"SCHEMATHESIS_SEED={SEED} {visited} operations, statuses {sorted(answered)}")  # noqa: T201
    assert visited > 70, "the whole contract is visited"
    assert {401, 422} <= answered if who == "nobody" else {200, 403, 409, 422} <= answered
    assert found == {}, f"SCHEMATHESIS_SEED={SEED}\n{report}"
