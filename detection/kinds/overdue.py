"""K8: what was to be paid or done by a day has not been, or one period in the middle was left out.

`done`: the record itself says when it was done. `settle`: payments in another dataset are set against what was due, the oldest first.
`gap`: a period without payment between two that have one. `accrual`: a contract without a plan of payments owes its yearly amount for
each full year.
"""

from __future__ import annotations

import functools
from typing import Any

import ibis
from ibis.expr import types as ir

from detection.conditions import condition, is_unreadable
from detection.documents import Rule
from detection.kinds.base import Hits, Kind, Param, cannot_judge, later, of, part
from detection.tables import TOUCHED, Tables, number, on

_PARAMS = (
    Param("mode", "choice", choices=("done", "settle", "gap", "accrual")),
    Param("due", "day"),
    Param("grace_days", "days", required=False, default=0, most=3660),
    Param("done", "day", required=False),
    Param("amount", "amount", required=False),
    Param("ends", "day", required=False),
    Param("paid", "dataset", required=False),
    Param("match", "match", required=False, over="paid"),
    Param("same_place", "yes-no", required=False, default=True),
    Param("paid_amount", "amount-of", required=False, over="paid"),
    Param("paid_where", "condition", required=False, over="paid"),
    Param("debtor", "columns", required=False),
    Param("tolerance", "money", required=False, default=0),
    Param("nothing_at_all", "yes-no", required=False, default=False),
)
_NEEDS = {
    "done": ("done",),
    "settle": ("amount", "paid", "match", "paid_amount", "debtor"),
    "gap": ("paid", "match", "debtor"),
    "accrual": ("amount", "paid", "match", "paid_amount"),
}


def _find(rule: Rule, subject: ir.Table, tables: Tables) -> Hits:
    given = of(rule, OVERDUE)
    # Without its day, its amount or its debtor nobody knows what is owed; a day that stands there and can not be read is not no day.
    wanted = {"settle": ["amount"], "accrual": ["amount"]}.get(given["mode"], [])
    asked = [given[name] for name in ("due", *wanted)] + list(given["debtor"] or [])
    known = functools.reduce(lambda a, b: a & b, [subject[column].notnull() for column in asked])
    if given["mode"] == "done":
        known = known & ~is_unreadable(subject, given["done"])
        asked.append(given["done"])
    unjudged: tuple[ir.Table, ...] = (cannot_judge(subject.filter(~known), f"missing:{','.join(asked)}"),)
    subject = subject.filter(known)
    if given["mode"] == "done":
        return Hits(_done(subject, given, tables.judged_on(rule.subject)), unjudged=unjudged)
    until = tables.judged_on(given["paid"])
    payments = _payments(given, tables)
    pairs = _pairs(given)
    met = subject.inner_join(payments, [subject[ours] == payments[f"_p{i}"] for i, (_, ours) in enumerate(pairs)])
    evidence = ((given["paid"], part(met, "row_id", given["paid"], "_payment")),)
    paid = payments.group_by(**{f"_s{i}": payments[f"_p{i}"] for i in range(len(pairs))}).aggregate(
        _paid=payments._amount.sum().cast("int64"),
        _times=payments.count().cast("int64"),
        _unread=payments._amount.isnull().sum().cast("int64"),
    )
    rows = subject.left_join(paid, [subject[ours] == paid[f"_s{i}"] for i, (_, ours) in enumerate(pairs)])
    rows = rows.mutate(_paid=rows._paid.fill_null(0), _times=rows._times.fill_null(0))
    rows = {"settle": _settle, "gap": _gap, "accrual": _accrual}[given["mode"]](rows, given, until)
    # What seems to be owed may have been paid with an amount that nobody can read.
    doubtful = rows._unread.fill_null(0) > 0
    unjudged = (*unjudged, cannot_judge(rows.filter(doubtful), f"missing:{given['paid_amount'] or given['paid']}"))
    made = ("_paid", "_times", "_unread", *(f"_s{i}" for i in range(len(pairs))))
    return Hits(rows.filter(~doubtful).drop(*made), evidence, unjudged)


def _pairs(given: dict[str, Any]) -> list[tuple[str, str]]:
    """Columns of the payments to those of what is due. The village is one of them unless the rule says otherwise: numbers are given there."""
    return [*given["match"].items(), *([("place", "place")] if given["same_place"] else [])]


