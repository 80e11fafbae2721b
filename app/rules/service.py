"""Rules as officials write them: drafts, what each step of their life asks for, and how often they were right."""

from collections import Counter
from collections.abc import Mapping
from typing import Any
from uuid import uuid4

from sqlalchemy import func, insert, select, text
from sqlalchemy.exc import IntegrityError

from app import clock, idempotency
from app.alerts.of_rules import verdicts_by_version
from app.auth import Identity
from app.errors import Conflict, Forbidden, Invalid, Unknown
from app.extensions import db
from app.rules import door
from app.rules.catalogue import Running, catalogue, read
from app.rules.comparing import compare, look_ahead
from app.rules.loading import SHIPPED, checked, invalid
from app.rules.models import RuleHead, RuleRun, RuleVersion
from app.rules.trial import trials
from detection.definitions import Dataset
from detection.fixtures import read_fixtures
from detection.precision import Share, precision
from detection.problems import Invalid as InvalidDocument
from detection.reach import reaches
from detection.sentences import sentence
from workflows.rule import PROPOSERS, TABLE, scope_of

_LIST = text(
    """
    SELECT r.code, r.module, r.scope, v.version, v.state, v.document->'name' AS name, v.document->>'kind' AS kind, v.changed_at,
           (SELECT l.version FROM rule_versions l WHERE l.code = r.code AND l.state = 'live') AS live_version
      FROM rules r JOIN LATERAL (SELECT * FROM rule_versions n WHERE n.code = r.code ORDER BY n.version DESC LIMIT 1) v ON true
     WHERE (CAST(:module AS text) IS NULL OR r.module = :module) AND (CAST(:state AS text) IS NULL OR EXISTS (
             SELECT 1 FROM rule_versions s WHERE s.code = r.code AND s.state = :state))
       AND r.code > :after
     ORDER BY r.code LIMIT :most
    """
)
RUNS_SHOWN = 10


def list_rules(query: Mapping[str, Any]) -> dict[str, Any]:
    """The rules of the actor's area, by code, each with its newest version and the one in force. One statement."""
    values = {"module": query["module"], "state": query["state"], "after": query["after"], "most": query["limit"] + 1}
    found = [dict(row) for row in db.session.execute(_LIST, values).mappings()]
    items = found[: query["limit"]]
    return {"items": items, "next": items[-1]["code"] if len(found) > len(items) else None}


def get_rule(code: str, who: Identity) -> dict[str, Any]:
    """A rule with all its versions, the newest first, each with its document, its sentence and what may be done with it now; and its last
    runs. Four statements. Raises Unknown."""
    head = db.session.get(RuleHead, code)
    if head is None:
        raise Unknown
    versions = db.session.scalars(select(RuleVersion).where(RuleVersion.code == code).order_by(RuleVersion.version.desc())).all()
    runs = db.session.scalars(
        select(RuleRun).where(RuleRun.version_id.in_([one.id for one in versions])).order_by(RuleRun.started_at.desc()).limit(RUNS_SHOWN)
    ).all()
    known, numbers = catalogue(), {one.id: one.version for one in versions}
    return {
        "code": head.code, "module": head.module, "scope": head.scope,
        "versions": [_version(one, known.datasets, who) for one in versions],
        "runs": [{**_columns(run), "version": numbers[run.version_id]} for run in runs],
    }  # fmt: skip


def _version(one: RuleVersion, known: Mapping[str, Dataset], who: Identity) -> dict[str, Any]:
    try:
        rule = checked(one.document, known)
        told: dict[str, str] | None = {language: sentence(rule, known, language) for language in ("zh", "en")}
    except Invalid:
        # Its datasets are other ones now: it can be read as a document alone.
        told = None
    return {**_columns(one), "sentence": told, "allowed_actions": door.actions_for(one, who.actor)}


def _columns(row: Any) -> dict[str, Any]:
    return {column.key: getattr(row, column.key) for column in row.__table__.columns}


