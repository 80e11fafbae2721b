"""The worker's part: everything once a night on a fresh snapshot, and around each record that changed at once.

What a sweep finds is folded rule by rule, each in a transaction of its own together with the note of its run. Whatever is cut short is
done again: the same hits fold into the same alerts.
"""

import logging
import time
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

from flask import current_app
from sqlalchemy import insert, text

from app import clock
from app.alerts.folding import Raised, fold_alerts
from app.database import SYSTEM, transaction
from app.extensions import db
from app.rules import duck, snapshot
from app.rules.catalogue import Catalogue, Freshness, Running, catalogue, freshness, running_rules
from app.rules.judging import FAULTS, Found, Moment, hits_of, judge_all, judge_touched, subjects_of
from app.rules.models import RuleRun
from detection.reach import reaches

log = logging.getLogger("mingjian.rules")

NIGHT_HOUR = 1  # in Asia/Shanghai: a day's sweep begins no earlier
CLAIMED = 2000
SWEPT = ("live", "shadow")
_CLAIM = text(
    """
    DELETE FROM touched_groups WHERE id IN (SELECT id FROM touched_groups ORDER BY id LIMIT :most FOR UPDATE SKIP LOCKED)
    RETURNING dataset, place
    """
)
_UNSWEPT = text(
    """
    SELECT v.id FROM rule_versions v
     WHERE v.state IN ('live', 'shadow')
       AND NOT EXISTS (SELECT 1 FROM rule_runs r WHERE r.version_id = v.id AND r.as_of = :today AND r.known_on IS NULL
                          AND r.mode = CASE v.state WHEN 'live' THEN 'full' ELSE 'shadow' END)
    """
)


@dataclass(slots=True)
class RuleReport:
    """One round: `done` rules that ran, `failed` ones, and how many alerts they found."""

    done: int = 0
    failed: int = 0
    alerts: int = 0


def snapshot_folder() -> Path:
    """Where the snapshots lie that all processes of this machine read."""
    folder: Path = current_app.config["SETTINGS"].snapshot_dir
    return folder


def sweep_due(*, stopping: Callable[[], bool] = lambda: False) -> RuleReport:
    """Judge everything by the rules that have not judged it today, from the first hour of the night on. Safe to cut short and to repeat."""
    with transaction(SYSTEM):
        if clock.now().astimezone(clock.SHANGHAI).hour < NIGHT_HOUR:
            return RuleReport()
        waiting = set(db.session.scalars(_UNSWEPT, {"today": clock.today()}))
    return sweep(only=waiting, stopping=stopping) if waiting else RuleReport()


def sweep(
    moment: Moment | None = None,
    *,
    only: set[UUID] | None = None,
    told: Callable[[Running, Found | None], None] = lambda _running, _found: None,
    stopping: Callable[[], bool] = lambda: False,
) -> RuleReport:
    """Judge every record by the rules in force and those that run without consequence, on a snapshot made for it.

    moment: today without one; a run as known on a day raises no alerts, it only counts. told: called after each rule, with None when it
    failed. Opens its own transactions.
    """
    report = RuleReport()
    with transaction(SYSTEM):
        known, fresh, listed, at = catalogue(), freshness(), running_rules(SWEPT), clock.now()
        moment = moment or Moment(clock.today())
    url = db.engine.url.render_as_string(hide_password=False)
    path = snapshot.publish(url, known.datasets.values(), snapshot_folder(), at)
    with duck.connect(str(path), read_only=True) as connection:
        for running in listed:
            if stopping():
                break
            if only is None or running.id in only:
                found = _sweep_one(running, known, fresh, moment, connection)
                told(running, found)
                report.done += found is not None
                report.failed += found is None
                report.alerts += len(found.alerts()) if found else 0
    return report


