"""An alert and a petition about the same thing are one matter, for whoever may see both and for nobody else."""

import pytest

from app.alerts.links import link_petitions
from tests.app.alert_world import VILLAGE, Subjects, hit
from tests.app.test_alerts import Walk


@pytest.fixture
def walk(worker_app, db_session, client, as_staff):
    return Walk(worker_app, db_session, client, as_staff)


def petition(walk, new_key, **more):
    draft = {"division_code": VILLAGE, "title": "路修得不对", "body": "请查合同 HT-2026-7。", "name": "王某", "phone": "13800000001"}
    answer = walk.client.post("/api/v1/petitions", json={**draft, **more}, headers=new_key())
    assert answer.status_code == 201, answer.get_data(as_text=True)
    return answer.json["id"]


def linked(walk):
    with walk.worker():
        link_petitions()
        assert link_petitions().done == 0
    return {(str(one.petition_id), one.kind) for one in walk.rows("SELECT * FROM alert_links")}


def raise_alert(walk, **about):
    walk.fold(hit(colour="yellow"), subjects={"P-1": Subjects(**about)})
    walk.sweep()
    return walk.rows()[0].id


@pytest.mark.parametrize(
    ("about", "filed", "kinds"),
    [
        ({"names": ["周建国"]}, {"accused": [{"name": "周建国"}], "category": "other"}, {"person"}),
        ({"contracts": ["HT-2026-7"]}, {"category": "other"}, {"contract"}),
        ({}, {"category": "works"}, {"place"}),
        ({}, {"category": "relief"}, set()),
        ({"names": ["周建国"]}, {"accused": [{"name": "周建国"}], "division_code": "330502101235"}, set()),
        ({"names": ["周建国"], "contracts": ["HT"]}, {"accused": [{"name": "赵某"}], "category": "other"}, set()),
    ],
)
def test_what_is_shared_makes_a_link_and_nothing_else_does(walk, new_key, about, filed, kinds):
    raise_alert(walk, **about)
    case = petition(walk, new_key, **filed)
    assert linked(walk) == {(case, kind) for kind in kinds}


def test_a_petition_of_another_year_is_another_matter(walk, new_key):
    alert = raise_alert(walk)
    case = petition(walk, new_key, category="works")
    walk.run("UPDATE petitions SET filed_on = filed_on - 181 WHERE id = :id", id=case)
    assert linked(walk) == set()
    walk.run("UPDATE alerts SET happened_on = (SELECT filed_on FROM petitions WHERE id = :id) WHERE id = :alert", id=case, alert=alert)
    assert linked(walk) == {(case, "place")}


def test_only_who_may_see_both_sees_the_link_and_its_priority(walk, new_key):
    alert = raise_alert(walk)
    case = petition(walk, new_key, category="works")
    linked(walk)
    both = walk.get("fenghua.discipline", f"/alerts/{alert}")
    assert (both["corroborated"], both["colour"], both["shown_colour"]) == (True, "yellow", "red")
    assert [(one["petition_id"], one["kind"]) for one in both["petitions"]] == [(case, "place")]
    assert [one["corroborated"] for one in walk.get("fenghua.discipline", "/alerts")["items"]] == [True]
    # The county discipline commission must withdraw from the petition, not from the alert.
    walk.run("UPDATE petitions SET excluded_account_ids = :a WHERE id = :id", a=[walk.account("fenghua.discipline")], id=case)
    alone = walk.get("fenghua.discipline", f"/alerts/{alert}")
    assert (alone["corroborated"], alone["shown_colour"], alone["petitions"]) == (False, "yellow", [])
    assert [one["corroborated"] for one in walk.get("fenghua.discipline", "/alerts")["items"]] == [False]
    # And who sees the petition alone is told of no alert.
    assert "alert" not in str(walk.get("fenghua.office", f"/petitions/{case}")).lower()