def draft_rule(document: Mapping[str, Any], who: Identity) -> Mapping[str, Any]:
    """Put down a rule for the actor's county, city or province, or a new version of one; the version in force stays so.

    Raises Invalid `invalid-rule` with the path of every fault, Forbidden, and Conflict `rule-taken` (somebody else's code).
    """
    if who.actor.role not in PROPOSERS:
        raise Forbidden
    return idempotency.once(None, document, lambda: _draft(document, who))


def _draft(document: Mapping[str, Any], who: Identity) -> dict[str, Any]:
    rule = checked(document, catalogue().datasets)
    scope, now = scope_of(who.actor), clock.now()
    head = db.session.get(RuleHead, rule.code)
    if head is None:
        row = {"code": rule.code, "module": rule.module, "scope": scope, "created_at": now, "created_by": who.actor.person_id}
        try:
            with db.session.begin_nested():
                db.session.execute(insert(RuleHead.__table__).inline(), row)
        except IntegrityError as error:
            # Another county has this code, of which nothing more may be told.
            raise Conflict("rule-taken") from error
    elif head.scope != scope and not (head.scope == SHIPPED and len(scope) == 2):
        raise Conflict("rule-taken")
    else:
        scope = head.scope
    last = db.session.scalar(select(func.max(RuleVersion.version)).where(RuleVersion.code == rule.code)) or 0
    version = {
        "id": uuid4(), "code": rule.code, "scope": scope, "version": last + 1, "document": dict(document), "state": TABLE.initial,
        "author_id": who.actor.person_id, "created_at": now, "changed_at": now,
    }  # fmt: skip
    try:
        with db.session.begin_nested():
            db.session.execute(insert(RuleVersion.__table__).inline(), version)
    except IntegrityError as error:
        raise Conflict("changed-meanwhile") from error
    return {"code": rule.code, "version": last + 1}


def check_rule(code: str, number: int, who: Identity) -> dict[str, Any]:
    """Hold a draft against the datasets as they are now. Raises Invalid `invalid-rule` with the path of every fault."""
    version = door.lock(code, number, "check")
    TABLE.allowed(version, "check", who.actor, {})
    checked(version.document, catalogue().datasets)
    return _moved(version, "check", who)


def try_rule(code: str, number: int, who: Identity) -> dict[str, Any]:
    """Run a version on its own cases. Raises Invalid `invalid-rule`: too few cases, or what it does otherwise than they say."""
    version = door.lock(code, number, "try_out")
    TABLE.allowed(version, "try_out", who.actor, {})
    known = catalogue().datasets
    rule = checked(version.document, known)
    try:
        fixtures = read_fixtures(version.document.get("fixtures"), known)
    except InvalidDocument as error:
        raise invalid(error) from error
    needed = {reach.dataset for reach in reaches(rule, known)} | {code for case in fixtures.cases for code in case.rows}
    with trials({code: known[code] for code in known if code in needed or known[code].module == "reference"}) as world:
        faults = world.differences(rule, fixtures)
    if faults:
        raise Invalid({"fixtures": faults}, slug="invalid-rule")
    return _moved(version, "try_out", who, cases=len(fixtures.cases))


def preview_rule(code: str, number: int, facts: Mapping[str, Any], who: Identity) -> dict[str, Any]:
    """What a version finds in a county and a year, on the newest snapshot: see comparing.look_ahead. Raises Forbidden for a county that is
    not the actor's, and Conflict `no-snapshot`."""
    county = facts["county"]
    if not (county.startswith(who.actor.scope) or who.actor.scope.startswith(county)):
        raise Forbidden
    version = door.lock(code, number, "preview")
    TABLE.allowed(version, "preview", who.actor, {})
    found = look_ahead(_running(version), county, facts["year"], who.actor.scope)
    kept = {key: found[key] for key in ("county", "year", "snapshot", "alerts")}
    return {**_moved(version, "preview", who, **kept), "preview": found}


