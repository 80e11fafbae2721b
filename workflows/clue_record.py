"""The words of the clue chart, states, events and reasons with their labels, and the record as the chart sees it."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Protocol
from uuid import UUID

from workflows.actor import Label


class ClueState(StrEnum):
    """Conditions a clue can be in."""

    SEALED = "sealed"
    SENT_UP = "sent_up"
    SENT_DOWN = "sent_down"
    VERIFIED_REALNAME = "verified_realname"
    ANONYMOUS = "anonymous"
    ACCEPTED = "accepted"
    ASSIGNED = "assigned"
    DISPOSAL_PROPOSED = "disposal_proposed"
    TALK_INQUIRY = "talk_inquiry"
    PRELIMINARY_VERIFICATION = "preliminary_verification"
    KEPT = "kept"
    CLOSED_CLUE = "closed_clue"
    CASE_FILED = "case_filed"
    CONCLUDED = "concluded"
    FED_BACK = "fed_back"
    ARCHIVED = "archived"
    OUTSIDE = "outside"


class ClueEvent(StrEnum):
    """What can be done to a clue."""

    RECEIVE = "receive"
    VERIFY_REALNAME = "verify_realname"
    MARK_ANONYMOUS = "mark_anonymous"
    SEND_UP = "send_up"
    SEND_DOWN = "send_down"
    HAND_OUTSIDE = "hand_outside"
    ACCEPT = "accept"
    ASSIGN = "assign"
    PROPOSE_DISPOSAL = "propose_disposal"
    RETURN_DISPOSAL = "return_disposal"
    APPROVE_DISPOSAL = "approve_disposal"
    RECORD_ANSWER = "record_answer"
    REPORT = "report"
    VERIFY_FURTHER = "verify_further"
    KEEP = "keep"
    CLOSE = "close"
    TAKE_UP = "take_up"
    FILE_CASE = "file_case"
    CONCLUDE = "conclude"
    GIVE_FEEDBACK = "give_feedback"
    PROPOSE_FALSE_ACCUSATION = "propose_false_accusation"
    APPROVE_FALSE_ACCUSATION = "approve_false_accusation"
    REFUSE_FALSE_ACCUSATION = "refuse_false_accusation"
    PROPOSE_CLARIFICATION = "propose_clarification"
    APPROVE_CLARIFICATION = "approve_clarification"
    REFUSE_CLARIFICATION = "refuse_clarification"
    REPORT_RESULT = "report_result"
    ARCHIVE = "archive"
    AUTO_ARCHIVE = "auto_archive"
    RECUSE = "recuse"
    RISE = "rise"
    LAPSE_ANSWER = "lapse_answer"


CLUE_LABELS: dict[ClueState, Label] = {
    ClueState.SEALED: Label("已密封,待核实", "sealed, to be verified"),
    ClueState.SENT_UP: Label("已报上级,待接收", "sent up, to be received"),
    ClueState.SENT_DOWN: Label("已交下级,待接收", "sent down, to be received"),
    ClueState.VERIFIED_REALNAME: Label("实名已核实", "real name verified"),
    ClueState.ANONYMOUS: Label("匿名", "anonymous"),
    ClueState.ACCEPTED: Label("已受理", "accepted"),
    ClueState.ASSIGNED: Label("已交承办", "assigned"),
    ClueState.DISPOSAL_PROPOSED: Label("处置意见待审批", "disposal proposed"),
    ClueState.TALK_INQUIRY: Label("谈话函询", "talk or inquiry by letter"),
    ClueState.PRELIMINARY_VERIFICATION: Label("初步核实", "preliminary verification"),
    ClueState.KEPT: Label("暂存待查", "kept on file"),
    ClueState.CLOSED_CLUE: Label("予以了结", "closed"),
    ClueState.CASE_FILED: Label("已立案", "case filed"),
    ClueState.CONCLUDED: Label("已有结论", "concluded"),
    ClueState.FED_BACK: Label("已反馈", "result fed back"),
    ClueState.ARCHIVED: Label("已归档", "archived"),
    ClueState.OUTSIDE: Label("已移送平台外上级机关", "handed to the authority outside"),
}

CLUE_EVENT_LABELS: dict[ClueEvent, Label] = {
    ClueEvent.RECEIVE: Label("接收", "receive what was sent up or down"),
    ClueEvent.VERIFY_REALNAME: Label("核实实名", "verify the real name"),
    ClueEvent.MARK_ANONYMOUS: Label("按匿名处理", "treat as anonymous"),
    ClueEvent.SEND_UP: Label("报送上级", "send up"),
    ClueEvent.SEND_DOWN: Label("交下级办理", "send down"),
    ClueEvent.HAND_OUTSIDE: Label("移送平台外上级机关", "hand to the authority outside"),
    ClueEvent.ACCEPT: Label("受理", "accept"),
    ClueEvent.ASSIGN: Label("交承办人", "assign"),
    ClueEvent.PROPOSE_DISPOSAL: Label("提出处置意见", "propose a disposal"),
    ClueEvent.RETURN_DISPOSAL: Label("退回处置意见", "return the proposal"),
    ClueEvent.APPROVE_DISPOSAL: Label("批准处置意见", "approve the disposal"),
    ClueEvent.RECORD_ANSWER: Label("登记谈话或书面说明", "record the talk or answer"),
    ClueEvent.REPORT: Label("报告核查情况", "report"),
    ClueEvent.VERIFY_FURTHER: Label("转初步核实", "go on to verification"),
    ClueEvent.KEEP: Label("暂存待查", "keep on file"),
    ClueEvent.CLOSE: Label("予以了结", "close"),
    ClueEvent.TAKE_UP: Label("重新启动", "take up again"),
    ClueEvent.FILE_CASE: Label("立案", "file a case"),
    ClueEvent.CONCLUDE: Label("作出结论", "conclude"),
    ClueEvent.GIVE_FEEDBACK: Label("反馈结果", "give the result to the reporter"),
    ClueEvent.PROPOSE_FALSE_ACCUSATION: Label("提请认定诬告陷害", "propose a finding of false accusation"),
    ClueEvent.APPROVE_FALSE_ACCUSATION: Label("批准认定诬告陷害", "approve the finding of false accusation"),
    ClueEvent.REFUSE_FALSE_ACCUSATION: Label("不予认定诬告陷害", "refuse the finding of false accusation"),
    ClueEvent.PROPOSE_CLARIFICATION: Label("提请澄清正名", "propose a clarification"),
    ClueEvent.APPROVE_CLARIFICATION: Label("批准澄清正名", "approve the clarification"),
    ClueEvent.REFUSE_CLARIFICATION: Label("不予澄清", "refuse the clarification"),
    ClueEvent.REPORT_RESULT: Label("向信访举报部门反馈结果", "report the result to the report office"),
    ClueEvent.ARCHIVE: Label("归档", "archive"),
    ClueEvent.AUTO_ARCHIVE: Label("到期归档", "archived by the clock"),
    ClueEvent.RECUSE: Label("须回避,上提一级", "had to withdraw: one level up"),
    ClueEvent.RISE: Label("逾期上提一级", "limit passed: one level up"),
    ClueEvent.LAPSE_ANSWER: Label("逾期未说明,转初步核实", "no answer in time: verification"),
}

DISPOSALS = ("talk_inquiry", "preliminary_verification", "kept", "closed_clue")  # 监督执纪工作规则 Art 21
OUTCOMES = ("founded", "partly_founded", "unfounded", "mistaken")  # a mistaken report (错告) is no false accusation
METHODS = ("letter_or_talk", "notice_to_committee", "notice_within_range")  # 检举控告工作规则 Art 50
LIMITS = {"transfers": 3, "returns": 3, "takes": 3, "assignments": 5, "reports": 6, "answers": 3, "urgings": 3}
PROVINCE, CITY = 1, 2


class ClueRecord(Protocol):
    """What the chart reads and changes of a clue."""

    state: str
    level: int  # 4 township, 3 county, 2 city, 1 province: the level in charge
    org_id: UUID | None  # discipline body in charge; None outside
    named: bool  # the reporter gave a name
    real_name: bool  # and it was verified
    handler_id: UUID | None
    proposer_id: UUID | None  # of the disposal
    disposal: str | None
    outcome: str | None
    false_accusation: str | None  # proposed, found, refused, lapsed
    false_proposer_id: UUID | None
    clarification: str | None  # proposed, approved, refused, lapsed
    clarification_proposer_id: UUID | None
    result_reported: bool  # to the report office of the discipline body
    transfers: int  # how often it was sent down
    returns: int
    takes: int
    assignments: int
    reports: int
    answers: int
    urgings: int
    overdue: bool


CLUE_REFUSALS: Mapping[str, Label] = {
    "not-on-the-list": Label("不在本线索的知悉范围内", "not on the need-to-know list of this clue"),
    "not-head-in-charge": Label("须由主管纪检监察机关负责人办理", "for the head of the discipline body in charge"),
    "not-the-handler": Label("须由承办人办理", "for the person who handles it"),
    "city-level-needed": Label("须由设区的市级以上纪检监察机关负责人批准", "needs the head of a discipline body of a city or above"),
    "recused": Label("应当回避", "must withdraw"),
    "separation-of-duties": Label("提出人不得自行审批", "who proposes or handles does not decide"),
    "returns-spent": Label("退回次数已用完", "returns are used up"),
    "takes-spent": Label("重新启动次数已用完", "it was taken up again too often"),
    "assignments-spent": Label("更换承办人次数已用完", "it changed hands too often"),
    "reports-spent": Label("报告次数已用完", "reports are used up"),
    "answers-spent": Label("说明次数已用完", "answers are used up"),
    "urgings-spent": Label("催办次数已用完", "urgings are used up"),
    "transfers-spent": Label("交下级办理次数已用完", "it was sent down too often"),
    "nobody-below": Label("没有可交办的下级机关", "no body below may take it"),
    "nobody-above": Label("平台内没有上级机关", "no body stands above in this system"),
    "other-branch": Label("不适用于此分支", "another branch applies"),
    "not-named": Label("举报人未署名", "the reporter gave no name"),
    "no-real-name": Label("非实名举报,无须反馈", "not a real-name report: there is nobody to answer"),
    "feedback-is-due": Label("应先向实名举报人反馈", "the real-name reporter is answered first"),
    "result-reported": Label("结果已反馈信访举报部门", "the result was reported before"),
    "not-unfounded": Label("仅限反映不实的线索", "only where nothing was found"),
    "mistaken-report": Label("错告不属于诬告陷害", "a mistaken report is no false accusation"),
    "already-proposed": Label("已提请过", "proposed before"),
    "nothing-proposed": Label("没有待审批的提请", "nothing waits for a decision"),
    "decision-waits": Label("尚有提请待审批", "a proposal waits for its decision"),
    "wrong-role": Label("仅系统可办理", "for the clock alone"),
}
