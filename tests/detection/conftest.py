"""A province of a few small datasets, and the means to say a rule about them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any

import pytest

from app.rules import duck
from detection.checking import check
from detection.compiling import compile_rule
from detection.definitions import Dataset, Name, read_module
from detection.documents import read_rule
from detection.fixtures import Case, Fixtures, world
from detection.tables import Tables


def name(text: str) -> dict[str, str]:
    return {"zh": text, "en": text}


def a_field(code: str, kind: str, **more: Any) -> dict[str, Any]:
    return {"code": code, "name": name(code), "type": kind, **more}


def a_dataset(code: str, key: list[str], event_date: str | None, *fields: dict[str, Any]) -> dict[str, Any]:
    return {
        "code": code,
        "name": name(code),
        "owner": "county",
        "freshness_days": 7,
        "key": key,
        "event_date": event_date,
        "fields": list(fields),
    }


def a_module(*datasets: dict[str, Any]) -> dict[str, Any]:
    return {"code": "trial", "name": name("试"), "datasets": list(datasets)}


def a_rule(kind: str, subject: str, params: dict[str, Any], key: list[str], **more: Any) -> dict[str, Any]:
    return {
        "code": "TR-01",
        "name": name("试"),
        "module": "trial",
        "kind": kind,
        "subject": subject,
        "params": params,
        "key": key,
        "colour": [{"colour": "red"}],
        "basis": ["会计法 14"],
        "innocent": [name("无")],
        "to": "township_discipline",
    } | more


MODULE = a_module(
    a_dataset(
        "journal",
        ["voucher_no"],
        "paid_on",
        a_field("voucher_no", "text"),
        a_field("paid_on", "date"),
        a_field("amount", "money"),
        a_field("direction", "code"),
        a_field("counterpart", "text"),
        a_field("purpose", "text"),
    ),
    a_dataset(
        "project",
        ["project_no"],
        "plan_start",
        a_field("project_no", "text"),
        a_field("plan_start", "date"),
        a_field("budget", "money"),
    ),
    a_dataset(
        "contract", ["project"], "award_on", a_field("project", "ref", ref="project"), a_field("award_on", "date")
    ),
    a_dataset(
        "payroll",
        ["no"],
        "work_date",
        a_field("no", "text"),
        a_field("worker", "person", personal=True),
        a_field("work_date", "date"),
        a_field("amount", "money"),
    ),
    a_dataset(
        "post",
        ["person", "post"],
        "starts_on",
        a_field("person", "person"),
        a_field("post", "code"),
        a_field("starts_on", "date"),
        a_field("ends_on", "date"),
    ),
    a_dataset(
        "relation",
        ["person_a", "person_b"],
        "starts_on",
        *(
            a_field(code, kind)
            for code, kind in {
                "person_a": "person",
                "person_b": "person",
                "relation": "code",
                "starts_on": "date",
                "ends_on": "date",
            }.items()
        ),
        a_field("confidence", "code"),
    ),
    a_dataset(
        "company_role",
        ["company", "person"],
        "starts_on",
        *(
            a_field(code, kind)
            for code, kind in {
                "company": "company",
                "person": "person",
                "company_role": "code",
                "starts_on": "date",
            }.items()
        ),
        a_field("ends_on", "date"),
    ),
    a_dataset(
        "receipt",
        ["no"],
        "received_on",
        a_field("no", "text"),
        a_field("lease", "text"),
        a_field("received_on", "date"),
        a_field("amount", "money"),
    ),
    a_dataset(
        "due",
        ["no"],
        "due_on",
        *(
            a_field(code, kind)
            for code, kind in {
                "no": "text",
                "lease": "text",
                "due_on": "date",
                "done_on": "date",
                "ends_on": "date",
            }.items()
        ),
        a_field("amount", "money"),
    ),
    a_dataset(
        "threshold",
        ["county", "matter", "starts_on"],
        "starts_on",
        a_field("county", "text"),
        a_field("matter", "code"),
        a_field("amount", "money"),
        a_field("starts_on", "date"),
        a_field("ends_on", "date"),
    ),
)


@pytest.fixture(scope="session")
def datasets() -> dict[str, Dataset]:
    return {d.code: d for d in read_module(MODULE).datasets}


PLACE = "330101100201"


def found(
    datasets: Mapping[str, Dataset],
    document: dict[str, Any],
    rows: dict[str, list[dict[str, Any]]],
    *,
    touched: bool = False,
    axis: list[str] | None = None,
    **tables: Any,
):
    """Alert key -> (colour, money, row ids), and the row ids that cannot be judged."""
    rule = read_rule(document)
    check(rule, datasets)
    fixtures = Fixtures(date(2026, 1, 1), (Case("hit", Name("", ""), rows, (), 0),))
    with duck.connect() as connection:
        duck.make_tables(connection, datasets.values())
        for code, filled in world(fixtures, datasets).items():
            duck.put_rows(connection, datasets[code], filled)
        given = Tables(datasets, **{"as_of": date(2026, 1, 1), **tables}, touched=touched)
        evidence, unjudged = duck.run(
            connection, compile_rule(rule, given, "duckdb"), (axis or [PLACE]) if touched else None
        )
    alerts: dict[str, Any] = {}
    for row in evidence:
        colour, money, ids = alerts.get(row["alert_key"], (row["colour"], row["money"], []))
        alerts[row["alert_key"]] = (colour, money, sorted([*ids, row["row_id"]]))
    return alerts, sorted(row["row_id"] for row in unjudged)