def back_test_rule(code: str, number: int, who: Identity) -> dict[str, Any]:
    """Hold a version against the one in force on the newest snapshot: see comparing.compare. Raises Conflict `no-snapshot`."""
    version = door.lock(code, number, "back_test")
    TABLE.allowed(version, "back_test", who.actor, {})
    found = _compared(version, who)
    return {**_moved(version, "back_test", who, **found), "back_test": found}


def start_shadow(code: str, number: int, who: Identity) -> dict[str, Any]:
    """Let a version run each night without consequence."""
    return _moved(door.lock(code, number, "start_shadow"), "start_shadow", who)


def approve_rule(code: str, number: int, facts: Mapping[str, Any], who: Identity) -> dict[str, Any]:
    """Put a version into force as a second person; the one that was goes at the same moment.

    A version that no longer finds an item that was confirmed stands back, unless `lost_items` names each such item and `justification` says
    why: raises Conflict `confirmed-lost` with the numbers of those that are not named. The records are looked at anew with the eyes of
    whoever approves.
    """
    version = door.lock(code, number, "approve")
    shadow_runs = db.session.scalar(
        select(func.count()).where(RuleRun.version_id == version.id, RuleRun.mode == "shadow", RuleRun.error.is_(None))
    )
    TABLE.allowed(version, "approve", who.actor, {"shadow_runs": shadow_runs})
    lost = _compared(version, who)["confirmed_lost"]
    unnamed = lost if not facts["justification"] else [item for item in lost if item not in facts["lost_items"]]
    if unnamed:
        raise Conflict("confirmed-lost", items=unnamed)
    earlier = door.in_force(code)
    if earlier is not None:
        door.move(earlier, "supersede", who.actor, newer=version.version)
    return _moved(version, "approve", who, **facts, confirmed_lost=lost, shadow_runs=shadow_runs)


def retire_rule(code: str, number: int, facts: Mapping[str, Any], who: Identity) -> dict[str, Any]:
    """Take a version out of force, or give up one that is not yet in force."""
    return _moved(door.lock(code, number, "retire"), "retire", who, **facts)


def _compared(version: RuleVersion, who: Identity) -> dict[str, Any]:
    live = db.session.scalars(
        select(RuleVersion).where(RuleVersion.code == version.code, RuleVersion.state == "live", RuleVersion.id != version.id)
    ).one_or_none()
    return compare(_running(version), _running(live) if live else None, who.actor.scope)


def _running(version: RuleVersion) -> Running:
    module = read(version.document).module
    return Running(version.id, version.code, version.version, module, version.scope, version.state, version.document, new=False)


def _moved(version: RuleVersion, event: str, who: Identity, **facts: Any) -> dict[str, Any]:
    door.move(version, event, who.actor, **facts)
    return {"code": version.code, "version": version.version, "state": version.state, "allowed_actions": door.actions_for(version, who.actor)}


def precision_of_rule(code: str) -> dict[str, Any]:
    """How often a rule was right, from the verdicts on its items that the actor may see: by version and county, and by version in all.
    Two statements. Raises Unknown."""
    if db.session.get(RuleHead, code) is None:
        raise Unknown
    counted = verdicts_by_version(code)
    totals: dict[int, Counter[str]] = {}
    for (version, _), verdicts in counted.items():
        totals.setdefault(version, Counter()).update(verdicts)
    items = [_precise(version, None, totals[version]) for version in sorted(totals, reverse=True)]
    items += [_precise(version, county, counted[version, county]) for version, county in sorted(counted, key=lambda k: (-k[0], k[1]))]
    return {"code": code, "items": items}


def _precise(version: int, county: str | None, verdicts: Mapping[str, int]) -> dict[str, Any]:
    found = precision(verdicts)
    return {
        "version": version, "county": county, "verdicts": dict(verdicts), "decided": found.decided, "enough": found.strict is not None,
        "strict": _share(found.strict), "useful": _share(found.useful), "data_errors": found.data_errors,
        "unverifiable": found.unverifiable,
    }  # fmt: skip


def _share(share: Share | None) -> dict[str, float] | None:
    return share and {"value": share.value, "low": share.low, "high": share.high}
