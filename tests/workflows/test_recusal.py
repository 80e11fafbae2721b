"""Who must withdraw: examples of each reason, and properties over random families, organisation trees and petitions."""

from datetime import date, timedelta
from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from workflows.recusal import (
    KIN_SCOPES,
    KNOWS_THE_CASE,
    MOST_STEPS,
    REASON_LABELS,
    STEPS,
    Directory,
    Kin,
    Matter,
    Office,
    Post,
    Reason,
    Service,
    Validity,
    below,
    close_kin,
    exclusions,
    falls_away,
    is_spent,
    leads,
    scope_of,
    seat,
    way_back,
    without,
)

DAY = date(2026, 11, 24)
ALWAYS = Validity(date(2020, 1, 1), None)


def why(matter, directory, day=DAY):
    return {one.account or one.body: one.reason.value for one in exclusions(matter, directory, day)}


def serve(account, body, person=None, head=False, valid=ALWAYS):
    return Service(account, person, body, head, valid)


# --- examples ----------------------------------------------------------------------------------------------------


def test_the_named_their_body_and_what_is_below_it_are_excluded_and_the_body_above_is_not():
    tree = {"county": None, "town": "county", "village": "town", "school": "village", "other": "county"}
    posts = (Post("mao", "town", "镇长", ALWAYS),)
    found = why(Matter(persons=frozenset({"mao"})), Directory(posts=posts, parents=tree))
    assert found == {
        "town": "body_of_named",
        "village": "below_excluded_body",
        "school": "below_excluded_body",
    }


def test_what_is_below_the_body_of_a_named_clerk_stays():
    tree = {"town": None, "village": "town"}
    services = (serve("clerk", "town", "mao"), serve("colleague", "town"))
    found = why(Matter(persons=frozenset({"mao"})), Directory(services=services, parents=tree))
    assert found == {"clerk": "named", "town": "body_of_named"}


def test_kin_who_is_a_mere_employee_is_excluded_as_a_person_only():
    kin = (Kin("mao", "brother", "sibling", ALWAYS),)
    services = (serve("brother's account", "town", "brother"), serve("colleague", "town"))
    found = why(Matter(persons=frozenset({"mao"})), Directory(kin=kin, services=services))
    assert found == {"brother's account": "kin"}


def test_kin_who_leads_a_body_excludes_it_with_what_is_below():
    kin = (Kin("mao", "wife", "spouse", ALWAYS),)
    directory = Directory(
        kin=kin, services=(serve("w", "bureau", "wife", head=True),), parents={"bureau": None, "station": "bureau"}
    )
    assert why(Matter(persons=frozenset({"mao"})), directory) == {
        "w": "kin",
        "bureau": "headed_by_kin",
        "station": "below_excluded_body",
    }


def test_a_named_account_without_an_entry_among_the_persons_is_excluded_with_its_body():
    directory = Directory(services=(serve("a", "town"), serve("b", "town")))
    assert why(Matter(accounts=frozenset({"a"})), directory) == {"a": "named", "town": "body_of_named"}


def test_whoever_also_serves_at_an_excluded_body_does_not_see_it_from_the_other_one():
    services = (serve("a", "town"), serve("a", "county"), serve("b", "county"))
    found = why(Matter(bodies=frozenset({"town"})), Directory(services=services))
    assert found == {"town": "named_body", "a": "serves_excluded_body"}


def test_a_wish_of_the_reporter_and_a_declaration_exclude_the_person_and_not_the_body():
    services = (serve("boss", "county", head=True), serve("x", "county"))
    found = why(Matter(kept_from=frozenset({"boss"}), declared=frozenset({"x"})), Directory(services=services))
    assert found == {"boss": "kept_from", "x": "declared"}


def test_a_body_that_the_reporter_keeps_away_is_excluded_alone():
    services = (serve("a", "town"), serve("b", "town"), serve("b", "county"))
    tree = {"county": None, "town": "county", "village": "town"}
    found = why(Matter(bodies_kept_from=frozenset({"town"})), Directory(services=services, parents=tree))
    assert found == {"town": "kept_from", "b": "serves_excluded_body"}


def test_whoever_handled_the_contested_decision_is_barred_but_nothing_is_hidden_from_them():
    matter = Matter(handled_accounts=frozenset({"a"}), handled_bodies=frozenset({"town"}))
    found = exclusions(matter, Directory(), DAY)
    assert {one.reason for one in found} == {Reason.HANDLED_BEFORE}
    assert not any(one.hides for one in found)
    assert [one.hides for one in exclusions(Matter(accounts=frozenset({"a"}), handled_accounts=frozenset({"a"})), Directory(), DAY)] == [True, False]


