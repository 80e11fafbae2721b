"""The working-day calendar and the limits in force, read from the database once per process and kept for a minute."""

import logging
import time
from collections.abc import Iterable
from dataclasses import replace
from datetime import date
from typing import Any

from flask import current_app
from sqlalchemy import select

from app.extensions import db
from app.supervision.models import Holiday, HolidayYear, PolicyOverride
from workflows.alert_limits import ALERT_LIMITS
from workflows.calendar import WorkCalendar
from workflows.clue_limits import CLUE_LIMITS
from workflows.deadlines import PolicyIndex
from workflows.policies import PRESETS, Policy, all_versions

log = logging.getLogger("mingjian.limits")

KEEP_SECONDS = 60
_Kept = tuple[WorkCalendar, PolicyIndex, PolicyIndex, PolicyIndex]
_kept: dict[str, Any] = {}


def current() -> tuple[WorkCalendar, PolicyIndex]:
    """The calendar and every version of every limit of a petition, by the configured preset."""
    calendar, petitions, _clues, _alerts = _in_force()
    return calendar, petitions


def current_of_clues() -> tuple[WorkCalendar, PolicyIndex]:
    """The calendar and every version of every limit of a clue."""
    calendar, _petitions, clues, _alerts = _in_force()
    return calendar, clues


def current_of_alerts() -> tuple[WorkCalendar, PolicyIndex]:
    """The calendar and every version of every limit of an alert."""
    calendar, _petitions, _clues, alerts = _in_force()
    return calendar, alerts


def _in_force() -> _Kept:
    preset = current_app.config["SETTINGS"].policy_preset
    if _kept.get("until", 0) < time.monotonic() or _kept.get("preset") != (
        preset,
        id(current_app._get_current_object()),
    ):
        _kept.update(value=_read(preset), until=time.monotonic() + KEEP_SECONDS)
        _kept["preset"] = (preset, id(current_app._get_current_object()))
    value: _Kept = _kept["value"]
    return value


def forget() -> None:
    """Read the database again at the next use: after an import."""
    _kept.clear()


def _read(preset: str) -> _Kept:
    notices: dict[int, dict[date, bool]] = {year: {} for year in db.session.scalars(select(HolidayYear.year))}
    for day, is_off in db.session.execute(select(Holiday.day, Holiday.is_off)):
        if day.year in notices:
            notices[day.year][day] = is_off
    rows = db.session.execute(
        select(PolicyOverride.policy_id, PolicyOverride.valid_from, PolicyOverride.amount).where(
            PolicyOverride.preset == preset
        )
    ).all()
    petitions, clues, alerts = (
        PolicyIndex(all_versions(limits, _overrides(limits, rows))) for limits in (PRESETS[preset], CLUE_LIMITS, ALERT_LIMITS)
    )
    return WorkCalendar.from_notices(notices), petitions, clues, alerts


def _overrides(limits: Iterable[Policy], rows: Any) -> tuple[Policy, ...]:
    """The rows as versions of these limits. One whose amount is no period is left out, so that what held before it goes on
    to hold: a slip of an operator must not take every limit of every case away."""
    known = {policy.id: policy for policy in limits}
    versions = []
    for row in rows:
        if row.policy_id not in known:
            continue
        try:
            versions.append(replace(known[row.policy_id], amount=row.amount, valid_from=row.valid_from))
        except ValueError:
            log.error(
                "policy_overrides: %s from %s with amount %d is no period and is left out", row.policy_id, row.valid_from,
                row.amount,
            )  # fmt: skip
    return tuple(versions)
