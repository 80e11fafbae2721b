"""A province of records, the same at each making: orderly background for every shipped dataset, and each shipped rule's fixtures planted
in it as violations and decoys, so that the truth is known alert by alert.

    python benchmarks/province.py var/province.duckdb --villages 24979

The background breaks no rule. The planted cases of a rule lie in counties of their own (codes 33xxxx beyond the real ones), which is
what lets each rule be compared with its own truth.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import re
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

from app.rules import duck
from detection.definitions import Dataset
from detection.fixtures import Fixtures, differences, read_fixtures, world
from detection.shipped import datasets, rule_documents

ARRIVED = "TIMESTAMPTZ '2022-06-01 08:00:00+08'"
# Records of each dataset for one village, and its columns as SQL over v (village), j (number within the village), g (number overall).
# Days run through 2021; every follow-up stands in its order and comes in time.
_DAY = "DATE '2021-01-04' + CAST({} AS INTEGER)"
BACKGROUND: dict[str, tuple[float, dict[str, str]]] = {
    "person": (20, {"person": "'p' || g", "name": "'某' || g", "sex": "CASE g % 2 WHEN 0 THEN 'f' ELSE 'm' END", "born_on": "DATE '1960-01-01' + CAST(g % 12000 AS INTEGER)", "household_place": "place"}),
    # A village's people 0 to 4 hold its posts; 5 to 9 are kin of 0 to 4; 10 to 19 are nobody's.
    "post": (5, {"person": "'p' || (v * 20 + j)", "post": "['secretary', 'director', 'committee_member', 'reporter', 'supervisor'][j + 1]", "paid": "j < 3", "monthly": "CASE WHEN j < 3 THEN 400000 END", "starts_on": "DATE '2020-11-01'"}),
    "relation": (10, {"person_a": "'p' || (v * 20 + 5 + j % 5)", "person_b": "'p' || (v * 20 + j % 5)", "relation": "CASE WHEN j < 5 THEN 'spouse' ELSE 'child' END", "origin": "'household'", "confidence": "'official'", "starts_on": "DATE '1990-01-01'"}),
    "zj_journal": (27, {"entry_no": "'J' || g", "book": "'bank'", "entry_on": _DAY.format("j * 11"), "voucher_no": "'V' || g", "direction": "CASE WHEN j % 5 = 0 THEN 'in' ELSE 'out' END", "amount": "50000 + (g % 97) * 100 + j * 1013", "subject": "'办公费'", "purpose": "'第' || j || '项'", "summary": "'第' || g || '笔'", "counterpart": "'单位' || (g % 4001)", "invoice_no": "'F' || g"}),
    "zj_voucher": (12, {"voucher_no": "'V' || (v * 27 + j)", "made_on": _DAY.format("j * 11"), "amount": "50000 + j * 1013", "summary": "'第' || g || '笔'", "needs_invoice": "true", "approved_at": "CAST(" + _DAY.format("j * 11 - 1") + " AS TIMESTAMPTZ)"}),
    "zj_voucher_doc": (12, {"doc_no": "'D' || g", "voucher": "'V' || (v * 27 + j)", "kind": "'invoice'", "recorded_on": _DAY.format("j * 11")}),
    "lw_dispatch": (12, {"dispatch_no": "'P' || g", "work_date": _DAY.format("j * 13"), "made_on": _DAY.format("j * 13"), "worker": "'p' || (v * 20 + 10 + j % 10)", "task": "'保洁'", "hours": "8"}),
    "lw_attendance": (12, {"attendance_no": "'A' || g", "dispatch": "'P' || g", "work_date": _DAY.format("j * 13"), "worker": "'p' || (v * 20 + 10 + j % 10)", "method": "'photo'", "photo_hash": "'h' || g"}),
    "lw_payroll": (12, {"line_no": "'L' || g", "batch": "'B' || v || '-' || (j // 5)", "worker": "'p' || (v * 20 + 10 + j % 10)", "work_date": _DAY.format("j * 13"), "days": "1", "unit_price": "18000", "amount": "18000 + j", "account": "'acc' || (v * 20 + 10 + j % 10)", "account_holder": "'p' || (v * 20 + 10 + j % 10)", "kind": "'labour'", "task": "'保洁'", "reason": "'日常保洁'", "dispatch": "'P' || g", "claimed_on": _DAY.format("j * 13 + 2"), "paid_on": _DAY.format("j * 13 + 10"), "approver": "'t' || (v % 997)", "preparer": "'r' || (v % 997)"}),
    "gc_project": (1, {"project_no": "'G' || g", "name": "'道路修缮' || g", "type": "'road'", "location": "'地块' || g", "budget": "20000000 + (g % 1000) * 1000", "fund_source": "'village'", "is_emergency": "false", "plan_start": _DAY.format("60 + g % 200"), "plan_end": _DAY.format("120 + g % 200"), "decided_on": _DAY.format("1"), "approved_on": _DAY.format("10"), "filed_on": _DAY.format("11")}),
    "gc_tender": (1, {"tender_no": "'T' || g", "project": "'G' || g", "method": "'county_trade'", "limit_price": "20000000", "notice_on": _DAY.format("12"), "bid_open_on": _DAY.format("40")}),
    "gc_bid": (3, {"bid_no": "'BD' || g", "tender": "'T' || v", "bidder": "'C' || ((v * 3 + j * 1009) % 9001)", "price": "19000000 + ((v * 7919 + j * 104729) % 977) * 1000 + j * 217111", "ip": "'10.' || (g % 250) || '.' || (j * 7 + g % 60)", "mac": "'m' || g", "file_hash": "'f' || g", "deposit_account": "'d' || g", "contact_person": "'b' || g", "phone": "'139' || g", "address": "'路' || g", "valid": "true", "is_winner": "j = 0"}),
    "gc_contract": (1, {"contract_no": "'K' || g", "project": "'G' || g", "contractor": "'C' || ((v * 3) % 9001)", "award_on": _DAY.format("45"), "signed_on": _DAY.format("50"), "amount": "19000000", "starts_on": _DAY.format("60 + g % 200"), "ends_on": _DAY.format("120 + g % 200")}),
    "gc_start": (1, {"order_no": "'S' || g", "project": "'G' || g", "actual_start": _DAY.format("61 + g % 200")}),
    "gc_acceptance": (1, {"acceptance_no": "'Y' || g", "contract": "'K' || g", "accepted_on": _DAY.format("125 + g % 200"), "participants": "5", "quantity": "100", "mapped_quantity": "100", "unit": "'m'", "result": "'passed'"}),
    "cg_request": (1, {"request_no": "'Q' || g", "item": "'纸' || (g % 50)", "category": "['office', 'building'][1 + g % 2]", "quantity": "10", "unit": "'箱'", "est_amount": "100000 + j * 10", "requested_on": _DAY.format("j * 150"), "approved_on": _DAY.format("j * 150 + 1")}),
    "cg_order": (1, {"order_no": "'O' || g", "request": "'Q' || g", "supplier": "'C' || ((g * 13) % 9001)", "item": "'纸' || (g % 50)", "category": "['office', 'building'][1 + g % 2]", "quantity": "10", "unit": "'箱'", "unit_price": "10000 + (g % 13)", "amount": "100000 + j * 10", "ordered_on": _DAY.format("j * 150 + 3"), "method": "'compare'"}),
    "cg_quote": (3, {"quote_no": "'QU' || g", "request": "'Q' || v", "supplier": "'C' || ((v * 13 + j * 17) % 9001)", "price": "100000 + j * 371", "quoted_on": _DAY.format("2"), "phone": "'138' || g", "address": "'街' || g", "doc_hash": "'q' || g"}),
    "cg_receipt": (1, {"receipt_no": "'R' || g", "order": "'O' || g", "received_on": _DAY.format("j * 150 + 5"), "quantity": "10"}),
    "cg_invoice": (1, {"invoice_no": "'I' || g", "order": "'O' || g", "seller": "'C' || ((g * 13) % 9001)", "amount": "100000 + j * 10", "issued_on": _DAY.format("j * 150 + 5"), "category": "['office', 'building'][1 + g % 2]", "state": "'valid'"}),
    "cg_payment": (1, {"payment_no": "'CP' || g", "order": "'O' || g", "invoice_no": "'I' || g", "pay_on": _DAY.format("j * 150 + 9"), "amount": "100000 + j * 10", "payee_account": "'ca' || ((g * 13) % 9001)", "payee_company": "'C' || ((g * 13) % 9001)"}),
    "zc_contract": (0.2, {"contract_no": "'ZK' || g", "lessee_kind": "'outsider'", "lessee": "'z' || g", "signed_on": "DATE '2020-12-01'", "starts_on": "DATE '2021-01-01'", "ends_on": "DATE '2025-12-31'", "area": "10", "unit_price": "80000", "total": "4000000", "pay_cycle": "'year'", "written": "true", "attached": "true", "form": "'trade'"}),
    "zc_due": (0.2, {"due_no": "'ZD' || g", "contract": "'ZK' || g", "period_no": "1", "due_on": "DATE '2021-06-30'", "amount": "800000"}),
    "zc_receipt": (0.2, {"receipt_no": "'ZR' || g", "contract": "'ZK' || g", "period_no": "1", "paid_on": "DATE '2021-06-20'", "amount": "800000", "method": "'bank'", "payer": "'z' || g"}),
    # The people of relief are those who hold no post and are nobody's kin; whoever reviews them holds one.
    "household_member": (2, {"household_no": "'H' || g", "person": "'p' || (v * 20 + 10 + j)", "member_role": "'head'", "starts_on": "DATE '2015-01-01'"}),
    "jz_apply": (2, {"apply_no": "'JA' || g", "household": "'H' || g", "kind": "'minimum'", "applied_on": _DAY.format("j * 3"), "applicant": "'p' || (v * 20 + 10 + j)", "kin_declared": "false"}),
    "jz_review": (8, {"review_no": "'JR' || g", "apply": "'JA' || (v * 2 + j // 4)", "household": "'H' || (v * 2 + j // 4)", "step": "['visit', 'notice', 'verify', 'confirm'][1 + j % 4]", "reviewer": "'p' || (v * 20 + j % 5)", "done_on": _DAY.format("8 + j"), "notice_days": "8", "result": "'agree'"}),
    "jz_grant": (2, {"grant_no": "'JG' || g", "apply": "'JA' || g", "household": "'H' || g", "kind": "'minimum'", "class": "'b'", "person": "'p' || (v * 20 + 10 + j)", "approved_on": _DAY.format("30 + j"), "starts_on": _DAY.format("40"), "monthly": "80000"}),
    "jz_pay": (8, {"pay_no": "'JP' || g", "grant": "'JG' || (v * 2 + j // 4)", "household": "'H' || (v * 2 + j // 4)", "person": "'p' || (v * 20 + 10 + j // 4)", "kind": "'minimum'", "period_on": "DATE '2021-03-01' + CAST((j % 4) * 31 AS INTEGER)", "paid_on": "DATE '2021-03-10' + CAST((j % 4) * 31 AS INTEGER)", "amount": "80000", "account": "'acc' || (v * 20 + 10 + j // 4)", "account_holder": "'p' || (v * 20 + 10 + j // 4)"}),
    "zj_account": (1, {"account": "'va' || v", "kind": "'basic'", "opened_on": "DATE '2019-01-01'", "filed_on": "DATE '2019-01-05'", "holder": "'org'"}),
    "zj_approval": (4, {"request_no": "'ZA' || g", "amount": "300000 + g % 1000", "purpose": "'第' || j || '项'", "category": "'ordinary'", "requested_at": "CAST(" + _DAY.format("j * 60") + " AS TIMESTAMPTZ) + INTERVAL 9 HOUR", "approved_at": "CAST(" + _DAY.format("j * 60 + 1") + " AS TIMESTAMPTZ) + INTERVAL 9 HOUR", "level": "'township'"}),
    "zj_bank_txn": (4, {"txn_no": "'ZT' || g", "account": "'va' || v", "account_kind": "'basic'", "txn_at": "CAST(" + _DAY.format("j * 60 + 2") + " AS TIMESTAMPTZ) + INTERVAL 10 HOUR", "direction": "'out'", "amount": "300000 + g % 1000", "balance": "90000000", "counterpart": "'单位' || (g % 4001)", "counterpart_account": "'ca' || (g % 4001)", "counterpart_kind": "'org'", "channel": "'online'", "approval": "'ZA' || g", "payroll": "false"}),
    "yz_request": (2, {"request_no": "'YR' || g", "seal": "'seal' || v", "matter": "'certificate'", "pages": "1", "copies": "1", "stamps": "1", "counterpart": "'村民' || g", "requested_at": "CAST(" + _DAY.format("j * 100") + " AS TIMESTAMPTZ) + INTERVAL 9 HOUR"}),
    "yz_approve": (2, {"approve_no": "'YA' || g", "request": "'YR' || g", "step": "'village'", "approver": "'p' || (v * 20)", "approved_at": "CAST(" + _DAY.format("j * 100") + " AS TIMESTAMPTZ) + INTERVAL 10 HOUR", "result": "'agree'"}),
    "yz_use": (2, {"use_no": "'YU' || g", "request": "'YR' || g", "seal": "'seal' || v", "used_at": "CAST(" + _DAY.format("j * 100") + " AS TIMESTAMPTZ) + INTERVAL 11 HOUR", "stamps": "1", "operator": "'p' || (v * 20 + 3)", "counterpart": "'村民' || g", "location": "'村委会'", "distance": "5", "text_density": "0.4", "device_alarm": "false"}),
}  # fmt: skip


@dataclass(frozen=True)
class Planted:
    """A rule's cases in the province; `block` tells in which counties they lie."""

    code: str
    fixtures: Fixtures
    block: int


