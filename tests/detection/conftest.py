"""A province of four small datasets, and the means to say a rule about them."""

from __future__ import annotations

from typing import Any

import pytest

from detection.definitions import Dataset, read_module


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