def _sweep_one(running: Running, known: Catalogue, fresh: Freshness, moment: Moment, connection: Any) -> Found | None:
    mode = "full" if running.state == "live" else "shadow"
    note = _Note(running, known, fresh, moment, mode, "duckdb")
    try:
        found = judge_all(running, known, fresh, moment, connection)
        with transaction(SYSTEM):
            raised = mode == "full" and moment.known_on is None
            note.write(found, _fold(running, known, found, note.id) if raised else {})
    except FAULTS as error:
        # The text of an error may quote what stands in a record: the kind must do.
        log.error("rule %s version %d failed: %s", running.code, running.version, type(error).__name__)
        with transaction(SYSTEM):
            note.write(Found(), {}, type(error).__name__)
        return None
    finally:
        db.session.expunge_all()
    return found


def judge_changes(*, stopping: Callable[[], bool] = lambda: False) -> RuleReport:
    """Judge anew what the records concern that came in since the last time, by every rule that looks at their datasets.

    What is claimed, the alerts and the notes of the runs are written together or not at all. Safe to run twice at once.
    """
    report = RuleReport()
    while not stopping():
        with transaction(SYSTEM):
            touched: dict[str, set[str]] = defaultdict(set)
            for row in db.session.execute(_CLAIM, {"most": CLAIMED}):
                touched[row.dataset].add(row.place)
            if not touched:
                return report
            known, fresh, moment = catalogue(), freshness(), Moment(clock.today())
            for running in running_rules():
                _judge_one(running, known, fresh, moment, touched, report)
    return report


def _judge_one(
    running: Running, known: Catalogue, fresh: Freshness, moment: Moment, touched: Mapping[str, set[str]], report: RuleReport
) -> None:
    note = _Note(running, known, fresh, moment, "touched", "postgresql")
    try:
        if touched.keys().isdisjoint(note.datasets):
            return
        with db.session.begin_nested():
            found = judge_touched(running, known, fresh, moment, touched)
            outcomes = _fold(running, known, found, note.id)
    except FAULTS as error:
        log.error("rule %s version %d failed: %s", running.code, running.version, type(error).__name__)
        note.write(Found(), {}, type(error).__name__)
        report.failed += 1
        return
    note.write(found, outcomes)
    report.done += 1
    report.alerts += len(found.alerts())


def _fold(running: Running, known: Catalogue, found: Found, run_id: UUID) -> Mapping[str, int]:
    if not found.evidence:
        return {}
    raised = Raised(running.code, running.version, running.module, running.document, new=running.new)
    return fold_alerts(raised, hits_of(found), run_id=run_id, subjects=subjects_of(found, known)).outcomes


class _Note:
    """The note of a run: begun before it, so that its time counts, and written with what came of it."""

    def __init__(self, running: Running, known: Catalogue, fresh: Freshness, moment: Moment, mode: str, engine: str):
        self.id = uuid4()
        self._begun = time.monotonic()
        self._at: datetime = clock.now()
        self._fixed = {"version_id": running.id, "mode": mode, "engine": engine, "as_of": moment.as_of, "known_on": moment.known_on}
        self._fresh, self._scope = fresh, running.scope
        self.datasets = _datasets_of(running, known)

    def write(self, found: Found, outcomes: Mapping[str, int], error: str | None = None) -> None:
        """Note the run in the open transaction."""
        row = {
            **self._fixed, "id": self.id, "error": error, "alerts": len(found.alerts()), "evidence": len(found.evidence),
            "unjudged": found.reasons(), "outcomes": dict(outcomes), "started_at": self._at,
            "watermarks": self._fresh.watermarks(self.datasets, self._scope),
            "degraded": self._fresh.degraded(self.datasets, self._scope),
            "milliseconds": round((time.monotonic() - self._begun) * 1000),
        }  # fmt: skip
        db.session.execute(insert(RuleRun.__table__), row)


def _datasets_of(running: Running, known: Catalogue) -> Sequence[str]:
    """What the rule looks at; nothing when its document or its datasets do not fit any more, which its run then says."""
    try:
        return tuple(dict.fromkeys(reach.dataset for reach in reaches(running.rule, known.datasets)))
    except FAULTS:
        return (str(running.document.get("subject")),)
