"""Places, bodies, people and leaving: look-ups, their routes, and the hand-over."""

from datetime import timedelta
from uuid import uuid4

import pytest
from sqlalchemy import select

from app import clock
from app.database import SYSTEM, transaction
from app.directory import service
from app.directory.bodies import HELD_AT, KIND_LABELS, OrgKind, may_hold
from app.directory.divisions import DivisionRow, import_divisions
from app.directory.models import Appointment, Kinship, Organisation, Person, Post, StaffAccount
from app.errors import Invalid, Unknown
from app.petitions.models import DeadlineRow, Petition, PetitionEventRow
from workflows.actor import Role

STREET, VILLAGE = "330213007000", "330213007213"
LONGGANG = [
    DivisionRow("330300000000", "温州市", 2),
    DivisionRow("330383000000", "龙港市", 3),
    DivisionRow("330383198000", "龙港县直辖村级区划", 4),
    DivisionRow("330383198201", "某村委会", 5),
]


@pytest.fixture
def inside(app, province):
    """An application context with an open transaction that may look things up."""
    with app.app_context(), transaction(SYSTEM):
        yield


def account(session, username):
    return session.scalars(select(StaffAccount).where(StaffAccount.username == username)).one()


def organisation(session, name):
    return session.scalars(select(Organisation).where(Organisation.name == name)).one()


@pytest.fixture
def case(db_session, province):
    """Makes an open petition that the named account handles for its body."""

    def make(username, **more):
        handler = account(db_session, username)
        org_id = db_session.scalars(select(Appointment.org_id).where(Appointment.account_id == handler.id)).first()
        petition = Petition(
            id=uuid4(),
            serial=uuid4().hex[:12].upper(),
            pin_mac="-",
            filed_at=clock.now(),
            filed_on=clock.today(),
            division_code=VILLAGE,
            title="土地租金",
            body="租金多年未付",
            category="land",
            channel="web",
            item_type="appeal",
            last_visible_at=clock.now(),
            main_org_id=org_id,
            main_handler_id=handler.id,
            **{"state": "handling", **more},
        )
        db_session.add(petition)
        db_session.commit()
        return petition

    return make


def test_children_of_a_county_are_its_townships_in_code_order(inside):
    found = service.children("330213")
    assert [row.code for row in found] == sorted(row.code for row in found)
    assert {row.level for row in found} == {4}
    assert "尚田街道" in {row.name for row in found}
    assert [row.name for row in service.children(None)] == ["浙江省"]


def test_a_county_without_townships_offers_its_villages_at_once(db_session, app, province):
    import_divisions(db_session, LONGGANG, "test")
    db_session.commit()
    with app.app_context(), transaction(SYSTEM):
        assert [row.code for row in service.children("330383000000")] == ["330383198201"]


def test_a_withdrawn_division_is_no_longer_offered_but_still_found(db_session, app, province):
    db_session.get(service.Division, VILLAGE).withdrawn_on = clock.today()
    db_session.commit()
    with app.app_context(), transaction(SYSTEM):
        assert VILLAGE not in [row.code for row in service.children(STREET)]
        assert service.find_division(VILLAGE).name == "尚一村委会"
        with pytest.raises(Invalid) as refused:
            service.open_division(VILLAGE)
    assert refused.value.more["errors"] == {"division_code": ["division-withdrawn"]}


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("330213", "code-not-12-digits"),
        ("33021300700x", "code-not-digits"),
        ("330213007599", "division-unknown"),
        ("990213007201", "code-unknown-province"),
    ],
)
def test_an_impossible_or_unknown_division_names_field_and_reason(inside, code, reason):
    with pytest.raises(Invalid) as refused:
        service.open_division(code, "place")
    assert refused.value.more["errors"] == {"place": [reason]}