def villages() -> list[str]:
    """The codes of Zhejiang's villages, sorted."""
    packed = resources.files("app").joinpath("directory/data/zhejiang.csv.gz").read_bytes()
    rows = csv.DictReader(gzip.decompress(packed).decode("utf-8-sig").splitlines())
    return sorted(row["code"] for row in rows if int(row["level"]) == 5)


def make(path: str, village_count: int) -> duck.duckdb.DuckDBPyConnection:
    """The background for so many villages, in a new file or in memory: about 175 records each, reference data among them."""
    known = datasets()
    connection = duck.connect(path)
    duck.make_tables(connection, known.values())
    codes = villages()
    # Beyond the real villages the list begins again under codes that no village has.
    listed = [
        codes[i] if i < len(codes) else f"{codes[i % len(codes)][:9]}{900 + i // len(codes) % 100}"
        for i in range(village_count)
    ]
    connection.execute(
        "CREATE TEMP TABLE villages AS SELECT UNNEST($1::VARCHAR[]) AS place, UNNEST(range(len($1::VARCHAR[]))) AS v",
        [listed],
    )
    row_id = 0
    for code, (count, columns) in BACKGROUND.items():
        row_id += _fill(connection, known[code], count, columns, row_id, village_count)
    _limits(connection, known["threshold"], row_id)
    connection.execute("DROP TABLE villages")
    return connection


