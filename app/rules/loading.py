"""Rules as the owner loads them: checked and tried like everybody's, and then in force. An official's version is never overruled."""

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any
from uuid import uuid4

from sqlalchemy import insert, select, update

from app import clock
from app.errors import Conflict, Invalid
from app.extensions import db
from app.rules.catalogue import catalogue
from app.rules.models import RuleHead, RuleVersion
from app.rules.trial import Trials, trials
from detection.checking import check
from detection.definitions import Dataset
from detection.documents import Rule, read_rule
from detection.fixtures import read_fixtures
from detection.problems import Invalid as InvalidDocument

SHIPPED = ""


def load_rules(documents: Iterable[Any]) -> Counter[str]:
    """Put these rules into force in the open transaction of the owner; returns how many are `new`, `changed`, `proposed` (an official's
    version stays in force) and `unchanged`.

    Raises Invalid `invalid-rule` with the path of every fault, or with what a rule does otherwise than its cases say, and Conflict
    `rule-taken` when the code is somebody else's.
    """
    known = catalogue().datasets
    counts: Counter[str] = Counter()
    with trials(known) as world:
        for document in documents:
            counts[_load(document, known, world)] += 1
    return counts


def _load(document: Any, known: Mapping[str, Dataset], world: Trials) -> str:
    stored = db.session.scalars(select(RuleVersion).where(RuleVersion.code == document.get("code")).order_by(RuleVersion.version)).all()
    shipped = [one for one in stored if one.author_id is None]
    if stored and stored[0].scope != SHIPPED:
        raise Conflict("rule-taken")
    if shipped and shipped[-1].document == document:
        return "unchanged"
    rule = checked(document, known)
    try:
        faults = world.differences(rule, read_fixtures(document.get("fixtures"), known))
    except InvalidDocument as error:
        raise invalid(error, rule.code) from error
    if faults:
        raise Invalid({f"{rule.code}.fixtures": faults}, slug="invalid-rule")
    live = next((one for one in stored if one.state == "live"), None)
    proposed = (live is not None and live.author_id is not None) or not rule.enabled
    now = clock.now()
    if not stored:
        head = {"code": rule.code, "module": rule.module, "scope": SHIPPED, "created_at": now}
        db.session.execute(insert(RuleHead.__table__), head)
    if live is not None and not proposed:
        db.session.execute(update(RuleVersion).where(RuleVersion.id == live.id).values(state="retired", retired_at=now, changed_at=now))
    version = {
        "id": uuid4(), "code": rule.code, "scope": SHIPPED, "version": len(stored) + 1, "document": document, "created_at": now,
        "changed_at": now, "state": "draft" if proposed else "live", "live_at": None if proposed else now,
    }  # fmt: skip
    db.session.execute(insert(RuleVersion.__table__), version)
    return "proposed" if proposed else "changed" if stored else "new"


def checked(document: object, known: Mapping[str, Dataset]) -> Rule:
    """The rule of a document that can be run. Raises Invalid `invalid-rule` with the path of every fault."""
    try:
        rule = read_rule(document)
        check(rule, known)
    except InvalidDocument as error:
        raise invalid(error) from error
    return rule


def invalid(error: InvalidDocument, code: str | None = None) -> Invalid:
    """The faults of a document by the path at which they stand."""
    found: dict[str, list[str]] = {}
    for problem in error.problems:
        place = problem.where or "_"
        found.setdefault(f"{code}.{place}" if code else place, []).append(problem.code)
    return Invalid(found, slug="invalid-rule")
