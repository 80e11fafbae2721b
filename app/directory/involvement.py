"""What the directory knows of the people and bodies that a petition concerns, read with one statement."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import date
from typing import Any
from uuid import UUID

from sqlalchemy import text

from app import clock
from app.directory.bodies import DISCIPLINE_KINDS, INTAKE_KINDS
from app.directory.codes import lineage_of, prefix_of, scope_range
from app.extensions import db
from workflows.recusal import MOST_STEPS, Directory, Kin, Office, Post, Service, Validity


@dataclass(frozen=True, slots=True)
class Named:
    """Somebody of the directory whose name a petition contains: a person, a staff account, or both as one."""

    name: str
    person: UUID | None
    account: UUID | None


@dataclass(frozen=True, slots=True)
class Involvement:
    """place_level: of the place when it is open to new cases, else None. named: who bears the names. titled: the bodies that
    are called so, by name. bodies: which of the
    ids asked for exist. chain: the offices that may answer for the place, the lowest first. crews: who serves at each of
    the bodies watched, the active ones only."""

    place_level: int | None
    named: tuple[Named, ...]
    titled: tuple[tuple[str, UUID], ...]
    bodies: frozenset[UUID]
    directory: Directory
    chain: tuple[Office, ...]
    crews: dict[UUID, frozenset[UUID]]


# The name alone would hit namesakes all over the province: who bears it must live in the county, or hold or have held a
# post there or at a body above. Every branch is bounded: kinship by the longest scope, the tree by what is below the
# bodies concerned.
_INVOLVED = text(
    """
    WITH RECURSIVE
    near AS (SELECT id FROM organisations
              WHERE (division_code >= :lo AND division_code < :hi) OR division_code = ANY(:lineage)),
    named AS (SELECT p.id, p.name FROM persons p
               WHERE p.id = ANY(:persons) OR p.name = ANY(:names)
                 AND ((p.division_code >= :lo AND p.division_code < :hi)
                      OR EXISTS (SELECT 1 FROM posts x WHERE x.person_id = p.id AND x.org_id IN (SELECT id FROM near)))),
    listed AS (SELECT a.id, a.name, a.person_id FROM staff_accounts a
                WHERE a.left_on IS NULL
                  AND (a.id = ANY(:accounts) OR a.name = ANY(:names)
                       AND EXISTS (SELECT 1 FROM appointments x WHERE x.account_id = a.id AND x.org_id IN (SELECT id FROM near)))),
    titled AS (SELECT id, name FROM organisations WHERE name = ANY(:names) AND active AND id IN (SELECT id FROM near)),
    ties AS (SELECT person_id AS one, relative_id AS other FROM kinships
              WHERE valid_from <= :day AND (valid_to IS NULL OR valid_to >= :day)
              UNION ALL
             SELECT relative_id, person_id FROM kinships
              WHERE valid_from <= :day AND (valid_to IS NULL OR valid_to >= :day)),
    kin (id, depth) AS (
      (SELECT id, 0 FROM named UNION SELECT person_id, 0 FROM listed WHERE person_id IS NOT NULL)
       UNION
      SELECT ties.other, kin.depth + 1 FROM kin JOIN ties ON ties.one = kin.id WHERE kin.depth < :most),
    people AS (SELECT DISTINCT id FROM kin),
    serving AS (SELECT x.account_id, a.person_id, x.org_id, x.head, x.valid_from, x.valid_to
                  FROM appointments x JOIN staff_accounts a ON a.id = x.account_id AND a.left_on IS NULL
                 WHERE x.valid_from <= :day AND (x.valid_to IS NULL OR x.valid_to >= :day)
                   AND (a.person_id IN (SELECT id FROM people) OR a.id IN (SELECT id FROM listed))),
    held AS (SELECT x.* FROM posts x JOIN people ON people.id = x.person_id
              WHERE x.valid_from <= :day AND (x.valid_to IS NULL OR x.valid_to >= :day)),
    tree (id, parent_id) AS (
      SELECT id, parent_id FROM organisations
       WHERE id = ANY(:bodies) OR id IN (SELECT id FROM titled) OR id IN (SELECT org_id FROM serving) OR id IN (SELECT org_id FROM held)
       UNION
      SELECT o.id, o.parent_id FROM organisations o JOIN tree ON o.parent_id = tree.id),
    twice AS (SELECT x.account_id, a.person_id, x.org_id, x.head, x.valid_from, x.valid_to
                FROM appointments x JOIN staff_accounts a ON a.id = x.account_id AND a.left_on IS NULL
               WHERE x.valid_from <= :day AND (x.valid_to IS NULL OR x.valid_to >= :day)
                 AND x.account_id IN (
                   SELECT one.account_id FROM appointments one
                     JOIN appointments other ON other.account_id = one.account_id AND other.org_id <> one.org_id
                      AND other.valid_from <= :day AND (other.valid_to IS NULL OR other.valid_to >= :day)
                    WHERE one.org_id IN (SELECT id FROM tree)
                      AND one.valid_from <= :day AND (one.valid_to IS NULL OR one.valid_to >= :day))),
    offices AS (SELECT id, level, kind, name FROM organisations
                 WHERE active AND division_code = ANY(:lineage)
                   AND (kind = ANY(:leading) OR (kind = ANY(:discipline) AND level = 1))),
    crews AS (SELECT o.id, array_agg(a.id) FILTER (WHERE a.id IS NOT NULL) AS crew
                FROM organisations o
                LEFT JOIN appointments x ON x.org_id = o.id AND x.valid_from <= :day
                      AND (x.valid_to IS NULL OR x.valid_to >= :day)
                LEFT JOIN staff_accounts a ON a.id = x.account_id AND a.left_on IS NULL
               WHERE o.active AND (o.id = ANY(:watch) OR o.id IN (SELECT id FROM offices))
               GROUP BY o.id)
    SELECT (SELECT level FROM divisions WHERE code = :place AND withdrawn_on IS NULL) AS place_level,
           (SELECT json_agg(json_build_array(name, id, NULL)) FROM named) AS persons,
           (SELECT json_agg(json_build_array(name, person_id, id)) FROM listed) AS accounts,
           (SELECT json_agg(json_build_array(name, id)) FROM titled) AS titled,
           (SELECT json_agg(k) FROM kinships k WHERE k.person_id IN (SELECT id FROM people)
               AND k.relative_id IN (SELECT id FROM people)) AS kin,
           (SELECT json_agg(held) FROM held) AS posts,
           (SELECT json_agg(s) FROM (SELECT * FROM serving UNION SELECT * FROM twice) s) AS services,
           (SELECT json_agg(tree) FROM tree) AS tree,
           (SELECT json_agg(o ORDER BY o.level DESC, o.kind = ANY(:discipline), o.name) FROM offices o) AS offices,
           (SELECT json_object_agg(id, coalesce(crew, '{}')) FROM crews) AS crews
    """
)


def involved(
    names: Iterable[str],
    bodies: Collection[UUID],
    division_code: str,
    *,
    watch: Collection[UUID] = (),
    persons: Collection[UUID] = (),
    accounts: Collection[UUID] = (),
) -> Involvement:
    """Everything that `workflows.recusal` needs to know today of a petition from this place: who bears the names, their
    kin, posts and appointments, the bodies concerned with those below them, and who could answer for the case instead.
    `persons` and `accounts` are named by their ids, wherever they are."""
    lo, hi = scope_range(prefix_of(division_code)[:6])
    row = db.session.execute(
        _INVOLVED,
        {
            "names": sorted(set(names)), "bodies": list(bodies), "watch": list(watch), "persons": list(persons), "accounts": list(accounts), "place": division_code,
            "lo": lo, "hi": hi, "lineage": list(lineage_of(division_code)), "day": clock.today(), "most": MOST_STEPS,
            "leading": list(INTAKE_KINDS), "discipline": list(DISCIPLINE_KINDS),
        },
    ).one()  # fmt: skip
    crews = {UUID(body): frozenset(map(UUID, crew)) for body, crew in (row.crews or {}).items()}
    parents = {UUID(one["id"]): _id(one["parent_id"]) for one in row.tree or ()}
    return Involvement(
        place_level=row.place_level,
        named=tuple(
            Named(name, _id(person), _id(account))
            for name, person, account in (row.persons or []) + (row.accounts or [])
        ),
        titled=tuple((name, UUID(body)) for name, body in row.titled or ()),
        bodies=frozenset(parents) & frozenset(bodies),
        directory=Directory(
            kin=tuple(Kin(_id(k["person_id"]), _id(k["relative_id"]), k["relation"], _valid(k)) for k in row.kin or ()),
            posts=tuple(Post(_id(p["person_id"]), _id(p["org_id"]), p["title"], _valid(p)) for p in row.posts or ()),
            services=tuple(
                Service(_id(s["account_id"]), _id(s["person_id"]), _id(s["org_id"]), s["head"], _valid(s))
                for s in row.services or ()
            ),
            parents=parents,
        ),
        chain=tuple(Office(UUID(o["id"]), o["level"], crews[UUID(o["id"])]) for o in row.offices or ()),
        crews=crews,
    )


def _id(value: str | None) -> UUID | None:
    return UUID(value) if value else None


def _valid(row: dict[str, Any]) -> Validity:
    return Validity(
        date.fromisoformat(row["valid_from"]), date.fromisoformat(row["valid_to"]) if row["valid_to"] else None
    )
