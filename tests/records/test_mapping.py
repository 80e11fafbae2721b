"""Which column is which field."""

from hypothesis import given
from hypothesis import strategies as st

from app.records.mapping import propose_mapping


def field(code, zh, en, kind, role=None):
    return {"code": code, "name": {"zh": zh, "en": en}, "type": kind, "role": role}


CONTRACT = [
    field("project_no", "项目编号", "Project number", "text", "doc_no"),
    field("contractor", "承包人", "Contractor", "company", "company"),
    field("amount", "合同金额", "Contract amount", "money", "amount"),
    field("manager", "项目负责人", "Project manager", "person", "person"),
    field("signed_on", "签订日期", "Signed on", "date", "date"),
    field("place", "村", "Village", "place", "place"),
]


def matched(headers, fields=CONTRACT, titles=()):
    return {match.header: (match.target, match.by) for match in propose_mapping(headers, fields, titles).matches}


def test_codes_and_names_in_both_languages_are_found():
    assert matched(["project_no", "CONTRACTOR", "合同金额", "Signed On", " 村 "]) == {
        "project_no": ("project_no", "code"), "CONTRACTOR": ("contractor", "code"), "合同金额": ("amount", "name"),
        "Signed On": ("signed_on", "code"), " 村 ": ("place", "name"),
    }  # fmt: skip


def test_synonyms_marks_and_the_companion_columns_are_found():
    assert matched(["*工程编码：", "施工单位", "施工单位统一社会信用代码", "项目负责人", "身份证号", "签约时间", "所属村"]) == {
        "*工程编码：": ("project_no", "synonym"), "施工单位": ("contractor_name", "synonym"), "施工单位统一社会信用代码": ("contractor", "synonym"),
        "项目负责人": ("manager_name", "name"), "身份证号": ("manager", "type"), "签约时间": ("signed_on", "synonym"), "所属村": ("place", "synonym"),
    }  # fmt: skip


def test_a_person_alone_in_a_column_may_be_the_number():
    assert matched(["项目负责人"]) == {"项目负责人": ("manager", "name")}
    assert matched(["项目负责人姓名", "项目负责人身份证号码"]) == {
        "项目负责人姓名": ("manager_name", "name"), "项目负责人身份证号码": ("manager", "name"),
    }  # fmt: skip


def test_the_unit_of_a_header_or_a_title_multiplies_amounts_and_nothing_else():
    def scales(headers, titles=()):
        return {match.header: match.scale for match in propose_mapping(headers, CONTRACT, titles).matches}

    assert scales(["合同金额（万元）", "项目编号"]) == {"合同金额（万元）": 10_000, "项目编号": 1}
    assert scales(["合同金额"], ["双童村", "2020年 单位：万元"]) == {"合同金额": 10_000}
    assert scales(["合同金额（元）"], ["单位：万元"]) == {"合同金额（元）": 1}
    assert scales(["合同金额"], ["单位：双童村"]) == {"合同金额": 1}


def test_a_name_under_a_merged_header_is_found_by_its_parts():
    assert matched(["合同/合同金额", "金额/签订日期"]) == {"合同/合同金额": ("amount", "part"), "金额/签订日期": ("signed_on", "part")}


def test_what_could_be_two_things_is_left_to_a_person():
    two = [field("paid", "实付金额", "Paid", "money", "amount"), field("due", "应付金额", "Due", "money", "amount")]
    proposal = propose_mapping(["金额", "实付金额", "奇怪的列"], two)
    assert [(match.header, match.target) for match in proposal.matches] == [("实付金额", "paid")]
    assert proposal.unmatched == ("金额", "奇怪的列")
    twice = propose_mapping(["合同价", "合同价款"], CONTRACT)
    assert twice.matches == ()
    assert twice.unmatched == ("合同价", "合同价款")


def test_headers_without_field_and_fields_without_header_are_listed():
    proposal = propose_mapping(["项目编号", "备用列"], CONTRACT)
    assert proposal.unmatched == ("备用列",)
    assert proposal.missing == ("contractor", "amount", "manager", "signed_on", "place")


@given(st.lists(st.one_of(st.text(), st.sampled_from(["金额", "合同金额", "身份证号", "姓名", "村/村", "amount", "()", "/"])), unique=True))
def test_no_column_and_no_field_is_matched_twice(headers):
    proposal = propose_mapping(headers, CONTRACT)
    targets = [match.target for match in proposal.matches]
    assert len(targets) == len(set(targets))
    assert sorted([match.header for match in proposal.matches] + list(proposal.unmatched)) == sorted(headers)
