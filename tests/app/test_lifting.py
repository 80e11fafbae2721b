"""The exclusion of a namesake is lifted by two people of two bodies, stays so, and is put back by one."""

from datetime import timedelta
from pathlib import Path

import psycopg
import pytest
from flask_migrate import downgrade, upgrade
from psycopg import errors
from sqlalchemy import select, text

from app import clock
from app.directory.models import Appointment, Kinship, Person
from app.extensions import db
from app.petitions.models import PetitionEventRow
from app.recusal.models import ExclusionRow
from tests.app.cases import VILLAGE
from tests.app.test_petition_story import Case
from tests.app.test_recusal import MAO, World

MIGRATIONS = str(Path(__file__).parents[2] / "migrations")
# The account shangtian.discipline.head; the petition means a carpenter of that name.
NAME = "竺旭东"
REASON = "被反映人是村里的木匠,不是这名同名干部。"
ASKER, SECOND = "fenghua.office", "fenghua.discipline"


@pytest.fixture
def world(app, worker_app, db_session, client, as_staff, new_key):
    return LiftingWorld(app, worker_app, db_session, client, as_staff, new_key)


class LiftingWorld(World):
    """Two bodies of the county, and the namesake in the discipline commission of the township."""

    def exclusions(self, case, username=ASKER):
        found = self.client.get(f"/api/v1/petitions/{case.id}/exclusions", headers=self.as_staff(username))
        assert found.status_code == 200, found.get_data(as_text=True)
        return found.json

    def bearer(self, case, name=NAME):
        return next(one["bearer_id"] for one in self.exclusions(case)["items"] if one["name"] == name)

    def ask(self, case, bearer=None, username=ASKER, expect=201, reason=REASON):
        draft = {"bearer_id": bearer or self.bearer(case), "reason": reason}
        headers = {**self.as_staff(username), **self.new_key()}
        asked = self.client.post(f"/api/v1/petitions/{case.id}/liftings", json=draft, headers=headers)
        assert asked.status_code == expect, asked.get_data(as_text=True)
        return asked.json

    def step(self, lifting, step="confirm", username=SECOND, expect=200):
        done = self.client.post(f"/api/v1/liftings/{lifting['id']}/actions/{step}", headers=self.as_staff(username))
        assert done.status_code == expect, done.get_data(as_text=True)
        return done.json

    def lifted(self, **more):
        case = self.send(accused=[{"name": NAME}], **more)
        lifting = self.ask(case)
        self.step(lifting)
        return case, lifting

    def sees(self, case, username="shangtian.discipline.head"):
        answer = self.client.get(f"/api/v1/petitions/{case.id}", headers=self.as_staff(username))
        assert answer.status_code in (200, 404)
        return answer.status_code == 200


def give(world, case):
    """The case to the namesake's own body, so that only the exclusion keeps it from them."""
    row = world.row(case.id)
    world.session.execute(
        text("UPDATE petitions SET main_org_id = :org WHERE id = :id"), {"org": world.body("尚田街道纪工委").id, "id": row.id}
    )
    world.session.commit()


def test_a_namesake_sees_the_case_after_the_second_confirmation_and_not_before(world):
    case = world.send(accused=[{"name": NAME}])
    give(world, case)
    assert world.body("尚田街道纪工委").id in world.row(case.id).excluded_org_ids
    lifting = world.ask(case)
    assert lifting["status"] == "asked"
    assert not world.sees(case) and not world.sees(case, "shangtian.discipline")
    done = world.step(lifting)
    assert (done["status"], done["asked_by"], done["confirmed_by"]) == ("in_force", "奉化区信访局", "奉化区纪委监委")
    assert world.sees(case) and world.sees(case, "shangtian.discipline")
    row = world.row(case.id)
    assert (row.excluded_account_ids, row.excluded_org_ids) == ([], [])
    assert world.exclusions(case)["items"] == []


def test_a_second_person_of_the_same_body_is_not_enough_and_neither_is_the_same_person(world):
    case = world.send(accused=[{"name": NAME}])
    lifting = world.ask(case)
    for username in (ASKER, "fenghua.head"):
        assert world.step(lifting, username=username, expect=403)["type"] == "/problems/second-body-needed"
    assert not world.sees(case)
    assert world.step(lifting)["status"] == "in_force"
    assert world.step(lifting, expect=409)["type"] == "/problems/lifting-ended"


def test_the_township_may_not_lift_and_whoever_is_excluded_finds_no_case(world):
    case = world.send(accused=[{"name": NAME}])
    bearer, lifting = world.bearer(case), world.ask(case)
    assert world.ask(case, bearer, "shangtian.head", 403)["type"] == "/problems/may-not-lift"
    world.step(lifting, username="shangtian.head", expect=404)
    world.ask(case, bearer, "shangtian.discipline.head", 404)
    world.step(lifting, username="shangtian.discipline.head", expect=404)
    world.ask(case, bearer, "wuxing.office", 404)
    world.step(lifting, username="wuxing.office", expect=404)


