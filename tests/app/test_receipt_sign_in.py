"""A receipt number and its PIN open one case."""

from typing import Any
from uuid import uuid4

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy.orm import Session

from app import auth, clock
from app.auth import signed_in, visitor
from app.errors import Unauthorised
from app.petitions.receipts import pin_mac, serial_for
from tests.app.signing_in import (
    AUTH,
    bearer,
    settings_of_transaction,
    slug,
)

pytestmark = pytest.mark.usefixtures("province")


@pytest.fixture
def receipt(app: Flask, db_session: Session) -> dict[str, Any]:
    """A petition as far as a receipt needs one: its number, PIN and id."""
    serial, pin, petition_id = new_serial_in(app), "12345678", uuid4()
    with app.app_context():
        mac = pin_mac(serial, pin)
    from app.petitions.models import Petition

    petition = Petition(
        id=petition_id, serial=serial, pin_mac=mac, filed_at=clock.now(), filed_on=clock.today(),
        division_code="330213007213", title="t", body="b", category="other", channel="web", item_type="appeal",
        state="filed", level=4, last_visible_at=clock.now(),
    )  # fmt: skip
    db_session.add(petition)
    db_session.commit()
    return {"serial": serial, "pin": pin, "id": petition_id}


def new_serial_in(app: Flask) -> str:
    with app.app_context():
        return serial_for(uuid4().hex)


def receipt_sign_in(client: FlaskClient, serial: str, pin: str) -> Any:
    return client.post(f"{AUTH}/receipt/sign-in", json={"serial": serial, "pin": pin})


def test_a_receipt_opens_its_one_case(app: Flask, client: FlaskClient, receipt: dict[str, Any]) -> None:
    tokens = receipt_sign_in(client, f" {receipt['serial'].lower()} ", receipt["pin"]).json
    assert (tokens["kind"], tokens["petition_id"]) == ("receipt", str(receipt["id"]))
    assert client.get(f"{AUTH}/me", headers=bearer(tokens)).json["petition_id"] == str(receipt["id"])
    with app.test_request_context(headers=bearer(tokens)), signed_in("petitioner") as who:
        assert (who.petition_id, who.actor.person_id) == (receipt["id"], None)
        settings = settings_of_transaction()
    assert (settings["reach"], settings["petition"]) == ("receipt", str(receipt["id"]))


def test_a_wrong_pin_and_an_unknown_number_get_the_same_answer_and_are_counted(
    app: Flask, client: FlaskClient, receipt: dict[str, Any]
) -> None:
    unknown = receipt_sign_in(client, new_serial_in(app), receipt["pin"])
    wrong = [receipt_sign_in(client, receipt["serial"], "00000000") for _ in range(5)]
    assert {(a.status_code, slug(a)) for a in (unknown, *wrong)} == {(401, "wrong-receipt")}
    assert receipt_sign_in(client, receipt["serial"], receipt["pin"]).status_code == 429
    assert receipt_sign_in(client, receipt["serial"].lower(), receipt["pin"]).status_code == 429


def test_the_cookie_counts_on_the_pages_only(app: Flask, client: FlaskClient, receipt: dict[str, Any]) -> None:
    from app.signin import service

    with app.app_context():
        with visitor():
            tokens = service.sign_in_by_receipt(receipt["serial"], receipt["pin"])
        cookie = {"Cookie": f"{auth.PAGE_COOKIE}={service.page_token(tokens)}"}
    with app.test_request_context("/p/case", headers=cookie), signed_in("receipt") as who:
        assert who.petition_id == receipt["id"]
    with app.test_request_context("/api/v1/auth/me", headers=cookie), pytest.raises(Unauthorised), signed_in():
        pass
