"""Who must withdraw does not see, handle or hear of the case, from the moment that it is known; and the case moves on."""

from datetime import timedelta

import pytest
from sqlalchemy import select, text

from app import clock
from app.directory.involvement import involved
from app.directory.models import Appointment, Kinship, Organisation, Person, Post, StaffAccount
from app.directory.service import organisation_names
from app.messages.service import Channels, deliver_due
from app.petitions.models import PetitionEventRow
from app.recusal.models import DirectoryChange, ExclusionRow
from app.recusal.sweeps import sweep_recusals
from app.supervision.sweeps import sweep_due
from tests.app.cases import VILLAGE, Cases
from tests.app.test_petition_story import Case, draft, org

MAO = [{"name": "毛定国", "post": "村支书"}]


@pytest.fixture
def world(app, worker_app, db_session, client, as_staff, new_key):
    return World(app, worker_app, db_session, client, as_staff, new_key)


class World(Cases):
    """Everybody at once: villagers and staff over HTTP, the worker, and the owner who keeps the directory."""

    def __init__(self, app, worker_app, session, client, as_staff, new_key):
        super().__init__(app, worker_app, session)
        self.client, self.as_staff, self.new_key = client, as_staff, new_key

    def send(self, **more):
        filed = self.client.post("/api/v1/petitions", json=draft(VILLAGE, **more), headers=self.new_key())
        assert filed.status_code == 201, filed.get_data(as_text=True)
        return Case(self.client, filed.json["id"])

    def sweep(self):
        with self.worker_app.app_context():
            report = sweep_recusals()
        assert report.failed == 0
        return report

    def account(self, username):
        self.session.rollback()
        return self.session.scalars(select(StaffAccount).where(StaffAccount.username == username)).one()

    def body(self, name):
        return self.session.scalars(select(Organisation).where(Organisation.name == name)).one()

    def marry(self, username, name="毛定国", relation="spouse", **span):
        """Enter a staff account among the persons, as kin of somebody there."""
        account = self.account(username)
        other = self.session.scalars(select(Person).where(Person.name == name)).one()
        person = Person(name=account.name, division_code=VILLAGE)
        self.session.add(person)
        self.session.flush()
        account.person_id = person.id
        begin = span.get("valid_from", clock.today())
        edge = Kinship(person_id=other.id, relative_id=person.id, relation=relation, valid_from=begin, valid_to=span.get("valid_to"))
        self.session.add(edge)
        self.session.commit()

    def to(self, case, state):
        """Bring a fresh case to a state, at the discipline committee of the township."""
        office, body = self.as_staff("shangtian.head"), self.as_staff("shangtian.discipline")
        steps = [
            ("registered", office, "register", {}), ("accepted", office, "accept", {}),
            ("dispatched", office, "dispatch", {"main_org_id": org(self.session, "shangtian.discipline")}),
            ("signed", body, "sign", {}), ("handling", body, "start", {"note": "已联系"}),
        ]  # fmt: skip
        for reached, who, event, facts in steps:
            case.act(who, event, **facts)
            if reached == state:
                return

    def deliver(self):
        with self.worker_app.app_context():
            deliver_due(channels=Channels(phone=None, mail=None))

    def inbox(self, username):
        return self.client.get("/api/v1/inbox", headers=self.as_staff(username)).json["items"]


# --- at filing ---------------------------------------------------------------------------------------------------


def test_an_employee_who_is_kin_of_the_person_named_sees_nothing_and_the_body_keeps_the_case(world):
    case, brother = world.send(accused=MAO), world.as_staff("shangtian.office")
    case.see(brother, expect=404)
    assert world.client.get("/api/v1/petitions", headers=brother).json["items"] == []
    assert world.client.get("/api/v1/petitions/search?q=租金", headers=brother).json["items"] == []
    view = case.see(world.as_staff("shangtian.head"))
    assert (view["level"], view["owner"]) == (4, "尚田街道办事处")


def test_a_body_that_kin_lead_is_passed_over_and_may_not_be_given_the_case(world):
    world.marry("shangtian.head")
    case = world.send(accused=MAO)
    for username in ("shangtian.head", "shangtian.office"):
        case.see(world.as_staff(username), expect=404)
    county = world.as_staff("fenghua.office")
    view = case.see(county)
    assert (view["level"], view["owner"]) == (3, "奉化区信访局")
    case.act(county, "register")
    case.act(county, "accept")
    case.act(county, "dispatch", expect=403, main_org_id=org(world.session, "shangtian.office"))


