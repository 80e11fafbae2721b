"""Who must withdraw from a petition (回避, 信访工作条例 Art 28), and why: a function of who is named and of the directory.

Nobody who is named, nobody who is close kin of one named, and nobody who takes orders from either may learn of the case.
Kin scopes are data: 公务员法 Art 74 names spouses, the direct line, collateral blood within three generations and close
affinity. The same petition, directory and day always give the same answer, and a larger directory never excludes less.
"""

from __future__ import annotations

import re
from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from enum import StrEnum

from workflows.actor import Label


class Reason(StrEnum):
    """Why a person or a body is excluded; of several, the first of this list is kept."""

    NAMED = "named"
    NAMED_BODY = "named_body"
    BODY_OF_NAMED = "body_of_named"
    KIN = "kin"
    HEADED_BY_KIN = "headed_by_kin"
    BELOW_EXCLUDED_BODY = "below_excluded_body"
    KEPT_FROM = "kept_from"
    DECLARED = "declared"
    SERVES_EXCLUDED_BODY = "serves_excluded_body"
    LINKED_CASE = "linked_case"
    HANDLED_BEFORE = "handled_before"


REASON_LABELS: Mapping[Reason, Label] = {
    Reason.NAMED: Label("被反映人本人", "named in the petition"),
    Reason.NAMED_BODY: Label("被反映单位", "the body that the petition names"),
    Reason.BODY_OF_NAMED: Label("被反映人任职单位", "a person named serves there"),
    Reason.KIN: Label("被反映人近亲属", "close kin of a person named"),
    Reason.HEADED_BY_KIN: Label("被反映人近亲属任领导的单位", "led by close kin of a person named"),
    Reason.BELOW_EXCLUDED_BODY: Label("须回避单位的下属单位", "takes orders from an excluded body"),
    Reason.KEPT_FROM: Label("信访人要求回避", "the petitioner asked to keep it from them"),
    Reason.DECLARED: Label("本人申请回避", "withdrew by their own declaration"),
    Reason.SERVES_EXCLUDED_BODY: Label("兼任须回避单位职务", "also serves at an excluded body"),
    Reason.LINKED_CASE: Label("须回避所并入的主件", "excluded from the leading case"),
    Reason.HANDLED_BEFORE: Label("前次办理", "handled the contested decision"),
}
# Whoever handled the contested decision knows the case: they never handle or review it again, but nothing is hidden.
KNOWS_THE_CASE = frozenset({Reason.HANDLED_BEFORE})
DECLARABLE = ("kin_of_subject", "kin_of_petitioner", "own_interest", "was_witness", "other")

# The words of the kinship list as steps between two persons: U to a parent, D to a child, M to a spouse, A to a relative
# by marriage whose degree the list leaves open, K to kin of a kind that this list does not know.
STEPS: Mapping[str, str] = {
    "spouse": "M",
    "parent": "U",
    "child": "D",
    "grandparent": "UU",
    "grandchild": "DD",
    "sibling": "UD",
    "uncle_aunt": "UUD",
    "nephew_niece": "UDD",
    "cousin": "UUDD",
    "parent_in_law": "MU",
    "child_in_law": "DM",
    "sibling_in_law": "A",
}
UNKNOWN_RELATION = "K"
# No pattern below is longer, so the search for kin stops here.
MOST_STEPS = 4


@dataclass(frozen=True, slots=True)
class KinScope:
    """One kind of close kin: `steps` is the pattern of the way from one person to the other. Each way back is in it too."""

    id: str
    label: Label
    steps: str


KIN_SCOPES: tuple[KinScope, ...] = (
    KinScope("spouse", Label("夫妻", "spouse"), "M"),
    KinScope("direct_line", Label("直系血亲", "direct line"), "U{1,4}|D{1,4}"),
    KinScope("collateral", Label("三代以内旁系血亲", "collateral within three generations"), "U{1,2}D{1,2}"),
    KinScope("affinity", Label("近姻亲", "close affinity"), "A|MU|DM|UM|MD|MUD|UDM|MUDM|DMU"),
    KinScope("declared", Label("名册所列其他亲属", "other kin in the directory"), "K"),
)
# Who leads a body, by the words of a post; a deputy leads as well. An appointment says so itself.
LEADING_TITLES = tuple(
    "书记 主任 主席 会长 组长 站长 所长 局长 处长 科长 院长 队长 村长 镇长 乡长 县长 区长 市长 省长 检察长 经理 董事长".split()
)

Key = Hashable  # a person, an account or a body; in practice UUID


