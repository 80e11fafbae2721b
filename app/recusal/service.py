"""Who must withdraw from a case (回避, 信访工作条例 Art 28): computed, declared, told to those who may know why.

An exclusion is never taken back by computing while the case lives: a post that is laid down for a day, or a marriage that
ends, opens nothing. So whatever moved on because somebody had to withdraw does not come back to them, and computing it
again only ever adds. What two people may do for somebody who merely bears a name stands in `app.recusal.lifting`.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import any_, or_, select, text
from sqlalchemy.orm.attributes import set_committed_value

from app import clock, timeline
from app.auth import Identity
from app.database import Rows, Target, insert_rows
from app.directory.involvement import Involvement, involved
from app.errors import Unknown
from app.extensions import db
from app.petitions.models import Petition
from app.recusal.models import ExclusionRow, RecusalSubject
from app.transitions import lock
from workflows import recusal as rules
from workflows.actor import SYSTEM_ACTOR, Label
from workflows.recusal import Exclusion, Matter, Office, Reason

_SUBJECTS = Target(RecusalSubject.__table__, "ON CONFLICT DO NOTHING")
_EXCLUSIONS = Target(ExclusionRow.__table__, "ON CONFLICT DO NOTHING")


@dataclass(frozen=True, slots=True)
class Finding:
    """Who must withdraw from a petition today, and what is left: see `Involvement` for the other fields."""

    exclusions: tuple[Exclusion, ...]
    involvement: Involvement
    matter: Matter

    @property
    def bodies(self) -> list[UUID]:
        """The excluded bodies."""
        return [one.body for one in self.exclusions if one.body is not None]  # type: ignore[misc]

    @property
    def accounts(self) -> list[UUID]:
        """The excluded accounts."""
        return [one.account for one in self.exclusions if one.account is not None]  # type: ignore[misc]


def examine(
    accused: Iterable[str],
    keep_from: Iterable[str],
    bodies: Collection[UUID],
    division_code: str,
    *,
    watch: Collection[UUID] = (),
    cleared: Collection[UUID] = (),
) -> Finding:
    """Who must withdraw today from a petition from this place that names these people and bodies. One statement.

    `cleared`: persons and accounts that bear a name of the petition and are not meant. `matter` of the answer holds them.
    """
    accused, keep_from = set(accused), set(keep_from)
    found = involved(accused | keep_from, bodies, division_code, watch=watch)
    matter = Matter(
        persons=frozenset(one.person for one in found.named if one.name in accused and one.person is not None),
        accounts=frozenset(one.account for one in found.named if one.name in accused and one.account is not None),
        bodies=frozenset(found.bodies),
        kept_from=_kept_from(keep_from, found),
        bodies_kept_from=frozenset(body for name, body in found.titled if name in keep_from),
    )
    # HANDLED_BEFORE needs no row: the lists of the past stand on the petition and bar the way, and hide nothing.
    meant = rules.without(matter, cleared)
    return Finding(tuple(rules.exclusions(meant, found.directory, clock.today())), found, matter)


def _kept_from(names: set[str], found: Involvement) -> frozenset[UUID]:
    """Accounts that bear the name themselves, or whose person in the directory does."""
    persons = {one.person for one in found.named if one.name in names and one.person is not None}
    return frozenset(
        [one.account for one in found.named if one.name in names and one.account is not None]
        + [one.account for one in found.directory.services if one.person in persons]  # type: ignore[misc]
    )


def seat_of(finding: Finding, level: int) -> Office | None:
    """The office that answers for the case at this level or, where it must withdraw, the next one above; None above all."""
    chain = [one for one in finding.involvement.chain if one.level <= level]
    return rules.seat(chain, finding.bodies, finding.accounts)


def rows_of(petition_id: UUID, exclusions: Iterable[Exclusion], *, note: str | None = None) -> Rows:
    """The exclusions as rows to be written with whatever brings them along."""
    now = clock.now()
    return {
        _EXCLUSIONS: [
            {
                "id": uuid4(), "petition_id": petition_id, "account_id": one.account, "org_id": one.body,
                "reason": one.reason.value, "rests_on": one.rests_on, "kin_scope": one.scope, "note": note, "since": now,
            }
            for one in exclusions
        ]
    }  # fmt: skip


def look(petition: Petition, *, watch: Collection[UUID] = ()) -> Finding:
    """Who must withdraw from a petition as the directory stands now. One statement; writes nothing."""
    return examine(
        (one["name"] for one in petition.accused),
        (one["name"] for one in petition.keep_from),
        petition.accused_org_ids,
        petition.division_code,
        watch=watch,
        cleared=petition.cleared_ids,
    )


def refresh(petition: Petition, *, watch: Collection[UUID] = ()) -> Finding:
    """Compute the exclusions of a locked petition anew, and write down those that are new: they hold at once.

    One statement, and one more when something is new.
    """
    finding = look(petition, watch=[*watch, *(one for one in (petition.main_org_id, petition.owner_org_id) if one)])
    known = {*petition.excluded_org_ids, *petition.excluded_account_ids}
    new = [one for one in finding.exclusions if (one.account or one.body) not in known]
    if new:
        exclude(petition, new, told=_told(petition, "recuse", {"added": len(new)}))
    return finding


def keep_subjects(petition: Petition, who: Identity) -> None:
    """Before a petition is put under seal: compute once more who must withdraw, and keep by id whom it names, so that the
    worker can go on computing when the words are sealed. Raises Unknown when the actor must withdraw."""
    finding = refresh(petition)
    require_not_excluded(petition, who)
    meant = rules.without(finding.matter, petition.cleared_ids)
    named = [("person", one) for one in meant.persons] + [("account", one) for one in meant.accounts]
    insert_rows({_SUBJECTS: [{"petition_id": petition.id, "kind": kind, "subject_id": one} for kind, one in named]})


def refresh_sealed(petition: Petition) -> None:
    """Compute anew who must withdraw from a petition under seal, by the ids that were kept. For the worker; what is new
    holds at once for the stub and for the clue. Two statements, and one more when something is new."""
    kept: dict[str, set[UUID]] = {"person": set(), "account": set()}
    for row in db.session.scalars(select(RecusalSubject).where(RecusalSubject.petition_id == petition.id)):
        kept[row.kind].add(row.subject_id)
    found = involved(
        [], petition.accused_org_ids, petition.division_code, persons=kept["person"], accounts=kept["account"]
    )
    matter = Matter(frozenset(kept["person"]), frozenset(kept["account"]), frozenset(found.bodies))
    known = {*petition.excluded_org_ids, *petition.excluded_account_ids}
    new = [one for one in rules.exclusions(matter, found.directory, clock.today()) if (one.account or one.body) not in known]
    if new:
        exclude(petition, new)


def exclude(
    petition: Petition, exclusions: Collection[Exclusion], *, note: str | None = None, told: Rows | None = None
) -> None:
    """Write exclusions down, and with them what is `told` of it on the timeline, with one statement. From here on whoever
    is excluded does not see the case, the writer included: whatever else they change of it they change before."""
    insert_rows({**(told or {}), **rows_of(petition.id, exclusions, note=note)})
    for name, ids in (
        ("excluded_org_ids", [one.body for one in exclusions if one.body is not None]),
        ("excluded_account_ids", [one.account for one in exclusions if one.account is not None]),
    ):
        # The trigger has changed the row already.
        set_committed_value(petition, name, [*getattr(petition, name), *ids])


def require_not_excluded(petition: Petition, who: Identity) -> None:
    """Raise Unknown when the actor must withdraw as the directory stands now; the worker writes it down."""
    actor = who.actor
    if actor.kind == "staff" and (
        actor.org_id in petition.excluded_org_ids or actor.person_id in petition.excluded_account_ids
    ):
        raise Unknown()


def is_excluded(petition_id: UUID, account_id: UUID, org_id: UUID) -> bool:
    """Whether an account, or the body it acted for, must withdraw from a case that the open transaction sees."""
    query = select(Petition.id).where(
        Petition.id == petition_id,
        or_(any_(Petition.excluded_account_ids) == account_id, any_(Petition.excluded_org_ids) == org_id),
    )
    return db.session.scalar(query) is not None


def tell(petition: Petition, event: str, facts: Mapping[str, Any]) -> None:
    """Put a step of recusal on the timeline, for the offices only and without names."""
    insert_rows(_told(petition, event, facts))


def _told(petition: Petition, event: str, facts: Mapping[str, Any]) -> Rows:
    petition.version += 1
    row = timeline.event_of(
        petition.id, petition.version, event, SYSTEM_ACTOR, from_state=petition.state, to_state=petition.state, facts=facts
    )
    return {timeline.EVENTS: [timeline.values_of(row)]}


def recuse_self(petition_id: UUID, who: Identity, reason_code: str, note: str) -> None:
    """Withdraw from a case by one's own declaration. It is hidden from the account at once, whatever its appointments;
    when nobody else is left in the handling body the worker moves the case on. Raises Unknown."""
    petition = lock(petition_id)
    told = _told(petition, "recuse", {"added": 1})
    if petition.main_handler_id == who.actor.person_id:
        petition.main_handler_id = None
    db.session.flush()
    declared = Exclusion(who.actor.person_id, None, Reason.DECLARED)
    exclude(petition, [declared], note=f"{reason_code}: {note}", told=told)


_WHY = text(
    """
    SELECT e.account_id, e.rests_on AS rests_on_id, e.reason, e.kin_scope, e.note, e.since, coalesce(a.name, o.name) AS name,
           CASE WHEN e.account_id IS NULL THEN 'body' ELSE 'person' END AS kind,
           coalesce(p.name, b.name, s.name) AS rests_on
      FROM exclusions e
      LEFT JOIN staff_accounts a ON a.id = e.account_id
      LEFT JOIN organisations o ON o.id = e.org_id
      LEFT JOIN persons p ON p.id = e.rests_on
      LEFT JOIN organisations b ON b.id = e.rests_on
      LEFT JOIN staff_accounts s ON s.id = e.rests_on
     WHERE e.petition_id = :id AND e.lifting_id IS NULL ORDER BY e.since, kind, name
    """
)
# Of these the exclusion follows from somebody who bears a name of the petition.
_BY_NAME = frozenset({Reason.NAMED, Reason.BODY_OF_NAMED, Reason.KIN, Reason.HEADED_BY_KIN})
_SCOPES: Mapping[str, Label] = {one.id: one.label for one in rules.KIN_SCOPES}


def list_exclusions(petition_id: UUID) -> list[dict[str, Any]]:
    """Who must withdraw from a case and why, for the office in charge and those who supervise it; for others who see the
    case the list is empty. Raises Unknown."""
    if db.session.scalar(select(Petition.id).where(Petition.id == petition_id)) is None:
        raise Unknown()
    found = []
    for row in db.session.execute(_WHY, {"id": petition_id}):
        label = rules.REASON_LABELS[Reason(row.reason)]
        scope = _SCOPES.get(row.kin_scope)
        found.append(
            {**row._mapping, "label": label.zh, "label_en": label.en, "kin": scope.zh if scope else None,
             "kin_en": scope.en if scope else None,
             "bearer_id": (row.rests_on_id or row.account_id) if Reason(row.reason) in _BY_NAME else None}
        )  # fmt: skip
    return found


def follow_leading_case(petition: Petition, parent_id: UUID) -> None:
    """A merged case hides from everybody from whom its leading case is hidden: the link would tell them of it."""
    parent = db.session.execute(
        select(Petition.excluded_org_ids, Petition.excluded_account_ids).where(Petition.id == parent_id)
    ).one()
    more = [
        Exclusion(None, one, Reason.LINKED_CASE)
        for one in parent.excluded_org_ids
        if one not in petition.excluded_org_ids
    ]
    more += [
        Exclusion(one, None, Reason.LINKED_CASE)
        for one in parent.excluded_account_ids
        if one not in petition.excluded_account_ids
    ]
    if more:
        exclude(petition, more)


def has_subjects(petition: Petition) -> bool:
    """Whether the petition names anybody, so that the directory has something to say."""
    return bool(petition.accused or petition.keep_from or petition.accused_org_ids)