def test_staff_who_are_named_are_excluded_by_the_name_of_their_account(world):
    case = world.send(accused=[{"name": "孙亚萍", "post": "主任"}])  # shangtian.head, without an entry among the persons
    row = world.row(case.id)
    assert world.account("shangtian.head").id in row.excluded_account_ids
    assert world.body("尚田街道办事处").id in row.excluded_org_ids
    assert world.body("尚一村村民委员会").id in row.excluded_org_ids, "it takes orders from the body of the head named"
    assert world.body("奉化区信访局").id not in row.excluded_org_ids
    assert row.level == 3


def test_a_body_that_is_named_is_excluded_with_what_is_below_it(world):
    county = str(world.body("奉化区纪委监委").id)
    row = world.row(world.send(accused_org_ids=[county, "00000000-0000-4000-8000-000000000000"]).id)
    names = {world.session.get(Organisation, one).name for one in row.excluded_org_ids}
    assert names == {"奉化区纪委监委", "奉化区纪委监委派驻第三纪检监察组", "尚田街道纪工委", "萧王庙街道纪工委"}


def test_a_reporter_may_keep_people_from_the_case_and_an_unmatched_name_stays_on_record(world):
    case = world.send(keep_from=[{"name": "董立军"}, {"name": "无此人", "post": "某局"}])
    case.see(world.as_staff("shangtian.head"))
    row = world.row(case.id)
    assert (row.excluded_account_ids, row.excluded_org_ids) == ([world.account("shangtian.discipline").id], [])
    assert row.keep_from == [{"name": "董立军", "post": ""}, {"name": "无此人", "post": "某局"}]
    case.see(world.as_staff("shangtian.discipline"), expect=404)
    case.see(world.as_staff("shangtian.discipline.head"))


def test_a_reporter_may_keep_a_body_from_the_case_by_its_name_and_the_next_one_answers_for_it(world):
    case = world.send(keep_from=[{"name": "尚田街道办事处"}, {"name": "吴兴区信访局"}])
    row = world.row(case.id)
    assert row.excluded_org_ids == [world.body("尚田街道办事处").id], "a body of another county has nothing to do with it"
    assert (row.level, row.owner_org_id) == (3, world.body("奉化区信访局").id)
    for username in ("shangtian.head", "shangtian.office"):
        case.see(world.as_staff(username), expect=404)


def test_when_every_office_up_to_the_province_must_withdraw_the_case_ends_with_the_authority_above(world):
    bodies = [str(world.body(name).id) for name in ("尚田街道办事处", "浙江省信访局", "浙江省纪委监委")]
    case = world.send(accused_org_ids=bodies)
    row = world.row(case.id)
    assert (row.owner_org_id, row.level) == (None, 1)
    world.sweep()
    assert world.row(case.id).state == "filed"
    world.travel(timedelta(days=5))
    with world.worker_app.app_context():
        sweep_due()
    world.sweep()
    assert (world.row(case.id).state, world.row(case.id).level) == ("external", 0)


def test_a_namesake_in_another_county_excludes_nobody(world):
    assert world.row(world.send(accused=[{"name": "沈国良"}]).id).excluded_account_ids == []


def test_who_bears_a_name_is_read_with_kin_posts_and_bodies_in_one_statement(world, app):
    with app.app_context():
        found = involved(["毛定国"], [], VILLAGE)
        names = organisation_names(found.directory.parents)
    assert [one.name for one in found.named] == ["毛定国"]
    assert set(names.values()) == {"尚一村村民委员会", "尚田街道办事处"}
    assert [(one.level, len(one.crew)) for one in found.chain] == [(4, 2), (3, 2), (2, 2), (1, 2), (1, 2)]


# --- when the directory changes ----------------------------------------------------------------------------------


def test_a_marriage_entered_later_hides_the_case_and_clears_the_handler(world):
    case = world.send(accused=MAO)
    world.to(case, "handling")
    handler = world.as_staff("shangtian.discipline")
    world.marry("shangtian.discipline")
    assert world.sweep().done == 1
    case.see(handler, expect=404)
    row = world.row(case.id)
    assert (row.state, row.main_handler_id) == ("handling", None)
    assert row.main_org_id == world.body("尚田街道纪工委").id, "the body keeps the case"
    case.act(world.as_staff("shangtian.discipline.head"), "submit-reply", findings="属实", legal_basis="民法典", outcome="supported")
    world.sweep()  # the new exclusion is itself something to look at
    assert world.sweep().seen == 0, "what was looked at is done"


