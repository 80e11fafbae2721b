"""Records for people: what is known of a place, now or as of a day. Row-level security decides which rows there are."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import text

from app.extensions import db
from app.records import store

SYSTEM = ("row_id", "source", "version", "place", "event_on", "arrived_at", "superseded_at")


def list_records(code: str, query: Mapping[str, Any]) -> dict[str, Any]:
    """Records of a dataset below `place`, as known on the day `known_on` or now: `items` in the order of arrival without fields
    that are personal, `next` is the row to go on after. Raises Unknown when there is no such dataset for the actor."""
    dataset = store.dataset_of(code)
    condition, values = store.known_on(query["known_on"])
    fields = [one.code for one in dataset.fields if not one.personal]
    columns = ", ".join(f'"{name}"' for name in (*SYSTEM, *fields))
    rows = db.session.execute(
        text(
            f"""
            SELECT {columns}, string_to_array(regexp_replace(trim(both ';' FROM unreadable), '=[^;]*', '', 'g'), ';') AS unreadable
              FROM records."{dataset.code}"
             WHERE {condition} AND place >= :place AND place < :place || ':' AND row_id > :after
             ORDER BY row_id LIMIT :most
            """
        ),
        {**values, "place": query["place"] or "", "after": query["after"], "most": query["limit"] + 1},
    ).mappings()
    items = [dict(row) for row in rows]
    kept = items[: query["limit"]]
    return {"items": kept, "next": kept[-1]["row_id"] if len(items) > len(kept) else None}