def test_each_level_of_a_village_has_its_body_in_charge(inside):
    names = {level: service.body_for(VILLAGE, level).name for level in (4, 3, 2, 1)}
    assert names == {4: "尚田街道办事处", 3: "奉化区信访局", 2: "宁波市信访局", 1: "浙江省信访局"}
    assert service.body_for(VILLAGE, 3, ["discipline"]).name == "奉化区纪委监委"
    assert service.body_for("330213000000", 4) is None


def test_the_kind_named_first_wins(inside):
    assert service.body_for(STREET, 4, ["discipline", "office"]).kind == "discipline"
    assert service.body_for(STREET, 4, ["office", "discipline"]).kind == "office"


def test_a_case_without_a_body_at_its_level_goes_up_and_never_to_nobody(inside):
    assert service.owner_above("330213001001", 4).name == "奉化区信访局"
    assert service.owner_above(VILLAGE, 0) is None


def test_a_closed_body_is_in_charge_of_nothing(db_session, app, province):
    organisation(db_session, "尚田街道办事处").active = False
    db_session.commit()
    with app.app_context(), transaction(SYSTEM):
        assert service.owner_above(VILLAGE, 4, service.INTAKE_KINDS).name == "奉化区信访局"


def test_organisations_of_an_area_are_those_below_it(inside):
    found = service.list_organisations("330213007", None)
    assert {row.division_code for row in found} == {STREET, VILLAGE}
    assert {row.name for row in service.list_organisations("3302", "petition_office")} == {
        "宁波市信访局",
        "奉化区信访局",
    }
    with pytest.raises(Invalid):
        service.list_organisations("99")


def test_names_of_bodies_and_staff_come_in_one_query_each(db_session, app, province):
    office, clerk = organisation(db_session, "奉化区信访局"), account(db_session, "fenghua.office")
    with app.app_context(), transaction(SYSTEM):
        assert service.organisation_names([office.id, None, uuid4()]) == {office.id: "奉化区信访局"}
        assert service.staff_names([clerk.id, None]) == {clerk.id: clerk.name}
        assert service.organisation_names([]) == service.staff_names([None]) == {}


def test_kin_whose_tie_has_ended_do_not_count(db_session, app, province):
    edge = db_session.scalars(select(Kinship).where(Kinship.relation == "sibling")).first()
    edge.valid_to = clock.today() - timedelta(days=1)
    db_session.commit()
    with app.app_context(), transaction(SYSTEM):
        assert edge.relative_id not in service.kin_of([edge.person_id])


def test_a_person_is_found_by_name_where_they_live_or_serve(db_session, app, province):
    with app.app_context(), transaction(SYSTEM):
        (found,) = service.persons_named("毛定国", VILLAGE)
        assert service.persons_named("毛定国", "330502101235") == []
    post = db_session.scalars(select(Post).where(Post.person_id == found.id)).one()
    assert db_session.get(Organisation, post.org_id).name == "尚一村村民委员会"
    assert db_session.get(Person, found.id).division_code == VILLAGE


def test_every_role_of_staff_is_held_somewhere_and_every_kind_has_a_label():
    assert set(HELD_AT) == set(Role) - {Role.PETITIONER, Role.SYSTEM}
    assert set(KIND_LABELS) == set(OrgKind)
    assert may_hold("county_discipline", "discipline", 3)
    assert not may_hold("county_discipline", "discipline", 2)
    assert not may_hold("system", "operations", 1)


# Routes


def test_anybody_may_walk_down_the_divisions(client, province):
    answer = client.get("/api/v1/divisions?parent=330213007")
    assert answer.status_code == 200
    village = next(row for row in answer.json["items"] if row["code"] == VILLAGE)
    assert village == {
        "code": VILLAGE,
        "name": "尚一村委会",
        "level": 5,
        "parent_code": STREET,
        "path": "浙江省/宁波市/奉化区/尚田街道/尚一村委会",
        "withdrawn_on": None,
    }
    assert client.get(f"/api/v1/divisions/{VILLAGE}").json == village