def test_a_marriage_of_the_head_takes_a_case_that_had_begun_one_level_up(world):
    case = world.send(accused=MAO)
    world.to(case, "handling")
    due = world.row(case.id).due_at
    world.marry("shangtian.discipline.head")
    world.sweep()
    row = world.row(case.id)
    assert (row.state, row.level, row.main_org_id) == ("escalated", 3, None)
    assert row.owner_org_id == world.body("奉化区信访局").id
    conclusion = world.session.execute(
        text("SELECT due_at, live FROM deadlines WHERE petition_id = :id AND policy_id IN ('PT-05', 'PT-12')"), {"id": case.id}
    ).all()
    assert min(one.due_at for one in conclusion) == due, "the clock of the law runs on, and the local one beside it"
    assert [one.live for one in conclusion] == [True, True]
    world.as_staff("fenghua.office")
    case.act(world.as_staff("fenghua.office"), "rehandle", main_org_id=org(world.session, "fenghua.agri"))


def test_before_it_began_the_case_goes_back_to_the_office_for_another_dispatch(world):
    case = world.send(accused=MAO)
    world.to(case, "signed")
    world.marry("shangtian.discipline.head")
    world.sweep()
    row = world.row(case.id)
    assert (row.state, row.level, row.main_org_id, row.recusals) == ("accepted", 4, None, 1)
    case.act(world.as_staff("shangtian.head"), "dispatch", expect=403, main_org_id=org(world.session, "shangtian.discipline"))


def test_an_office_in_charge_that_must_withdraw_gives_the_case_up_and_the_handling_body_keeps_it(world):
    case = world.send(accused=MAO)
    world.to(case, "handling")
    world.marry("shangtian.head")
    world.sweep()
    row = world.row(case.id)
    assert (row.state, row.level) == ("handling", 3)
    assert row.owner_org_id == world.body("奉化区信访局").id
    assert row.main_org_id == world.body("尚田街道纪工委").id


def test_what_comes_into_force_later_takes_effect_on_its_day(world):
    case = world.send(accused=MAO)
    world.marry("shangtian.head", valid_from=clock.today() + timedelta(days=1))
    world.sweep()
    case.see(world.as_staff("shangtian.head"))
    world.travel(timedelta(days=1))
    world.sweep()
    case.see(world.as_staff("shangtian.head"), expect=404)


def test_an_exclusion_is_not_taken_back_when_its_ground_falls_away(world):
    case = world.send(accused=MAO)
    for edge in world.session.scalars(select(Kinship)):
        edge.valid_to = clock.today() - timedelta(days=1)
    world.session.commit()
    world.sweep()
    case.see(world.as_staff("shangtian.office"), expect=404)


@pytest.mark.parametrize("kind", ["post", "appointment", "tree"])
def test_a_new_post_an_appointment_and_a_new_place_in_the_tree_exclude_as_well(world, kind):
    case = world.send(accused=MAO)
    case.see(world.as_staff("fenghua.agri"), expect=404)
    agri, begin = world.body("奉化区农业农村局"), clock.today()
    if kind == "post":
        mao = world.session.scalars(select(Person).where(Person.name == "毛定国")).one()
        world.session.add(Post(person_id=mao.id, org_id=agri.id, title="工作人员", valid_from=begin))
    elif kind == "appointment":
        brother = world.account("shangtian.office").id
        world.session.add(Appointment(account_id=brother, role="department_handler", org_id=agri.id, head=True, valid_from=begin))
    else:
        agri.parent_id = world.body("尚一村村民委员会").id
    world.session.commit()
    world.sweep()
    assert agri.id in world.row(case.id).excluded_org_ids


def test_a_change_that_concerns_no_case_touches_none(world):
    world.send(accused=MAO)
    world.sweep()
    wu = Person(name="某甲", division_code=VILLAGE)
    world.session.add(wu)
    world.session.commit()
    assert world.session.scalar(select(DirectoryChange.person_id)) == wu.id
    world.session.rollback()
    assert world.sweep().seen == 0
    assert world.session.scalars(select(DirectoryChange)).all() == []


def test_a_dispatch_sees_the_directory_as_it_is_and_not_as_it_was_at_filing(world):
    case = world.send(accused=MAO)
    world.to(case, "accepted")
    world.marry("shangtian.discipline.head")
    case.act(world.as_staff("shangtian.head"), "dispatch", expect=403, main_org_id=org(world.session, "shangtian.discipline"))
    world.marry("shangtian.head", name="竺亚君")  # nobody named
    case.act(world.as_staff("shangtian.head"), "dispatch", main_org_id=org(world.session, "xiaowangmiao.discipline"))


