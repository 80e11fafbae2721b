"""Who hears of a step of a clue: those on its list at the moment of delivery, and where it rose the heads it rose to."""

from collections import defaultdict
from collections.abc import Iterable
from typing import Any

from sqlalchemy import Row, text

from app.extensions import db

_HEARERS = text("SELECT * FROM clue_hearers(CAST(:ids AS uuid[]))")


def hearers_of(clue_ids: Iterable[str]) -> dict[tuple[str, str], list[Row[Any]]]:
    """(clue, audience `readers` or `clue_heads`) → accounts (id, email), with one query; for the worker alone. Whoever left the
    list, or has to withdraw by now, is not among them."""
    ids = sorted(set(clue_ids))
    found: dict[tuple[str, str], list[Row[Any]]] = defaultdict(list)
    for row in db.session.execute(_HEARERS, {"ids": ids}) if ids else ():
        found[str(row.clue_id), row.audience].append(row)
    return found
