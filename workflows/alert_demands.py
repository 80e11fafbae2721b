"""What a step of an alert needs beyond a word: lists that are complete, sums in whole fen."""

from __future__ import annotations

from workflows.alert_record import FORMS, MONEY
from workflows.base import Demand, Facts, MissingFact


def _check_items(facts: Facts) -> None:
    items = facts.get("items")
    if not items or not all(item.get("task") and item.get("owner") and item.get("due") for item in items):
        raise MissingFact("items")


def _check_fen(facts: Facts, *names: str) -> None:
    for name in names:
        fen = facts.get(name)
        if not isinstance(fen, int) or isinstance(fen, bool) or fen < 0:
            raise MissingFact(name)


def _check_findings(facts: Facts) -> None:
    """Facts, persons, amount. Nobody and nothing is an answer; silence is none."""
    if not facts.get("findings"):
        raise MissingFact("findings")
    if facts.get("persons") is None:
        raise MissingFact("persons")
    _check_fen(facts, "amount")


def _check_disposal(facts: Facts) -> None:
    """`persons` may be empty, when a defect is mended and nobody is to blame; it is never left out."""
    persons = facts.get("persons")
    if persons is None or not all(one.get("person") and one.get("form") in FORMS for one in persons):
        raise MissingFact("persons")
    _check_fen(facts, *MONEY)


def _check_money(facts: Facts) -> None:
    if facts.get("kind") not in ("recovered", "returned"):
        raise MissingFact("kind")
    _check_fen(facts, "fen")


def _check_items_left(facts: Facts) -> None:
    _check_fen(facts, "items_left")


items_with_owner_and_date = Demand("items_with_owner_and_date", ("items",), _check_items)
forms_and_money = Demand("forms_and_money", ("persons", *MONEY), _check_disposal)
findings_persons_and_amount = Demand("findings_persons_and_amount", ("findings", "persons", "amount"), _check_findings)
number_of_items_left = Demand("number_of_items_left", ("items_left",), _check_items_left)
kind_and_fen = Demand("kind_and_fen", ("kind", "fen"), _check_money)