def test_every_exclusion_by_kinship_says_of_whom_and_within_which_scope():
    kin = (Kin("mao", "son", "child", ALWAYS), Kin("son", "daughter in law", "spouse", ALWAYS))
    services = (serve("d", "town", "daughter in law"),)
    (one,) = exclusions(Matter(persons=frozenset({"mao"})), Directory(kin=kin, services=services), DAY)
    assert (one.account, one.rests_on, one.scope) == ("d", "mao", "affinity")


@pytest.mark.parametrize(
    ("chain", "scope"),
    [
        (["spouse"], "spouse"),
        (["child", "child"], "direct_line"),
        (["parent", "parent", "parent"], "direct_line"),
        (["parent", "child"], "collateral"),
        (["parent", "sibling"], "collateral"),
        (["parent", "sibling", "child"], "collateral"),
        (["cousin"], "collateral"),
        (["spouse", "parent"], "affinity"),
        (["sibling", "spouse"], "affinity"),
        (["spouse", "sibling", "spouse"], "affinity"),
        (["child", "spouse", "parent"], "affinity"),
        (["sibling_in_law"], "affinity"),
        (["godparent"], "declared"),
        # Beyond the scopes of the law.
        (["cousin", "child"], None),
        (["parent", "parent", "parent", "child"], None),
        (["spouse", "cousin"], None),
        (["spouse", "parent", "parent"], None),
        (["sibling_in_law", "child"], None),
        (["godparent", "child"], None),
    ],
)
def test_close_kin_are_those_of_the_law(chain, scope):
    people = [f"p{n}" for n in range(len(chain) + 1)]
    edges = [Kin(one, other, word, ALWAYS) for (one, other), word in zip(zip(people, people[1:], strict=False), chain, strict=True)]
    found = close_kin({people[0]}, edges, DAY)
    assert found.get(people[-1], (None, None))[1] == scope


@pytest.mark.parametrize(
    ("title", "yes"),
    [("村党支部书记、村委会主任", True), ("村委会副主任", True), ("局长", True), ("工作人员", False), ("村委会委员", False), ("监事", False)],
)
def test_who_leads_is_read_from_the_words_of_the_post(title, yes):
    assert leads(title) is yes


def test_a_tie_holds_on_its_first_and_on_its_last_day_and_not_beside_them():
    first, last = date(2026, 3, 1), date(2026, 5, 31)
    edges = [Kin("a", "b", "spouse", Validity(first, last))]
    on = {day: bool(close_kin({"a"}, edges, day)) for day in (first - timedelta(1), first, last, last + timedelta(1))}
    assert list(on.values()) == [False, True, True, False]


def test_an_exhausted_chain_leaves_nobody_and_an_office_with_one_left_is_taken():
    chain = [Office("town", 4, frozenset({"a"})), Office("county", 3, frozenset({"b", "c"})), Office("city", 2)]
    assert seat(chain, (), ()).id == "town"
    assert seat(chain, (), {"a"}).id == "county"
    assert seat(chain, {"town"}, {"b"}).id == "county"
    assert seat(chain, (), {"a", "b", "c"}).id == "city"
    assert seat(chain, {"town", "county", "city"}, ()) is None


def test_a_circle_in_the_organisation_tree_does_no_harm():
    assert sorted(below({"a"}, {"a": "b", "b": "a", "c": "b"})) == [("b", "a"), ("c", "a")]


def test_every_reason_has_words_and_every_relation_a_scope():
    assert set(REASON_LABELS) == set(Reason)
    assert all(scope_of(steps) for steps in STEPS.values())
    assert {Reason.HANDLED_BEFORE} == KNOWS_THE_CASE


def test_every_scope_reads_the_same_from_both_ends_and_is_no_longer_than_the_search():
    ways = ["".join(letters) for n in range(1, MOST_STEPS + 3) for letters in product("UDMAK", repeat=n)]
    for way in ways:
        if scope_of(way):
            assert scope_of(way_back(way)) == scope_of(way), way
            assert len(way) <= MOST_STEPS
    assert {scope_of(way) for way in ways} >= {scope.id for scope in KIN_SCOPES}


# --- properties --------------------------------------------------------------------------------------------------

