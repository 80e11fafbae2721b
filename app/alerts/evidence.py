"""The rows that an alert rests on, as they were found: row-level security of each dataset decides who reads them.

The one thing asked of the records feature: tables `records.<dataset>` with the system columns, and `datasets` with the
definition that names the fields.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import text

from app.extensions import db

SYSTEM = frozenset(
    "row_id source source_key version place event_on arrived_at superseded_at withdrawn batch_id unreadable".split()
)
_SHOWN = ("source", "version", "event_on", "arrived_at", "superseded_at")
_DEFINITIONS = text("SELECT code, definition FROM datasets WHERE code = ANY(:codes)")


def read_rows(rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The evidence with what each row says: source, version, arrival, and fields with their names. A row that the reader may not
    read, or whose dataset is not here, is `readable: false` and says nothing. Two statements, none when all content came along."""
    found, definitions = _fetch(rows)
    return [_view(row, found.get((row["dataset"], row["row_id"])), definitions.get(row["dataset"], {})) for row in rows]


def _fetch(rows: Sequence[Mapping[str, Any]]) -> tuple[dict[tuple[str, int], dict[str, Any]], dict[str, dict[str, Any]]]:
    wanted: dict[str, list[int]] = defaultdict(list)
    for row in rows:
        if row["row_id"] >= 0:
            wanted[row["dataset"]].append(row["row_id"])
    if not wanted:
        return {}, {}
    definitions = dict(db.session.execute(_DEFINITIONS, {"codes": sorted(wanted)}).all())
    # The names are those of datasets that the database itself has accepted: letters, digits and underscores.
    parts = [
        f"SELECT '{code}' AS dataset, t.row_id, to_jsonb(t) AS row FROM records.\"{code}\" t WHERE t.row_id = ANY(:rows_{n})"
        for n, code in enumerate(definitions)
    ]
    if not parts:
        return {}, {}
    values: dict[str, Any] = {f"rows_{n}": wanted[code] for n, code in enumerate(definitions)}
    found = {(row.dataset, row.row_id): row.row for row in db.session.execute(text(" UNION ALL ".join(parts)), values)}
    return found, definitions


def _view(row: Mapping[str, Any], stored: Mapping[str, Any] | None, definition: Mapping[str, Any]) -> dict[str, Any]:
    content = row["content"]
    known = {one["code"]: one for one in definition.get("fields", ())}
    values = content if content is not None else stored or {}
    return {
        **{name: row[name] for name in ("dataset", "row_id", "part", "money_fen", "added_at")},
        **{name: (stored or {}).get(name) for name in _SHOWN},
        "dataset_name": definition.get("name") or _plain(row["dataset"]),
        "readable": bool(values),
        "fields_": [
            {"code": name, "label": _label(name, known), "type": known.get(name, {}).get("type", "text"), "value": value}
            for name, value in values.items()
            if name not in SYSTEM
        ],
    }


def _label(name: str, known: Mapping[str, Any]) -> dict[str, str]:
    if name in known:
        label: dict[str, str] = known[name]["name"]
        return label
    base = known.get(name.removesuffix("_name"))
    return {"zh": base["name"]["zh"] + "(名称)", "en": base["name"]["en"] + " (name)"} if base else _plain(name)


def _plain(name: str) -> dict[str, str]:
    return {"zh": name, "en": name}