def test_a_name_is_searched_below_a_place(client, province):
    inside = client.get("/api/v1/divisions", query_string={"parent": "3302", "q": "尚一"}).json["items"]
    assert [row["code"] for row in inside] == [VILLAGE]
    assert client.get("/api/v1/divisions", query_string={"parent": "330502", "q": "尚一"}).json["items"] == []
    assert client.get("/api/v1/divisions", query_string={"q": "100%"}).json["items"] == []


@pytest.mark.parametrize(
    ("query", "status", "named"),
    [
        ({"parent": "330213999"}, 404, None),
        ({"parent": "33021"}, 422, "parent"),
        ({"parent": "99", "q": "村委"}, 422, "parent"),
        ({"q": "村"}, 422, "q"),
        ({"q": "村" * 51}, 422, "q"),
        ({"q": "村\0委"}, 422, "q"),
    ],
)
def test_a_bad_place_query_gets_its_exact_problem(client, province, query, status, named):
    answer = client.get("/api/v1/divisions", query_string=query)
    assert answer.status_code == status
    assert answer.mimetype == "application/problem+json"
    if named:
        assert list(answer.json["errors"]) == [named]


@pytest.mark.parametrize("code", ["330213007999", "33", "x", "330213007213%00"])
def test_an_unknown_code_is_not_found(client, province, code):
    assert client.get(f"/api/v1/divisions/{code}").status_code == 404


def test_bodies_are_listed_for_staff_page_by_page(client, as_staff, province):
    assert client.get("/api/v1/organisations").status_code == 401
    headers = as_staff("fenghua.office")
    whole = client.get("/api/v1/organisations?division=3302&limit=200", headers=headers).json
    assert whole["next_cursor"] is None
    seen, cursor = [], ""
    while cursor is not None:
        page = client.get(f"/api/v1/organisations?division=3302&limit=4{cursor}", headers=headers).json
        assert len(page["items"]) <= 4
        seen += page["items"]
        cursor = page["next_cursor"] and f"&cursor={page['next_cursor']}"
    assert seen == whole["items"]
    offices = client.get("/api/v1/organisations?division=330213&kind=petition_office", headers=headers).json["items"]
    assert [(row["name"], row["kind_label"]) for row in offices] == [("奉化区信访局", "信访部门")]


def test_only_the_system_administrator_sees_accounts(client, as_staff, db_session, province):
    office = organisation(db_session, "奉化区信访局")
    url = f"/api/v1/staff?organisation_id={office.id}"
    assert client.get(url, headers=as_staff("fenghua.head")).status_code == 403
    found = client.get(url, headers=as_staff("admin")).json["items"]
    assert [row["username"] for row in found] == ["fenghua.head", "fenghua.office"]
    assert found[0]["appointments"][0]["head"] is True
    assert "password_hash" not in found[0]


# Leaving


def hand_over(client, db_session, headers, leaver, successor):
    return client.post(
        f"/api/v1/staff/{account(db_session, leaver).id}/actions/hand-over",
        json={"successor_id": str(account(db_session, successor).id)},
        headers=headers,
    )


def test_who_leaves_hands_over_open_cases_and_is_shut_out_at_once(client, as_staff, db_session, case):
    open_case, closed = case("fenghua.agri"), case("fenghua.agri", state="rated")
    leaver, successor = account(db_session, "fenghua.agri"), account(db_session, "fenghua.agri.head")
    token = as_staff("fenghua.agri")
    assert client.get("/api/v1/organisations", headers=token).status_code == 200

    answer = hand_over(client, db_session, as_staff("admin"), "fenghua.agri", "fenghua.agri.head")

    assert answer.status_code == 200
    assert (answer.json["petitions_moved"], answer.json["appointments_ended"]) == (1, 1)
    assert client.get("/api/v1/organisations", headers=token).status_code == 401
    db_session.expire_all()
    assert (open_case.main_handler_id, open_case.state, open_case.version) == (successor.id, "handling", 2)
    assert closed.main_handler_id == leaver.id
    assert leaver.left_on == clock.today()
    event = db_session.scalars(select(PetitionEventRow).where(PetitionEventRow.petition_id == open_case.id)).one()
    assert (event.event, event.from_state, event.to_state, event.public) == ("hand_over", "handling", "handling", False)
    assert event.actor_role == "system_admin"
    assert db_session.scalars(select(DeadlineRow)).all() == []