def test_whoever_has_become_kin_since_can_not_dispatch_it_and_learns_nothing(world):
    case = world.send(accused=MAO)
    world.to(case, "accepted")
    world.marry("shangtian.head")
    case.act(world.as_staff("shangtian.head"), "dispatch", expect=404, main_org_id=org(world.session, "shangtian.discipline"))


def test_a_co_handler_that_must_withdraw_is_awaited_no_longer(world):
    case = world.send(accused=MAO)
    head, main = world.as_staff("shangtian.head"), org(world.session, "shangtian.discipline")
    case.act(head, "register")
    case.act(head, "accept")
    case.act(head, "dispatch", main_org_id=main, co_org_ids=[org(world.session, "fenghua.agri")])
    body = world.as_staff("shangtian.discipline")
    case.act(body, "sign")
    case.act(body, "start", note="已联系")
    world.marry("fenghua.agri.head")
    world.sweep()
    row = world.row(case.id)
    assert (row.state, row.co_org_ids, row.co_waiting_org_ids) == ("handling", [], [])
    live = "SELECT count(*) FROM deadlines WHERE petition_id = :id AND policy_id = 'PT-18' AND live"
    assert world.session.execute(text(live), {"id": case.id}).scalar_one() == 0
    case.see(world.as_staff("fenghua.agri"), expect=404)


def test_an_escalation_passes_over_an_office_that_has_just_become_excluded(world):
    case = world.send(accused=MAO)
    world.marry("fenghua.head")
    world.travel(timedelta(days=40))
    with world.worker_app.app_context():
        sweep_due()
        sweep_due()
    row = world.row(case.id)
    assert (row.state, row.level) == ("escalated", 2)
    assert row.owner_org_id == world.body("宁波市信访局").id


# --- self-declared -----------------------------------------------------------------------------------------------


def test_staff_recuse_themselves_in_two_calls_and_lose_sight_at_once(world):
    case, headers = world.send(), world.as_staff("shangtian.discipline")
    world.to(case, "handling")
    case.see(headers)
    answer = world.client.post(f"/api/v1/petitions/{case.id}/recusal", json={"reason_code": "own_interest"}, headers=headers)
    assert (answer.status_code, answer.data) == (204, b"")
    case.see(headers, expect=404)
    assert world.client.post(f"/api/v1/petitions/{case.id}/recusal", json={"reason_code": "other"}, headers=headers).status_code == 404
    assert world.row(case.id).main_handler_id is None
    world.sweep()
    assert world.row(case.id).state == "handling", "somebody else of the body is left"


def test_when_the_last_one_of_the_body_withdraws_the_case_moves_on(world):
    case = world.send()
    world.to(case, "handling")
    for username in ("shangtian.discipline", "shangtian.discipline.head"):
        url = f"/api/v1/petitions/{case.id}/recusal"
        assert world.client.post(url, json={"reason_code": "other", "note": "邻居"}, headers=world.as_staff(username)).status_code == 204
    world.sweep()
    row = world.row(case.id)
    assert (row.state, row.level, row.main_org_id) == ("escalated", 3, None)
    assert world.events(case.id)[-3:] == ["recuse", "recuse", "recuse_body"]


def test_the_office_in_charge_may_know_why_and_nobody_else(world):
    case = world.send(accused=MAO)
    world.to(case, "handling")
    url = f"/api/v1/petitions/{case.id}/exclusions"
    found = world.client.get(url, headers=world.as_staff("shangtian.head")).json["items"]
    assert [(one["kind"], one["name"], one["reason"], one["rests_on"], one["kin_scope"]) for one in found] == [
        ("body", "尚一村村民委员会", "body_of_named", "毛定国", None),
        ("person", "毛定邦", "kin", "毛定国", "collateral"),
    ]
    assert world.client.get(url, headers=world.as_staff("shangtian.discipline")).json["items"] == []
    assert world.client.get(url, headers=world.as_staff("shangtian.office")).status_code == 404