def _fill(
    connection: duck.duckdb.DuckDBPyConnection,
    dataset: Dataset,
    count: float,
    columns: dict[str, str],
    row_id: int,
    villages_: int,
) -> int:
    event = dataset.event_date
    on = columns.get(event, "NULL") if event else "NULL"
    if event and dataset.field(event).type == "ts":
        on = f"CAST({on} AS DATE)"
    system = {
        "row_id": f"{row_id} + g + 1", "source": "'province'", "source_key": "CAST(g AS VARCHAR)", "version": "1", "place": "place",
        "event_on": on, "arrived_at": ARRIVED, "withdrawn": "false", "unreadable": "''",
    }  # fmt: skip
    chosen = system | columns
    each = max(1, round(count))
    # Fewer than one for each village: only every so many villages has any.
    every = 1 if count >= 1 else round(1 / count)
    connection.execute(
        f'INSERT INTO records."{dataset.code}" ({", ".join(f""" "{c}" """ for c in chosen)}) SELECT {", ".join(chosen.values())} FROM '
        f"(SELECT place, v // {every} AS v, j, (v // {every}) * {each} + j AS g FROM villages, range({each}) t(j) WHERE v % {every} = 0) ORDER BY place"
    )
    return each * villages_


# Limits of every county in the background, fen. The planted counties have the limits of their own cases, or none.
LIMITS = {"works_small": 10_000_000, "works_tender": 50_000_000, "goods_tender": 30_000_000}