def test_one_whom_the_reporter_keeps_away_is_never_lifted(world):
    case = world.send(accused=[{"name": NAME}], keep_from=[{"name": NAME}])
    assert world.ask(case, world.bearer(case), expect=409)["type"] == "/problems/not-a-namesake"
    other = world.send(keep_from=[{"name": NAME}])
    (one,) = world.exclusions(other)["items"]
    assert one["bearer_id"] is None, "nothing offers it"
    world.ask(other, str(world.account("shangtian.discipline.head").id), expect=409)


def test_kin_of_another_who_is_named_stays_excluded(world):
    world.marry("shangtian.discipline.head")
    case = world.send(accused=[*MAO, {"name": NAME}])
    account = world.account("shangtian.discipline.head")
    assert account.id in world.row(case.id).excluded_account_ids
    assert world.ask(case, str(account.person_id), expect=409)["type"] == "/problems/not-a-namesake"


def test_a_lifting_takes_back_nothing_that_follows_from_another(world):
    case = world.send(accused=[*MAO, {"name": NAME}])
    before = world.row(case.id)
    kept = {world.account("shangtian.office").id, world.body("尚一村村民委员会").id}
    assert kept < {*before.excluded_account_ids, *before.excluded_org_ids}
    world.step(world.ask(case))
    after = world.row(case.id)
    assert {*after.excluded_account_ids, *after.excluded_org_ids} == kept


def test_computing_anew_keeps_what_was_lifted(world):
    case, _ = world.lifted()
    give(world, case)
    stray = Person(name="某甲", division_code=VILLAGE)
    world.session.add(stray)
    world.session.execute(text("INSERT INTO directory_changes (petition_id) VALUES (:id)"), {"id": case.id})
    world.session.commit()
    assert world.sweep().done == 1
    assert world.sees(case)
    world.travel(timedelta(days=3))
    world.sweep()
    assert world.row(case.id).excluded_account_ids == []


def test_a_new_reason_excludes_a_lifted_namesake_again(world):
    world.marry("shangtian.discipline.head", name="竺亚君")  # nobody named
    case, _ = world.lifted(keep_from=[{"name": "毛定国"}])
    named = world.send(accused=[*MAO, {"name": NAME}])
    world.step(world.ask(named))
    for each in (case, named):
        give(world, each)
        assert world.sees(each)
    wife = world.session.scalars(select(Person).where(Person.name == NAME)).one()
    mao = world.session.scalars(select(Person).where(Person.name == "毛定国")).one()
    world.session.add(Kinship(person_id=mao.id, relative_id=wife.id, relation="spouse", valid_from=clock.today()))
    world.session.commit()
    world.sweep()
    assert not world.sees(named), "kin of another who is named"
    assert world.sees(case), "where nobody of her kin is named she stays"
    reasons = [
        (one.reason, one.lifting_id is None)
        for one in world.session.scalars(
            select(ExclusionRow)
            .where(ExclusionRow.petition_id == named.id, ExclusionRow.account_id == world.account("shangtian.discipline.head").id)
            .order_by(ExclusionRow.since)
        )
    ]
    assert reasons == [("named", False), ("kin", True)]
    assert world.row(named.id).cleared_ids, "the lifting itself still stands"


def test_one_person_puts_it_back_at_once(world):
    case, lifting = world.lifted()
    give(world, case)
    assert world.sees(case)
    assert world.step(lifting, "revoke", "fenghua.head")["status"] == "revoked"
    assert not world.sees(case) and not world.sees(case, "shangtian.discipline")
    row = world.row(case.id)
    assert row.cleared_ids == [] and world.account("shangtian.discipline.head").id in row.excluded_account_ids
    world.step(lifting, "revoke", expect=409)
    world.step(lifting, expect=409)
    assert world.ask(case)["status"] == "asked", "it may be asked for again"


def test_what_was_asked_is_refused_by_revoking_it(world):
    case = world.send(accused=[{"name": NAME}])
    lifting = world.ask(case)
    assert world.ask(case, expect=409)["type"] == "/problems/already-asked"
    assert world.step(lifting, "revoke")["status"] == "revoked"
    world.step(lifting, expect=409)
    assert not world.sees(case)