def test_the_timeline_names_nobody_who_had_to_withdraw(world):
    case = world.send(accused=MAO)
    world.to(case, "handling")
    world.marry("shangtian.discipline.head")
    world.sweep()
    rows = world.session.scalars(select(PetitionEventRow).where(PetitionEventRow.petition_id == case.id)).all()
    told = {row.event: (row.public, row.facts, row.actor_kind) for row in rows if row.event.startswith("recuse")}
    assert told == {
        "recuse": (False, {"added": 2}, "system"),
        "recuse_body": (True, {"main_excluded": True, "office_excluded": False}, "system"),
    }


# --- messages and hand-over --------------------------------------------------------------------------------------


def test_nobody_who_must_withdraw_is_sent_a_message_and_what_was_sent_before_vanishes(world):
    case = world.send(accused=MAO)
    world.deliver()
    assert world.inbox("shangtian.office") == []
    assert len(world.inbox("shangtian.head")) == 1
    world.marry("shangtian.head")
    world.sweep()
    assert world.inbox("shangtian.head") == []
    world.deliver()
    case.act(world.as_staff("fenghua.office"), "register")
    world.deliver()
    assert world.inbox("shangtian.head") == world.inbox("shangtian.office") == []


def test_a_hand_over_gives_no_case_to_whoever_must_withdraw_from_it(world):
    case = world.send(keep_from=[{"name": "竺旭东"}])  # shangtian.discipline.head
    world.to(case, "handling")
    leaver, successor = world.account("shangtian.discipline"), world.account("shangtian.discipline.head")
    url = f"/api/v1/staff/{leaver.id}/actions/hand-over"
    done = world.client.post(url, json={"successor_id": str(successor.id)}, headers=world.as_staff("admin"))
    assert done.status_code == 200, done.get_data(as_text=True)
    assert done.json["petitions_moved"] == 1
    assert world.row(case.id).main_handler_id is None


def test_a_link_between_two_cases_shows_only_to_whoever_may_see_both(world, db_session):
    parent, child = world.send(), world.send()
    head = world.as_staff("shangtian.head")
    for case in (parent, child):
        case.act(head, "register")
    child.act(head, "merge", parent_id=parent.id)

    def link():
        (merged,) = [one for one in child.see(head)["timeline"] if one["event"] == "merge"]
        return merged["facts"].get("parent_id")

    assert link() == parent.id
    # Only the leading case hides, as when it came from elsewhere.
    mine = db_session.scalar(text("SELECT owner_org_id FROM petitions WHERE id = :id"), {"id": child.id})
    db_session.execute(text("UPDATE petitions SET excluded_org_ids = :org WHERE id = :id"), {"org": [mine], "id": parent.id})
    db_session.commit()
    assert link() is None


def test_a_merged_case_hides_from_whom_its_leading_case_hides_now_and_later(world):
    parent, child = world.send(accused=MAO), world.send()
    head = world.as_staff("shangtian.head")
    for case in (parent, child):
        case.act(head, "register")
    child.see(world.as_staff("shangtian.office"))
    view = child.act(head, "merge", parent_id=parent.id)
    assert view["timeline"][-1]["facts"]["parent_id"] == parent.id
    child.see(world.as_staff("shangtian.office"), expect=404)
    world.marry("shangtian.discipline")
    child.see(world.as_staff("shangtian.discipline"))
    world.sweep()
    child.see(world.as_staff("shangtian.discipline"), expect=404)


def test_a_filing_that_names_people_costs_no_more_statements(world, app):
    from app import count_statements
    from tests.app.test_statement_budgets import BUDGETS

    world.send()
    seen = count_statements(app)
    world.send(accused=MAO, keep_from=[{"name": "董立军"}])
    assert len(seen) <= BUDGETS["filing"], "\n".join(one.strip()[:100] for one in seen)
    case = world.send(accused=MAO)
    world.to(case, "accepted")
    headers, to = world.as_staff("shangtian.head"), org(world.session, "shangtian.discipline")
    seen.clear()
    case.act(headers, "dispatch", main_org_id=to)
    assert len(seen) <= BUDGETS["action"], "\n".join(one.strip()[:100] for one in seen)


def test_exclusions_can_be_neither_changed_nor_taken_back_by_web_or_worker(database, world):
    import psycopg
    from psycopg import errors

    world.send(accused=MAO)
    assert world.session.scalars(select(ExclusionRow)).all()
    for url in (database["DATABASE_URL"], database["WORKER_DATABASE_URL"]):
        with psycopg.connect(url) as connection:
            for statement in ("DELETE FROM exclusions", "UPDATE exclusions SET reason = 'x'"):
                with pytest.raises(errors.InsufficientPrivilege):
                    connection.execute(statement)
                connection.rollback()