def _limits(connection: duck.duckdb.DuckDBPyConnection, dataset: Dataset, row_id: int) -> None:
    counties = connection.execute("SELECT DISTINCT place[:6] FROM villages ORDER BY 1").fetchall()
    given = [(county, matter, amount) for (county,) in counties for matter, amount in LIMITS.items()]
    empty = dict.fromkeys(dataset.columns)
    common = {"source": "province", "version": 1, "event_on": "2020-01-01", "arrived_at": "2022-06-01 08:00:00+08"}
    duck.put_rows(
        connection,
        dataset,
        [
            empty
            | common
            | {"row_id": row_id + i, "source_key": f"{county}-{matter}", "place": county + "000000"}
            | {"withdrawn": False, "unreadable": "", "county": county, "matter": matter, "amount": amount}
            | {"starts_on": "2020-01-01"}
            for i, (county, matter, amount) in enumerate(given, start=1)
        ],
    )


def plant(connection: duck.duckdb.DuckDBPyConnection) -> list[Planted]:
    """Adds every shipped rule's cases, each in a county that does not exist, and says where each rule's lie. Row ids go on upwards."""
    known, planted = datasets(), []
    row_id = max(
        connection.execute(f'SELECT coalesce(max(row_id), 0) FROM records."{code}"').fetchone()[0] for code in known
    )
    for block, document in enumerate(rule_documents().values()):
        fixtures = read_fixtures(document["fixtures"], known)
        planted.append(Planted(document["code"], fixtures, block))
        for code, rows in world(fixtures, known).items():
            moved = [
                {name: _move(value, block) for name, value in row.items()} | {"row_id": row_id + i}
                for i, row in enumerate(rows, start=1)
            ]
            row_id += len(rows)
            duck.put_rows(connection, known[code], moved)
    return planted


