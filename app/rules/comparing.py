"""What a version would do: over the records of a county and a year, and beside the version that is in force."""

import time
from collections import Counter
from collections.abc import Iterable
from typing import Any

from app import clock
from app.alerts.of_rules import Decided, decided_items
from app.errors import Conflict
from app.rules import duck, snapshot
from app.rules.catalogue import Running, catalogue, freshness
from app.rules.judging import Found, Moment, judge_all
from app.rules.running import snapshot_folder

SHOWN = 20
CONFIRMED, FALSE = frozenset("AB"), frozenset("CD")
_WEEKS = 52


def look_ahead(running: Running, county: str, year: int, within: str) -> dict[str, Any]:
    """What the version finds on the newest snapshot in a county and a year (of the event), in places that begin with `within`: counts by
    township and month, the first twenty alerts with their records, what can not be judged, and how many alerts a week to expect.

    Raises Conflict `no-snapshot`.
    """
    begun = time.monotonic()
    (found,), taken = _on_snapshot([running])
    evidence = [
        row
        for row in found.evidence
        if row["place"].startswith(county) and row["place"].startswith(within) and row["happened_on"] and row["happened_on"].year == year
    ]
    alerts: dict[str, list[dict[str, Any]]] = {}
    for row in evidence:
        alerts.setdefault(row["alert_key"], []).append(row)
    heads = [rows[0] for rows in alerts.values()]
    unjudged = [row for row in found.unjudged if row["place"].startswith(county) and row["place"].startswith(within)]
    return {
        "county": county, "year": year, "snapshot": taken, "alerts": len(alerts), "evidence": len(evidence),
        "alerts_per_week": round(len(alerts) / _WEEKS, 1),
        "by_township": _counted(row["place"][:9] for row in heads), "by_month": _counted(f"{row['happened_on']:%Y-%m}" for row in heads),
        "by_colour": _counted(row["colour"] for row in heads), "unjudged": _counted(row["reason"] for row in unjudged),
        "first": [_shown(key, alerts[key]) for key in sorted(alerts)[:SHOWN]],
        "milliseconds": round((time.monotonic() - begun) * 1000),
    }  # fmt: skip


def _counted(values: Iterable[str]) -> dict[str, int]:
    return dict(sorted(Counter(values).items()))


def _shown(key: str, rows: list[dict[str, Any]]) -> dict[str, Any]:
    money = [row["money"] for row in rows if row["money"] is not None]
    return {
        "alert_key": key, "place": rows[0]["place"], "happened_on": rows[0]["happened_on"], "colour": rows[0]["colour"],
        "money_fen": max(money, default=None),
        "records": [{"part": row["part"], "dataset": row["dataset"], "row_id": row["row_id"]} for row in rows],
    }  # fmt: skip


def compare(new: Running, old: Running | None, within: str) -> dict[str, Any]:
    """What changes when the version takes the place of the one in force (None: there is none), on one snapshot and in places that begin
    with `within`: alerts gained, lost and the same; confirmed items lost, which stand in the way of the version; false alarms and
    lawful cases that go; decided items that stay. Raises Conflict `no-snapshot`."""
    found, taken = _on_snapshot([new, old] if old else [new])
    keys = [_keys(each, within) for each in found]
    now, before = keys[0], keys[1] if old else {}
    decided = [one for one in decided_items(new.code) if one.place.startswith(within)]
    gone = [one for one in decided if one.alert_key not in now and (not old or one.alert_key in before)]
    return {
        "snapshot": taken, "against": old.version if old else None,
        "gained": len(now.keys() - before.keys()), "lost": len(before.keys() - now.keys()), "same": len(now.keys() & before.keys()),
        "money_fen": sum(now.values()), "money_fen_before": sum(before.values()),
        "confirmed_lost": _serials(gone, CONFIRMED), "false_removed": _serials(gone, FALSE),
        "confirmed_kept": len([one for one in decided if one.verdict in CONFIRMED and one.alert_key in now]),
        "false_kept": len([one for one in decided if one.verdict in FALSE and one.alert_key in now]),
    }  # fmt: skip


def _keys(found: Found, within: str) -> dict[str, int]:
    """Each alert with the fen at stake."""
    keys: dict[str, int] = {}
    for row in found.evidence:
        if row["place"].startswith(within):
            keys[row["alert_key"]] = max(keys.get(row["alert_key"], 0), row["money"] or 0)
    return keys


def _serials(items: Iterable[Decided], verdicts: frozenset[str]) -> list[str]:
    return [one.serial for one in items if one.verdict in verdicts]


def _on_snapshot(versions: list[Running]) -> tuple[list[Found], str]:
    """What each version finds on the newest snapshot, and which one that is."""
    path = snapshot.newest(snapshot_folder())
    if path is None:
        raise Conflict("no-snapshot")
    known, fresh, moment = catalogue(), freshness(), Moment(clock.today())
    with duck.connect(str(path), read_only=True) as connection:
        return [judge_all(each, known, fresh, moment, connection) for each in versions], path.stem.removeprefix("snapshot-")