PERSONS = [f"p{n}" for n in range(8)]
ACCOUNTS = [f"a{n}" for n in range(8)]
BODIES = [f"b{n}" for n in range(7)]
days = st.integers(-3, 3).map(lambda n: DAY + timedelta(n))
spans = st.one_of(
    st.just(ALWAYS),
    st.tuples(days, st.one_of(st.none(), days)).map(lambda two: Validity(two[0], two[1] and max(two))),
)
kin_edges = st.builds(Kin, st.sampled_from(PERSONS), st.sampled_from(PERSONS), st.sampled_from([*STEPS, "other"]), spans)
post_rows = st.builds(Post, st.sampled_from(PERSONS), st.sampled_from(BODIES), st.sampled_from(["局长", "科员"]), spans)
service_rows = st.builds(
    # An account belongs to one person at most.
    lambda n, linked, body, head, valid: Service(ACCOUNTS[n], PERSONS[n] if linked else None, body, head, valid),
    st.integers(0, 7), st.sampled_from([True, True, False]), st.sampled_from(BODIES), st.booleans(), spans,
)  # fmt: skip
trees = st.tuples(*(st.one_of(st.none(), st.integers(0, max(0, n - 1))) for n in range(len(BODIES)))).map(
    lambda up: {body: (None if n == 0 or up[n] is None else BODIES[up[n]]) for n, body in enumerate(BODIES)}
)
directories = st.builds(
    Directory, st.lists(kin_edges, max_size=10).map(tuple), st.lists(post_rows, max_size=5).map(tuple),
    st.lists(service_rows, max_size=12).map(tuple), trees,
)  # fmt: skip
some = lambda of: st.frozensets(st.sampled_from(of), max_size=2)  # noqa: E731
matters = st.builds(
    Matter, persons=some(PERSONS), accounts=some(ACCOUNTS), bodies=some(BODIES), kept_from=some(ACCOUNTS),
    declared=some(ACCOUNTS), bodies_kept_from=some(BODIES), handled_accounts=some(ACCOUNTS), handled_bodies=some(BODIES),
)  # fmt: skip


def hidden(matter, directory, day=DAY):
    """Accounts and bodies from which the case is hidden."""
    found = [one for one in exclusions(matter, directory, day) if one.hides]
    return {one.account for one in found if one.account}, {one.body for one in found if one.body}


def seers(directory, accounts, bodies, day=DAY):
    """(account, body) of everybody who could still see the case, through any of their appointments."""
    return {
        (one.account, one.body)
        for one in directory.services
        if one.valid.holds(day) and one.account not in accounts and one.body not in bodies
    }


@settings(max_examples=150, deadline=None)
@given(matters, directories)
def test_nobody_named_and_none_of_their_close_kin_is_among_those_who_may_see(matter, directory):
    accounts, bodies = hidden(matter, directory)
    named = matter.persons | {
        one.person for one in directory.services
        if one.account in matter.accounts and one.person and one.valid.holds(DAY)
    }  # fmt: skip
    kin = close_kin(named, directory.kin, DAY)
    for account, body in seers(directory, accounts, bodies):
        assert account not in matter.accounts | matter.kept_from | matter.declared
        linked = {one.person for one in directory.services if one.account == account and one.valid.holds(DAY)}
        assert not linked & (named | set(kin))
        assert body not in matter.bodies | matter.bodies_kept_from
        # Nor do they sit beside a person named, nor below a body that is led by one.
        assert not any(one.body == body and one.person in named and one.valid.holds(DAY) for one in directory.services)


@settings(max_examples=150, deadline=None)
@given(matters, directories, st.lists(kin_edges, max_size=3), st.lists(post_rows, max_size=3), st.lists(service_rows, max_size=3))
def test_a_larger_directory_never_excludes_fewer(matter, directory, kin, posts, services):
    larger = Directory(
        (*directory.kin, *kin), (*directory.posts, *posts), (*directory.services, *services), directory.parents
    )
    for before, after in zip(hidden(matter, directory), hidden(matter, larger), strict=True):
        assert before <= after


@settings(max_examples=150, deadline=None)
@given(matters, matters, directories)
def test_naming_more_never_excludes_fewer(matter, more, directory):
    both = Matter(*(getattr(matter, name) | getattr(more, name) for name in Matter.__slots__))
    for before, after in zip(hidden(matter, directory), hidden(both, directory), strict=True):
        assert before <= after


@settings(max_examples=150, deadline=None)
@given(matters, directories, days)
def test_what_does_not_hold_on_the_day_changes_nothing(matter, directory, day):
    held = Directory(
        tuple(one for one in directory.kin if one.valid.holds(day)),
        tuple(one for one in directory.posts if one.valid.holds(day)),
        tuple(one for one in directory.services if one.valid.holds(day)),
        directory.parents,
    )
    assert exclusions(matter, directory, day) == exclusions(matter, held, day)


@settings(max_examples=150, deadline=None)
@given(st.lists(kin_edges, max_size=12), st.sampled_from(PERSONS), st.sampled_from(PERSONS))
def test_kinship_is_symmetric(edges, one, other):
    assert (other in close_kin({one}, edges, DAY)) == (one in close_kin({other}, edges, DAY))