def _payments(given: dict[str, Any], tables: Tables) -> ir.Table:
    other = tables.all(given["paid"])
    if tables.touched and given["same_place"]:
        other = other.filter(other.place.isin([TOUCHED]))
    if given["paid_where"]:
        other = other.filter(condition(given["paid_where"], other, tables.as_of))
    keys = {f"_p{i}": other[theirs] for i, (theirs, _) in enumerate(_pairs(given))}
    return other.select(
        **keys,
        _payment=other.row_id,
        _amount=other[given["paid_amount"]] if given["paid_amount"] else ibis.literal(0, type="int64"),
    )


def _done(rows: ir.Table, given: dict[str, Any], until: Any) -> ir.Table:
    limit = later(rows[given["due"]], given["grace_days"])
    done = rows[given["done"]]
    rows = rows.filter((done.isnull() & (limit < on(until))) | (done > limit))
    at = ibis.coalesce(rows[given["done"]], on(until))
    return rows.mutate(days_late=number(at) - number(rows[given["due"]]), outstanding=ibis.null("int64"))


def _settle(rows: ir.Table, given: dict[str, Any], until: Any) -> ir.Table:
    """What is still owed of each due amount when all payments of the debtor are set against the oldest dues first."""
    window = ibis.window(
        group_by=_debtor(rows, given),
        order_by=[rows[given["due"]], rows.row_id],
        preceding=None,
        following=0,
    )
    rows = rows.mutate(_owed=rows[given["amount"]].sum().over(window).cast("int64") - rows._paid)
    owed = ibis.ifelse(rows._owed < rows[given["amount"]], rows._owed, rows[given["amount"]])
    rows = rows.mutate(outstanding=owed, days_late=number(on(until)) - number(rows[given["due"]])).drop("_owed")
    late = [rows.outstanding > given["tolerance"], later(rows[given["due"]], given["grace_days"]) < on(until)]
    return rows.filter(*late, *([rows._paid == 0] if given["nothing_at_all"] else []))


def _debtor(rows: ir.Table, given: dict[str, Any]) -> list[ir.Value]:
    """Dues of one debtor: in one village, because records are judged anew by whole villages and numbers are given there."""
    return [rows[c] for c in dict.fromkeys(["place", *given["debtor"]])]


def _gap(rows: ir.Table, given: dict[str, Any], until: Any) -> ir.Table:
    window = ibis.window(group_by=_debtor(rows, given), order_by=[rows[given["due"]], rows.row_id])
    rows = rows.mutate(_before=rows._times.lag().over(window), _after=rows._times.lead().over(window))
    rows = rows.filter(rows._times == 0, rows._before > 0, rows._after > 0).drop("_before", "_after")
    owed = rows[given["amount"]].cast("int64") if given["amount"] else ibis.null("int64")
    return rows.mutate(outstanding=owed, days_late=number(on(until)) - number(rows[given["due"]]))


def _accrual(rows: ir.Table, given: dict[str, Any], until: Any) -> ir.Table:
    """From the day in `due`, the amount is owed once for each full year that has passed, until `ends`."""
    last = (
        on(until)
        if given["ends"] is None
        else ibis.ifelse(rows[given["ends"]] < on(until), rows[given["ends"]], on(until))
    )
    due = rows[given["due"]]
    not_yet = (last.month() * 100 + last.day() < due.month() * 100 + due.day()).ifelse(1, 0)
    rows = rows.mutate(_years=last.year() - due.year() - not_yet)
    rows = rows.mutate(outstanding=(rows._years * rows[given["amount"]]).cast("int64") - rows._paid)
    rows = rows.mutate(days_late=number(on(until)) - number(rows[given["due"]]) - 365).drop("_years")
    late = [rows.outstanding > given["tolerance"], rows.days_late > given["grace_days"]]
    return rows.filter(*late, *([rows._paid == 0] if given["nothing_at_all"] else []))


def needs(rule: Rule) -> tuple[str, ...]:
    """The parameters that this rule's mode cannot do without."""
    return _NEEDS.get(str(rule.params.get("mode")), ())


OVERDUE = Kind(
    "overdue",
    _PARAMS,
    axis=lambda rule: "place",
    find=_find,
    adds=lambda rule: {"outstanding": "int64", "days_late": "int64"},
    needs=needs,
)