@dataclass(frozen=True)
class Found:
    """What a run gave otherwise than the planted cases say; alerts in the rule's own counties; alerts in the background, which has none."""

    wrong: list[str]
    own: int
    background: int


def judged(planted: Planted, evidence: list[dict[str, Any]], unjudged: list[dict[str, Any]]) -> Found:
    """Compares a run with the truth. What it finds among the cases of other rules is left out: they are not made to say anything about it."""
    own = [
        row | {"place": _back(row["place"], planted.block), "alert_key": _back(row["alert_key"], planted.block)}
        for row in evidence
    ]
    doubts = [row | {"place": _back(row["place"], planted.block)} for row in unjudged]
    there = re.compile(rf"33(1[2-9]|[2-9]\d){planted.block:02d}")
    ours = [row for row, before in zip(own, evidence, strict=True) if there.match(before["place"])]
    ours_unjudged = [row for row, before in zip(doubts, unjudged, strict=True) if there.match(before["place"])]
    return Found(
        differences(planted.fixtures, ours, ours_unjudged),
        len({row["alert_key"] for row in ours}),
        len({row["alert_key"] for row in evidence if int(row["place"][2:4]) <= 11}),
    )


def _move(value: Any, block: int) -> Any:
    """A text with each case's county (33<case>01) put where no county is (33<case + 11><block>)."""
    return _OWN.sub(lambda found: f"33{int(found[1]) + 11:02d}{block:02d}", value) if isinstance(value, str) else value


def _back(value: Any, block: int) -> Any:
    moved = re.compile(rf"33(1[2-9]|[2-9]\d){block:02d}(?=\d{{6}}|\d{{3}}(?:\D|$)|-|$)")
    return moved.sub(lambda found: f"33{int(found[1]) - 11:02d}01", value) if isinstance(value, str) else value


_OWN = re.compile(r"33(\d\d)01(?=100\d{3}|100$|-|$)")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", type=Path)
    parser.add_argument("--villages", type=int, default=24_979)
    given = parser.parse_args()
    given.file.unlink(missing_ok=True)
    with make(str(given.file), given.villages) as connection:
        plant(connection)
        for code in datasets():
            print(f'{connection.execute(f"""SELECT count(*) FROM records."{code}" """).fetchone()[0]:>10,} {code}')


if __name__ == "__main__":
    main()