@settings(max_examples=150, deadline=None)
@given(matters, directories)
def test_somebody_is_left_or_the_case_goes_up(matter, directory):
    accounts, bodies = hidden(matter, directory)
    crews = {body: frozenset(one.account for one in directory.services if one.body == body and one.valid.holds(DAY)) for body in BODIES}
    chain = [Office(body, level, crews[body]) for level, body in zip((4, 3, 2, 1), BODIES, strict=False)]
    taken = seat(chain, bodies, accounts)
    passed = chain if taken is None else chain[: chain.index(taken)]
    # It went past an office only because nobody there may see it.
    assert all(one.id in bodies or is_spent(one.crew, accounts) for one in passed)
    if taken is not None and taken.crew:
        assert {who for who, where in seers(directory, accounts, bodies) if where == taken.id}


@settings(max_examples=100, deadline=None)
@given(matters, directories)
def test_each_is_excluded_once_and_for_a_reason_of_the_list(matter, directory):
    found = exclusions(matter, directory, DAY)
    assert len({(one.account, one.body, one.hides) for one in found}) == len(found)
    for one in found:
        assert (one.account is None) != (one.body is None)
        assert (one.scope is not None) == (one.reason in (Reason.KIN, Reason.HEADED_BY_KIN))


# --- namesakes ---------------------------------------------------------------------------------------------------


def keys(found):
    return {(one.account, one.body) for one in found}


@settings(max_examples=150, deadline=None)
@given(matters, directories, some(PERSONS), some(ACCOUNTS))
def test_lifting_for_namesakes_excludes_nobody_new_and_what_is_left_is_what_the_others_exclude(matter, directory, persons, accounts):
    namesakes = persons | accounts
    before, left = exclusions(matter, directory, DAY), exclusions(without(matter, namesakes), directory, DAY)
    assert keys(left) <= keys(before)
    assert keys(falls_away(matter, namesakes, directory, DAY)) == keys(before) - keys(left)


@settings(max_examples=150, deadline=None)
@given(matters, directories, some(PERSONS), some(ACCOUNTS))
def test_no_lifting_reaches_whom_another_reason_keeps_away(matter, directory, persons, accounts):
    namesakes = persons | accounts
    falling = keys(falls_away(matter, namesakes, directory, DAY))
    others = Matter(persons=matter.persons - namesakes, accounts=matter.accounts - namesakes)
    kin = close_kin(others.persons, directory.kin, DAY)
    for account in matter.kept_from | matter.declared | matter.handled_accounts | others.accounts:
        assert (account, None) not in falling
    for body in matter.bodies | matter.bodies_kept_from | matter.handled_bodies:
        assert (None, body) not in falling
    for one in directory.services:
        if one.valid.holds(DAY) and (one.person in kin or one.person in others.persons):
            assert (one.account, None) not in falling


@settings(max_examples=150, deadline=None)
@given(matters, directories, some(PERSONS), some(ACCOUNTS))
def test_computing_anew_after_a_lifting_takes_back_nothing_more_and_putting_it_back_gives_the_same_as_before(matter, directory, persons, accounts):
    namesakes = persons | accounts
    lifted = without(matter, namesakes)
    assert without(lifted, namesakes) == lifted
    assert falls_away(lifted, namesakes, directory, DAY) == []
    assert falls_away(matter, (), directory, DAY) == []
    both = Matter(*(getattr(matter, name) | getattr(lifted, name) for name in Matter.__slots__))
    assert exclusions(both, directory, DAY) == exclusions(matter, directory, DAY)


@settings(max_examples=150, deadline=None)
@given(matters, directories, some(PERSONS), some(ACCOUNTS), st.lists(kin_edges, max_size=3))
def test_a_new_tie_to_another_who_is_named_excludes_a_lifted_namesake_again(matter, directory, persons, accounts, ties):
    lifted = without(matter, persons | accounts)
    larger = Directory((*directory.kin, *ties), directory.posts, directory.services, directory.parents)
    excluded, _ = hidden(lifted, larger)
    kin = close_kin(lifted.persons, larger.kin, DAY)
    for one in larger.services:
        if one.valid.holds(DAY) and one.person in kin:
            assert one.account in excluded


# --- clocks ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("preset", ["national", "zhejiang"])
def test_no_clock_of_the_law_that_runs_begins_anew_when_a_body_withdraws(preset):
    from tests.workflows.test_deadlines import log, read
    from workflows.policies import PRESETS

    begun = log(
        "03-02 | file | filed", "03-03 | register | registered", "03-03 | accept | accepted", "03-04 | dispatch | dispatched",
        "03-05 | sign | signed", "03-05 | start | handling",
    )  # fmt: skip
    after = [*begun, *log("03-20 | recuse_body | escalated"), *log("03-21 | rehandle | handling")]
    before = {(one.policy_id, one.started_at): one.due_at for one in read(begun, PRESETS[preset]) if one.live and one.policy.kind != "working"}
    assert before
    for one in read(after, PRESETS[preset]):
        if one.policy.kind != "working" and one.live:
            assert before[one.policy_id, one.started_at] == one.due_at