@dataclass(frozen=True, slots=True)
class Validity:
    """A span of days; both ends belong to it, and without an end it still holds."""

    valid_from: date
    valid_to: date | None

    def holds(self, day: date) -> bool:
        """Whether the span contains the day."""
        return self.valid_from <= day and (self.valid_to is None or day <= self.valid_to)


@dataclass(frozen=True, slots=True)
class Kin:
    """An entry of the kinship list: `relative` is the `relation` of `person`, as the child of a parent."""

    person: Key
    relative: Key
    relation: str
    valid: Validity


@dataclass(frozen=True, slots=True)
class Post:
    """A post of a person at a body, with its title."""

    person: Key
    body: Key
    title: str
    valid: Validity


@dataclass(frozen=True, slots=True)
class Service:
    """An appointment of a staff account; `person` is None for an account without an entry among the persons."""

    account: Key
    person: Key | None
    body: Key
    head: bool
    valid: Validity


@dataclass(frozen=True, slots=True)
class Directory:
    """The part of the directory that a petition touches. `parents`: body → the body that it takes orders from."""

    kin: tuple[Kin, ...] = ()
    posts: tuple[Post, ...] = ()
    services: tuple[Service, ...] = ()
    parents: Mapping[Key, Key | None] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Matter:
    """Whom a petition concerns: persons, accounts and bodies it names, accounts it is to be kept from, accounts that
    declared their own withdrawal, bodies it is to be kept from, and who handled the contested decision."""

    persons: frozenset[Key] = frozenset()
    accounts: frozenset[Key] = frozenset()
    bodies: frozenset[Key] = frozenset()
    kept_from: frozenset[Key] = frozenset()
    declared: frozenset[Key] = frozenset()
    bodies_kept_from: frozenset[Key] = frozenset()
    handled_accounts: frozenset[Key] = frozenset()
    handled_bodies: frozenset[Key] = frozenset()


@dataclass(frozen=True, slots=True)
class Exclusion:
    """One excluded account or body. rests_on: the person, account or body that it follows from; None when it follows from
    itself. scope: the kin scope, where kinship is the reason."""

    account: Key | None
    body: Key | None
    reason: Reason
    rests_on: Key | None = None
    scope: str | None = None

    @property
    def hides(self) -> bool:
        """Whether the case is hidden; otherwise only handling and reviewing are closed."""
        return self.reason not in KNOWS_THE_CASE


@dataclass(frozen=True, slots=True)
class Office:
    """A body that may answer for a case: its level (4 township to 1 province), and the accounts that serve there."""

    id: Key
    level: int
    crew: frozenset[Key] = frozenset()


def exclusions(matter: Matter, directory: Directory, day: date) -> list[Exclusion]:
    """Every account and body that is excluded from the matter on the day, each once, with its first reason."""
    services = [one for one in directory.services if one.valid.holds(day)]
    named = matter.persons | {
        one.person for one in services if one.account in matter.accounts and one.person is not None
    }
    kin = close_kin(named, directory.kin, day)
    found = [Exclusion(account, None, Reason.NAMED) for account in matter.accounts]
    found += [Exclusion(None, body, Reason.NAMED_BODY) for body in matter.bodies]
    leading: set[Key] = set(matter.bodies)
    for one in services:
        if one.account in matter.accounts or one.person in named:
            found.append(Exclusion(one.account, None, Reason.NAMED, one.person))
        elif one.person in kin:
            of, scope = kin[one.person]
            found.append(Exclusion(one.account, None, Reason.KIN, of, scope))
    places = [(one.account, one.person, one.body, one.head) for one in services]
    places += [(None, one.person, one.body, leads(one.title)) for one in directory.posts if one.valid.holds(day)]
    for account, person, body, is_head in places:
        if account in matter.accounts or person in named:
            found.append(Exclusion(None, body, Reason.BODY_OF_NAMED, person or account))
        elif person in kin and is_head:
            found.append(Exclusion(None, body, Reason.HEADED_BY_KIN, *kin[person]))
        else:
            continue
        if is_head:
            leading.add(body)
    found += [Exclusion(None, body, Reason.BELOW_EXCLUDED_BODY, top) for body, top in below(leading, directory.parents)]
    found += [Exclusion(account, None, Reason.KEPT_FROM) for account in matter.kept_from]
    found += [Exclusion(None, body, Reason.KEPT_FROM) for body in matter.bodies_kept_from]
    found += [Exclusion(account, None, Reason.DECLARED) for account in matter.declared]
    found += _two_posts(services, {one.body for one in found if one.body is not None})
    found += [Exclusion(account, None, Reason.HANDLED_BEFORE) for account in matter.handled_accounts]
    found += [Exclusion(None, body, Reason.HANDLED_BEFORE) for body in matter.handled_bodies]
    return _first_reasons(found)