def test_the_ground_that_falls_away_later_brings_nobody_back(world):
    """What was excluded by a post that ended since is not lifted with the name."""
    begin = clock.today()
    village = world.body("奉化区农业农村局")
    account = world.account("shangtian.discipline.head")
    post = Appointment(account_id=account.id, role="department_handler", org_id=village.id, head=False, valid_from=begin)
    world.session.add(post)
    world.session.commit()
    case = world.send(accused=[{"name": NAME}])
    assert village.id in world.row(case.id).excluded_org_ids
    world.session.delete(post)
    world.session.commit()
    world.step(world.ask(case))
    assert world.row(case.id).excluded_org_ids == [village.id]


def test_the_petitioner_reads_that_it_happened_and_no_name(world):
    case, lifting = world.lifted()
    world.step(lifting, "revoke")
    rows = world.session.scalars(select(PetitionEventRow).where(PetitionEventRow.petition_id == case.id).order_by(PetitionEventRow.seq)).all()
    told = [(row.event, row.public, row.facts) for row in rows if row.event != "file" and not row.event.startswith("recuse")]
    fact = {"lifting_id": lifting["id"]}
    assert told == [("ask_lifting", False, fact), ("lift_exclusion", True, fact), ("restore_exclusion", True, fact)]


def test_the_petitioner_finds_plain_words_and_neither_reason_nor_ids(world, client):
    draft = {"division_code": VILLAGE, "title": "家具", "body": "欠款。", "name": "王某", "phone": "13800000001", "accused": [{"name": NAME}]}
    receipt = client.post("/api/v1/petitions", json=draft, headers=world.new_key()).json
    case = Case(client, receipt["id"])
    world.step(world.ask(case))
    door = {name: receipt[name] for name in ("serial", "pin")}
    token = client.post("/api/v1/auth/receipt/sign-in", json=door).json["access_token"]
    own = {"Authorization": f"Bearer {token}"}
    view = case.see(own)
    last = view["timeline"][-1]
    assert (last["label"], last["facts"]) == ("经两个单位核实,一名同名人员不是被反映人,不再回避", {})
    assert REASON not in str(view)
    assert client.get(f"/api/v1/petitions/{case.id}/exclusions", headers=own).status_code == 403


def test_the_database_lets_no_single_body_lift_an_exclusion(world, app):
    """The web role itself, with the settings of the body that asked: neither a step nor an exclusion without a step."""
    case = world.send(accused=[{"name": NAME}])
    lifting = world.ask(case)
    account = world.account(ASKER)
    org = world.body("奉化区信访局").id
    world.session.rollback()
    given = {
        "mj.kind": "staff", "mj.role": "petition_office", "mj.reach": "area", "mj.lo": "330213", "mj.hi": "330213:",
        "mj.person": str(account.id), "mj.org": str(org), "mj.petition": "", "mj.purpose": "",
    }  # fmt: skip
    address = app.config["SETTINGS"].database_url.replace("postgresql+psycopg", "postgresql")
    with psycopg.connect(address) as web:
        for name, value in given.items():
            web.execute("SELECT set_config(%s, %s, false)", (name, value))
        web.commit()
        values = (lifting["id"], case.id, account.id, org)
        with pytest.raises(errors.InsufficientPrivilege):
            web.execute("INSERT INTO lifting_steps VALUES (%s, 'confirm', %s, %s, 'petition_office', %s, now())", values)
        web.rollback()
        with pytest.raises(errors.InsufficientPrivilege):
            web.execute("UPDATE exclusions SET lifting_id = %s", (lifting["id"],))
        web.rollback()


def test_the_reason_goes_with_the_content_of_an_erased_case(world):
    case, _ = world.lifted()
    world.session.execute(text("SELECT erase_content(:id)"), {"id": case.id})
    assert world.session.execute(text("SELECT reason FROM liftings")).scalars().all() == [""]
    world.session.rollback()


def test_a_new_entry_of_that_name_in_the_directory_is_a_bearer_of_its_own(world):
    case, _ = world.lifted()
    give(world, case)
    world.marry("shangtian.discipline.head", name="竺亚君")
    world.sweep()
    assert not world.sees(case), "better too few eyes: who the new entry is, nobody has looked at yet"
    world.step(world.ask(case))
    assert world.sees(case)


def test_taking_the_migration_back_puts_what_was_lifted_in_force_and_a_new_one_fills_in_the_receipts(world, client):
    case, _ = world.lifted()
    promised = "SELECT promises::text, promise::text FROM receipts WHERE petition_id = :id"
    given = world.session.execute(text(promised), {"id": case.id}).one()
    world.session.rollback()
    db.session.remove()
    db.engine.dispose()
    downgrade(directory=MIGRATIONS, revision="0012")
    excluded = world.session.execute(text("SELECT excluded_account_ids FROM petitions")).scalar_one()
    assert excluded == [world.account("shangtian.discipline.head").id]
    world.session.rollback()
    upgrade(directory=MIGRATIONS)
    assert world.session.execute(text(promised), {"id": case.id}).one() == given
    world.session.rollback()
