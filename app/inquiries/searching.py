"""One query over all datasets for one subject. Row-level security decides which rows there are."""

from collections.abc import Iterable
from typing import Any

from sqlalchemy import text

from app.auth import Identity
from app.extensions import db
from app.inquiries.coverage import Coverage, read_coverage
from app.inquiries.record import Use, put_on_record
from app.inquiries.subjects import Subject, columns_of, require_inquirer, subject_of
from app.signin import limits
from detection.definitions import Dataset

MOST_ROWS = 20
CURRENT = "t.superseded_at IS NULL AND NOT t.withdrawn"
_SYSTEM = ("row_id", "source", "version", "place", "event_on", "arrived_at")


def query_everything(draft: dict[str, Any], who: Identity) -> dict[str, Any]:
    """Every dataset's rows about the subject of `draft` that are known now, the newest first, with what was searched and what was
    missing. Personal fields are left out unless `reveal` asks for them by right. The use goes on record before anything is told.

    Raises Forbidden, Invalid (a number that is none), Unknown (no such petition for the actor), TooMany.
    """
    require_inquirer(who.actor, reveal=draft["reveal"])
    subject = subject_of(draft["about"])
    limits.count("inquiry", str(who.actor.person_id))
    coverage = read_coverage()
    searched = [code for code, dataset in coverage.datasets.items() if columns_of(dataset, subject.kind)]
    rows = _find(subject, [coverage.datasets[code] for code in searched], reveal=draft["reveal"])
    counts = {code: found[0]["found"] for code, found in rows.items()}
    use = Use(subject, draft["purpose"], draft["petition_id"], draft["alert_id"], revealed=draft["reveal"], counts=counts)
    put_on_record(use, who)
    area = subject.key if subject.kind == "place" else who.actor.scope
    return {
        "id": use.id,
        "at": use.at,
        "found": sum(counts.values()),
        "datasets": [_told(coverage, code, area, rows.get(code, []), reveal=draft["reveal"]) for code in searched],
    }


def _find(subject: Subject, datasets: Iterable[Dataset], *, reveal: bool) -> dict[str, list[dict[str, Any]]]:
    parts = [_part(dataset, subject.kind, reveal=reveal) for dataset in datasets]
    found: dict[str, list[dict[str, Any]]] = {}
    if parts:
        statement = text(" UNION ALL ".join(parts))
        for row in db.session.execute(statement, {"key": subject.key, "most": MOST_ROWS}).mappings():
            found.setdefault(row["dataset"], []).append(dict(row))
    return found


def _part(dataset: Dataset, kind: str, *, reveal: bool) -> str:
    columns = columns_of(dataset, kind)
    found_in = ", ".join(f"CASE WHEN t.\"{name}\" = :key THEN '{name}' END" for name in columns)
    shown = ", ".join(f't."{name}"' for name in shown_columns(dataset, reveal=reveal)) or "NULL AS nothing"
    return f"""
        (SELECT '{dataset.code}' AS dataset, {", ".join(f"t.{name}" for name in _SYSTEM)}, count(*) OVER () AS found,
                array_remove(ARRAY[{found_in}], NULL) AS found_in, (SELECT to_jsonb(x) FROM (SELECT {shown}) x) AS fields
           FROM records."{dataset.code}" t
          WHERE {CURRENT} AND ({" OR ".join(f't."{name}" = :key' for name in columns)})
          ORDER BY t.row_id DESC LIMIT :most)
    """


def shown_columns(dataset: Dataset, *, reveal: bool) -> tuple[str, ...]:
    """The columns that an asker is shown. Keyed hashes never: beside a person stands the name, when personal fields are shown."""
    shown: list[str] = []
    for field in dataset.fields:
        if reveal or not field.personal:
            shown += [name for name in field.columns if name != field.code or field.type not in {"person", "account"}]
    return tuple(shown)


def _told(coverage: Coverage, code: str, area: str, rows: list[dict[str, Any]], *, reveal: bool) -> dict[str, Any]:
    dataset = coverage.datasets[code]
    return {
        **coverage.of(code, area),
        "found": rows[0]["found"] if rows else 0,
        "masked": [field.code for field in dataset.fields if field.personal and not reveal],
        "items": rows,
    }