def without(matter: Matter, namesakes: Iterable[Key]) -> Matter:
    """The matter when these persons and accounts only bear a name that it holds. From whom the reporter keeps it, and who
    declared their withdrawal, stays as it is."""
    cleared = frozenset(namesakes)
    return replace(matter, persons=matter.persons - cleared, accounts=matter.accounts - cleared)


def falls_away(matter: Matter, namesakes: Iterable[Key], directory: Directory, day: date) -> list[Exclusion]:
    """The exclusions that follow from nothing but these namesakes being taken for the ones named."""
    left = {(one.account, one.body) for one in exclusions(without(matter, namesakes), directory, day)}
    return [one for one in exclusions(matter, directory, day) if (one.account, one.body) not in left]


def close_kin(persons: Iterable[Key], edges: Iterable[Kin], day: date) -> dict[Key, tuple[Key, str]]:
    """Everybody who is close kin on the day of one of the persons, that one left out: kin → (of whom, kin scope)."""
    ways: dict[Key, list[tuple[Key, str]]] = {}
    for edge in edges:
        if edge.valid.holds(day):
            steps = STEPS.get(edge.relation, UNKNOWN_RELATION)
            ways.setdefault(edge.person, []).append((edge.relative, steps))
            ways.setdefault(edge.relative, []).append((edge.person, way_back(steps)))
    start = set(persons)
    found: dict[Key, tuple[Key, str]] = {}
    for origin in start:
        seen, border = {(origin, "")}, [(origin, "")]
        while border:
            here, way = border.pop()
            for there, steps in ways.get(here, ()):
                longer = way + steps
                if len(longer) > MOST_STEPS or (there, longer) in seen:
                    continue
                seen.add((there, longer))
                border.append((there, longer))
                scope = scope_of(longer)
                if scope is not None and there not in start:
                    found.setdefault(there, (origin, scope))
    return found


def scope_of(way: str) -> str | None:
    """The first kin scope that the way between two persons falls into."""
    return next((scope.id for scope in KIN_SCOPES if re.fullmatch(scope.steps, way)), None)


def way_back(steps: str) -> str:
    """The same way seen from its other end."""
    return steps[::-1].translate(str.maketrans("UD", "DU"))


def leads(title: str) -> bool:
    """Whether somebody with this post leads the body."""
    return any(word in title for word in LEADING_TITLES)


def below(tops: Iterable[Key], parents: Mapping[Key, Key | None]) -> list[tuple[Key, Key]]:
    """Every body that takes orders, directly or not, from one of `tops`: (body, the one it takes them from)."""
    wanted = set(tops)
    found = []
    for body in parents:
        seen = {body}
        above = parents.get(body)
        while above is not None and above not in seen:
            if above in wanted:
                found.append((body, above))
                break
            seen.add(above)
            above = parents.get(above)
    return found


def seat(chain: Iterable[Office], bodies: Iterable[Key], accounts: Iterable[Key]) -> Office | None:
    """The first office of the chain that is not excluded and has somebody left; None when the chain is exhausted and the
    case goes to the authority above it. An office without any staff counts as left: the clock acts for it."""
    shut, out = set(bodies), set(accounts)
    return next((one for one in chain if one.id not in shut and not is_spent(one.crew, out)), None)


def is_spent(crew: Iterable[Key], accounts: Iterable[Key]) -> bool:
    """Whether a body has staff, and each of them is excluded."""
    people = set(crew)
    return bool(people) and people <= set(accounts)


def _two_posts(services: Iterable[Service], bodies: set[Key]) -> Iterable[Exclusion]:
    """Whoever serves at an excluded body and elsewhere would see the case from there."""
    places: dict[Key, list[Key]] = {}
    for one in services:
        places.setdefault(one.account, []).append(one.body)
    for account, served in places.items():
        shut = next((body for body in served if body in bodies), None)
        if shut is not None and len(set(served)) > 1:
            yield Exclusion(account, None, Reason.SERVES_EXCLUDED_BODY, shut)


def _first_reasons(found: Iterable[Exclusion]) -> list[Exclusion]:
    """One line for each account and body that is hidden from, and one for each that is merely barred besides."""
    order = list(Reason)
    best: dict[tuple[Key | None, Key | None, bool], Exclusion] = {}
    for one in sorted(found, key=lambda each: order.index(each.reason)):
        best.setdefault((one.account, one.body, one.hides), one)
    return list(best.values())