def test_a_second_hand_over_of_the_same_person_is_refused(client, as_staff, db_session, province):
    admin = as_staff("admin")
    assert hand_over(client, db_session, admin, "fenghua.agri", "fenghua.agri.head").status_code == 200
    again = hand_over(client, db_session, admin, "fenghua.agri", "fenghua.agri.head")
    assert (again.status_code, again.json["type"]) == (409, "/problems/already-left")
    back = hand_over(client, db_session, admin, "fenghua.agri.head", "fenghua.agri")
    assert (back.status_code, back.json["errors"]) == (422, {"successor_id": ["account-has-left"]})


def test_a_successor_at_another_body_gets_no_case_and_nothing_changes(client, as_staff, db_session, case):
    petition = case("fenghua.agri")
    answer = hand_over(client, db_session, as_staff("admin"), "fenghua.agri", "fenghua.land")
    assert (answer.status_code, answer.json["type"]) == (409, "/problems/successor-elsewhere")
    db_session.expire_all()
    assert petition.main_handler_id == account(db_session, "fenghua.agri").id
    assert account(db_session, "fenghua.agri").left_on is None


def test_who_handled_the_first_round_never_inherits_the_second(client, as_staff, db_session, case):
    head = account(db_session, "fenghua.agri.head")
    case("fenghua.agri", past_handler_ids=[head.id], round=2)
    answer = hand_over(client, db_session, as_staff("admin"), "fenghua.agri", "fenghua.agri.head")
    assert (answer.status_code, answer.json["type"]) == (409, "/problems/successor-handled-before")


def test_the_last_administrator_can_not_leave(client, as_staff, db_session, province):
    admin = as_staff("admin")
    assert hand_over(client, db_session, admin, "admin2", "admin").status_code == 200
    answer = hand_over(client, db_session, admin, "admin", "security")
    assert (answer.status_code, answer.json["type"]) == (409, "/problems/last-administrator")


def test_only_an_administrator_orders_a_hand_over(client, as_staff, db_session, province):
    for username in ("fenghua.head", "security", "auditor"):
        assert hand_over(client, db_session, as_staff(username), "fenghua.agri", "fenghua.agri.head").status_code == 403
    assert hand_over(client, db_session, {}, "fenghua.agri", "fenghua.agri.head").status_code == 401


def test_a_hand_over_to_oneself_or_to_nobody_names_the_field(client, as_staff, db_session, province):
    admin = as_staff("admin")
    same = hand_over(client, db_session, admin, "fenghua.agri", "fenghua.agri")
    assert (same.status_code, same.json["errors"]) == (422, {"successor_id": ["same-person"]})
    url = f"/api/v1/staff/{account(db_session, 'fenghua.agri').id}/actions/hand-over"
    nobody = client.post(url, json={"successor_id": str(uuid4())}, headers=admin)
    assert (nobody.status_code, nobody.json["errors"]) == (422, {"successor_id": ["account-unknown"]})
    unknown = client.post(
        f"/api/v1/staff/{uuid4()}/actions/hand-over",
        json={"successor_id": str(account(db_session, "fenghua.agri").id)},
        headers=admin,
    )
    assert unknown.status_code == 404


def test_an_unknown_organisation_is_unknown(inside):
    with pytest.raises(Unknown):
        service.find_organisation(uuid4())
