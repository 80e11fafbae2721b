"""The sentence that an official reads."""

from __future__ import annotations

from detection.documents import read_rule
from detection.sentences import sentence
from detection.shipped import datasets
from tests.detection.conftest import a_rule


def test_a_rule_reads_as_a_sentence_with_names_labels_and_yuan() -> None:
    rule = read_rule(
        a_rule(
            "collision",
            "zj_journal",
            {"keys": ["place", "entry_on", "amount"]},
            ["place", "entry_on", "amount"],
            where={
                "all": [
                    {"field": "direction", "op": "=", "value": "out"},
                    {"field": "amount", "op": ">=", "value": 100_050},
                ]
            },
        )
    )
    assert (
        sentence(rule, datasets(), "zh")
        == "在〔现金银行日记账〕中,凡收支为支出且金额不少于1,000.5元的,同〔村、日期、金额〕下有〔2〕条及以上,报警。"
    )
    assert sentence(rule, datasets(), "en").endswith(
        "at least 1,000.5 yuan, 2 or more records with the same village, Date, Amount raise an alert."
    )
