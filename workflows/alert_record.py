"""The words of the alert chart, states, events and reasons with their labels, and the record as the chart sees it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from enum import StrEnum
from typing import Any, Protocol
from uuid import UUID

from workflows.actor import Label


class AlertState(StrEnum):
    """Conditions an alert can be in."""

    FILED = "filed"
    HELD = "held"
    MUTED = "muted"
    DISPATCHED = "dispatched"
    SIGNED = "signed"
    CHECKING = "checking"
    EXPLAINING = "explaining"
    CLEAR_REQUESTED = "clear_requested"
    INVESTIGATED = "investigated"
    RECTIFYING = "rectifying"
    CLUE_FILED = "clue_filed"
    CASE_FILED = "case_filed"
    DISPOSED = "disposed"
    VERIFYING = "verifying"
    ESCALATED = "escalated"
    RESOLVED = "resolved"
    RATED = "rated"
    CLOSED = "closed"
    EXTERNAL = "external"
    ENDED = "ended"


class AlertEvent(StrEnum):
    """What can be done to an alert."""

    HOLD = "hold"
    WITHDRAW = "withdraw"
    MUTE = "mute"
    FOLLOW_PARENT = "follow_parent"
    DISPATCH = "dispatch"
    AUTO_DISPATCH = "auto_dispatch"
    ADD_EVIDENCE = "add_evidence"
    PUSH_AGAIN = "push_again"
    SIGN = "sign"
    START_CHECK = "start_check"
    ASSIGN_CHECKERS = "assign_checkers"
    ASK_EXPLANATION = "ask_explanation"
    EXPLAIN = "explain"
    DROP_QUESTION = "drop_question"
    LAPSE_EXPLANATION = "lapse_explanation"
    REQUEST_FREEZE = "request_freeze"
    CONFIRM_FREEZE = "confirm_freeze"
    LIFT_FREEZE = "lift_freeze"
    LAPSE_FREEZE = "lapse_freeze"
    REQUEST_EXTENSION = "request_extension"
    APPROVE_EXTENSION = "approve_extension"
    REFUSE_EXTENSION = "refuse_extension"
    REQUEST_CLEARANCE = "request_clearance"
    APPROVE_CLEARANCE = "approve_clearance"
    REFUSE_CLEARANCE = "refuse_clearance"
    LAPSE_CLEARANCE = "lapse_clearance"
    FILE_PAPERS = "file_papers"
    REOPEN_UNPROVED = "reopen_unproved"
    EXPIRE_CLEARANCE = "expire_clearance"
    REPORT_FINDINGS = "report_findings"
    RETURN_FINDINGS = "return_findings"
    CONFIRM = "confirm"
    ORDER_RECTIFICATION = "order_rectification"
    SEND_AS_CLUE = "send_as_clue"
    FILE_CASE = "file_case"
    TAKE_BACK = "take_back"
    RECORD_DISPOSAL = "record_disposal"
    RECORD_MONEY = "record_money"
    SUBMIT_PROOF = "submit_proof"
    RETURN_PROOF = "return_proof"
    STRIKE_OFF = "strike_off"
    RATE = "rate"
    REVISE_VERDICT = "revise_verdict"
    RE_EXAMINE = "re_examine"
    PASS_LOOK_BACK = "pass_look_back"
    REOPEN = "reopen"
    AUTO_CLOSE = "auto_close"
    ESCALATE = "escalate"
    RECUSE = "recuse"
    ACKNOWLEDGE_EXTERNAL = "acknowledge_external"
    RETURN_EXTERNAL = "return_external"
    RECORD_EXTERNAL_END = "record_external_end"
    URGE_EXTERNAL = "urge_external"
    END_EXTERNAL = "end_external"


ALERT_LABELS: dict[AlertState, Label] = {
    AlertState.FILED: Label("已生成,待派发", "generated, to be dispatched"),
    AlertState.HELD: Label("暂缓派发", "held back"),
    AlertState.MUTED: Label("并入更强预警", "muted by a stronger alert"),
    AlertState.DISPATCHED: Label("已派发,待签收", "dispatched, to be signed"),
    AlertState.SIGNED: Label("已签收", "signed in"),
    AlertState.CHECKING: Label("核查中", "being checked"),
    AlertState.EXPLAINING: Label("单位说明中", "the unit explains"),
    AlertState.CLEAR_REQUESTED: Label("消除申请待审批", "clearance asked for"),
    AlertState.INVESTIGATED: Label("已查实", "confirmed"),
    AlertState.RECTIFYING: Label("整改中", "being rectified"),
    AlertState.CLUE_FILED: Label("已转问题线索", "sent as a clue"),
    AlertState.CASE_FILED: Label("已立案", "case filed"),
    AlertState.DISPOSED: Label("已处置,待整改证明", "disposed, proof to come"),
    AlertState.VERIFYING: Label("验收中", "proof being verified"),
    AlertState.ESCALATED: Label("已上提,待签收", "moved up a level, to be signed"),
    AlertState.RESOLVED: Label("已消除或已销号,待评定", "cleared or struck off, verdict to come"),
    AlertState.RATED: Label("已评定", "verdict recorded"),
    AlertState.CLOSED: Label("已办结", "closed"),
    AlertState.EXTERNAL: Label("已报平台外上级机关", "with the authority outside"),
    AlertState.ENDED: Label("已终止", "ended"),
}

ALERT_EVENT_LABELS: dict[AlertEvent, Label] = {
    AlertEvent.HOLD: Label("暂缓派发", "hold back"),
    AlertEvent.WITHDRAW: Label("撤回未派发的预警", "withdraw what was never dispatched"),
    AlertEvent.MUTE: Label("并入更强预警", "mute under a stronger alert"),
    AlertEvent.FOLLOW_PARENT: Label("随主预警办结", "resolved with the stronger alert"),
    AlertEvent.DISPATCH: Label("派发", "dispatch"),
    AlertEvent.AUTO_DISPATCH: Label("自动派发", "dispatched by the system"),
    AlertEvent.ADD_EVIDENCE: Label("补充证据", "evidence added"),
    AlertEvent.PUSH_AGAIN: Label("升级颜色,重新派发", "graver now: dispatched again"),
    AlertEvent.SIGN: Label("签收", "sign in"),
    AlertEvent.START_CHECK: Label("开始核查", "start the check"),
    AlertEvent.ASSIGN_CHECKERS: Label("更换核查人", "change the checkers"),
    AlertEvent.ASK_EXPLANATION: Label("要求说明", "ask the unit to explain"),
    AlertEvent.EXPLAIN: Label("说明情况", "explain"),
    AlertEvent.DROP_QUESTION: Label("撤回说明要求", "drop the question"),
    AlertEvent.LAPSE_EXPLANATION: Label("逾期未说明", "no explanation in time"),
    AlertEvent.REQUEST_FREEZE: Label("建议暂停拨付或审批", "ask to suspend payment or approval"),
    AlertEvent.CONFIRM_FREEZE: Label("确认暂停", "confirm the suspension"),
    AlertEvent.LIFT_FREEZE: Label("解除暂停", "lift the suspension"),
    AlertEvent.LAPSE_FREEZE: Label("逾期未确认,暂停失效", "suspension not confirmed in time: it lapses"),
    AlertEvent.REQUEST_EXTENSION: Label("申请延期", "ask for an extension"),
    AlertEvent.APPROVE_EXTENSION: Label("批准延期", "approve the extension"),
    AlertEvent.REFUSE_EXTENSION: Label("不批准延期", "refuse the extension"),
    AlertEvent.REQUEST_CLEARANCE: Label("申请消除预警", "ask for clearance"),
    AlertEvent.APPROVE_CLEARANCE: Label("批准消除", "approve the clearance"),
    AlertEvent.REFUSE_CLEARANCE: Label("不予消除", "refuse the clearance"),
    AlertEvent.LAPSE_CLEARANCE: Label("逾期未批,继续核查", "clearance not decided in time: the check goes on"),
    AlertEvent.FILE_PAPERS: Label("补交会议纪要", "hand in the minutes owed"),
    AlertEvent.REOPEN_UNPROVED: Label("逾期未补纪要,重新核查", "minutes not handed in: reopened"),
    AlertEvent.EXPIRE_CLEARANCE: Label("消除期满", "the clearance ran out"),
    AlertEvent.REPORT_FINDINGS: Label("报告核查结果", "report the findings"),
    AlertEvent.RETURN_FINDINGS: Label("退回核查结果", "return the findings"),
    AlertEvent.CONFIRM: Label("认定查实", "confirm"),
    AlertEvent.ORDER_RECTIFICATION: Label("责令整改", "order rectification"),
    AlertEvent.SEND_AS_CLUE: Label("移交问题线索", "send as a clue"),
    AlertEvent.FILE_CASE: Label("立案", "file a case"),
    AlertEvent.TAKE_BACK: Label("退回继续处理", "take back from clue or case"),
    AlertEvent.RECORD_DISPOSAL: Label("登记处置", "record the disposal"),
    AlertEvent.RECORD_MONEY: Label("登记追缴或清退", "record money recovered or returned"),
    AlertEvent.SUBMIT_PROOF: Label("提交整改证明", "submit proof"),
    AlertEvent.RETURN_PROOF: Label("退回整改", "return the proof"),
    AlertEvent.STRIKE_OFF: Label("验收(全部完成即销号)", "accept; strike off when all is done"),
    AlertEvent.RATE: Label("评定预警", "record the verdict"),
    AlertEvent.REVISE_VERDICT: Label("更正评定", "revise the verdict"),
    AlertEvent.RE_EXAMINE: Label("抽查复评", "re-examine a sampled clearance"),
    AlertEvent.PASS_LOOK_BACK: Label("回头看通过", "look-back passed"),
    AlertEvent.REOPEN: Label("重新核查", "reopen"),
    AlertEvent.AUTO_CLOSE: Label("到期办结", "closed by the clock"),
    AlertEvent.ESCALATE: Label("逾期上提一级", "limit passed: one level up"),
    AlertEvent.RECUSE: Label("须回避,上提一级", "had to withdraw: one level up"),
    AlertEvent.ACKNOWLEDGE_EXTERNAL: Label("记录上级机关回执", "note the authority's acknowledgement"),
    AlertEvent.RETURN_EXTERNAL: Label("上级机关交回核查", "the authority sent it back to be checked"),
    AlertEvent.RECORD_EXTERNAL_END: Label("记录上级机关办结", "record how the authority ended it"),
    AlertEvent.URGE_EXTERNAL: Label("催办上级机关", "urge the authority"),
    AlertEvent.END_EXTERNAL: Label("上级机关逾期,终止", "authority stayed silent: end"),
}

# How the two vocabularies of the field, of the flow and of the platform, map to the states; printed with the chart's page.
VOCABULARY: tuple[tuple[str, str, str], ...] = (
    ("待派发", "GENERATED", "filed"),
    ("挂起", "HELD", "held"),
    ("(并入)", "—", "muted"),
    ("已派发", "PUSHED", "dispatched"),
    ("已签收", "SIGNED", "signed"),
    ("核查中、退回重查", "CHECKING", "checking"),
    ("说明中", "EXPLAINING", "explaining"),
    ("消除申请、复核", "CLEAR_REQUESTED", "clear_requested"),
    ("查实", "CONFIRMED", "investigated"),
    ("整改", "RECTIFYING", "rectifying"),
    ("转线索", "CLUE_FILED", "clue_filed"),
    ("立案", "CASE_FILED", "case_filed"),
    ("处置、追缴、处理人", "DISPOSED", "disposed"),
    ("整改验收", "VERIFYING", "verifying"),
    ("已消除", "CLEARED", "resolved, resolution cleared"),
    ("办结、销号", "CLOSED", "resolved, resolution disposed; then rated, closed"),
    ("判定 A–F", "—", "rated"),
    ("催办、督办、查办", "same state, level + 1", "escalated before it is confirmed, the same state afterwards"),
)

COLOURS = ("red", "orange", "yellow", "blue")  # gravest first; orange only with the four-colour palette
SERIOUS = frozenset({"red", "orange"})
HOLD_REASONS = ("new_rule", "flood", "waiting_data")
WITHDRAW_REASONS = ("rule_fault", "data_error", "duplicate")
# Why an alert is cleared, and the papers without which the reason is not heard.
CLEARANCE_PAPERS: Mapping[str, frozenset[str]] = {
    "emergency_works": frozenset({"emergency_report", "minutes"}),
    "data_error": frozenset({"source_record"}),
    "timing_difference": frozenset({"voucher"}),
    "lawful_exception": frozenset({"approval"}),
    "already_handled": frozenset({"decision"}),
    "not_related": frozenset({"statement"}),
}
CLEARANCE_REASONS = tuple(CLEARANCE_PAPERS)
# Emergency works are done before the meeting: these may follow, within the days of AL-10.
MAY_FOLLOW: Mapping[str, frozenset[str]] = {"emergency_works": frozenset({"minutes"})}
SCOPES = ("evidence", "contract", "person_rule")  # what a clearance speaks of: this evidence, this contract, this person × rule
CLEARANCE_MONTHS: Mapping[str, int] = {"yellow": 6, "blue": 12}  # longest life; red and orange none beyond the evidence
FORMS = ("FORM_1", "FORM_2", "FORM_3", "FORM_4")  # 四种形态, of one person
REOPEN_REASONS = ("new_evidence", "failed_look_back", "order_from_above")
# A violation; B irregular, rectified; C true but lawful; D fault of the rule; E fault of the data; F cannot be verified.
VERDICTS = ("A", "B", "C", "D", "E", "F")
# Which verdict an ending can have, so that precision counts no violation that nobody confirmed.
VERDICTS_OF: Mapping[str, frozenset[str]] = {
    "disposed": frozenset("ABF"),
    "cleared": frozenset("BCDEF"),
    "withdrawn": frozenset("DEF"),
    "followed": frozenset(VERDICTS),
}
MONEY = ("amount", "recovered", "returned")  # of a disposal, in fen
LIMITS = {
    "assignments": 5, "explanations": 3, "freezes": 2, "extensions": 1, "clearances": 3, "findings_returns": 3,
    "take_backs": 2, "proof_returns": 3, "stages": 3, "verdict_changes": 2, "reopenings": 3, "urgings": 3,
}
PROVINCE, COUNTY, TOWNSHIP = 1, 3, 4


class AlertRecord(Protocol):
    """What the chart reads and changes of an alert. Ids may be any equal-comparable value, in practice UUID."""

    state: str
    colour: str  # one of COLOURS; steps down only with an accepted rectification
    level: int  # 5 village, 4 township, 3 county, 2 city, 1 province: the level in charge
    org_id: UUID | None  # body in charge
    unit_org_id: UUID | None  # body that explains and rectifies
    subject_org_ids: list[UUID]  # bodies of the subjects and those below them: they decide nothing
    cadre_level: int | None  # level whose body may file a case against the subjects; None counts as the county
    parent_id: UUID | None  # the stronger alert that this one is muted under, or the closed one that it follows
    flood: bool  # held because one run gave too many
    checker_ids: list[UUID]
    assignments: int
    explanations: int
    unexplained: bool  # asked, and no answer in time
    freeze: str | None  # requested, confirmed, lifted, lapsed
    freeze_by: UUID | None
    freezes: int
    extensions: int
    extension_by: UUID | None  # set while a request waits
    findings_by: UUID | None  # set while reported findings wait for the second person
    findings_returns: int
    clearance_by: UUID | None
    clearance_reason: str | None
    clearance_scope: str | None
    clearance_until: date | None  # last day; None: this evidence alone, without an end
    clearances: int  # times it was asked for
    clearance_live: bool  # further hits within its scope are suppressed
    papers_due: bool  # cleared before the minutes came
    sampled: bool  # the level above examines it again
    decided_by: UUID | None  # who cleared it or struck it off
    disposed: bool  # a disposal is on record
    proof_by: UUID | None
    proof_returns: int
    stages: int  # parts of the rectification accepted so far
    take_backs: int
    resolution: str | None  # cleared, disposed, withdrawn, followed
    verdict: str | None  # one of VERDICTS
    verdict_by: UUID | None
    verdict_changes: int
    reopenings: int
    urgings: int
    overdue: bool


def clock_facts(alert: AlertRecord, event: str, day: date) -> dict[str, Any]:
    """What the clocks read of an alert, to be logged with every event after the step. day: the day of the event.

    Other facts of the event stand beside these: `days` of approve_extension, `policy` of a system event.
    """
    facts: dict[str, Any] = {
        "colour": alert.colour, "level": alert.level, "flood": alert.flood, "papers_due": alert.papers_due,
        "sampled": alert.sampled, "disposed": alert.resolution == "disposed",
        "limited": alert.clearance_live and alert.clearance_until is not None,
    }
    if event == AlertEvent.APPROVE_CLEARANCE and alert.clearance_until is not None:
        facts["days"] = (alert.clearance_until - day).days
    return facts


ALERT_REFUSALS: Mapping[str, Label] = {
    "wrong-role": Label("您的角色不能办理此操作", "your role may not do this"),
    "not-in-charge": Label("此预警不由您的单位负责", "another body is in charge of this alert"),
    "not-the-checker": Label("须由核查人办理", "for those who check it"),
    "not-the-unit": Label("须由被核查单位或核查人办理", "for the unit concerned or those who check"),
    "not-the-decider": Label("须由负责单位或其上级纪检监察机关负责人办理", "for the head of the body in charge or of a discipline body above"),
    "not-model-owner": Label("须由县级以上规则管理单位办理", "for the owner of the rule, at the county or above"),
    "head-needed": Label("须由单位负责人办理", "the head of the body must do this"),
    "wrong-level": Label("须由现负责层级或其上级办理", "only the level in charge or one above it may do this"),
    "colour-too-serious": Label("此颜色的预警不由您的单位核查", "an alert of this colour is not for your kind of body"),
    "recused": Label("应当回避", "must withdraw"),
    "recused-checkers": Label("核查人中有应当回避的人员", "one of the checkers must withdraw"),
    "subject-body": Label("不得交由被核查单位办理", "it may not go to a body it is about"),
    "subject-may-not-decide": Label("被核查单位不得审批", "the body that the alert is about decides nothing"),
    "separation-of-duties": Label("申请、经办与审批不得为同一人", "who asks, checks or submits does not decide"),
    "two-people-needed": Label("红色预警须二人以上核查", "a red alert is checked by two people or more"),
    "one-level-up-needed": Label("红色预警的消除须由上一级且县级以上批准", "a red alert is cleared one level up, at the county or above"),
    "discipline-needed": Label("须由乡镇以上纪检监察机关负责人批准", "needs the head of a discipline body of a township or above"),
    "county-needed": Label("须由县级以上办理", "needs the county or above"),
    "cadre-authority": Label("立案须由有干部管理权限的机关批准", "a case needs the body that manages the cadre"),
    "evidence-only": Label("红色预警只能就本次证据消除", "a red alert is cleared for its evidence alone"),
    "expiry-too-long": Label("消除期限超过上限(黄6个月,蓝12个月)", "longer than a clearance may last: yellow 6 months, blue 12"),
    "clearance-over": Label("所申请的期限已过", "the time asked for is over"),
    "papers-missing": Label("缺少该理由所需材料", "papers that this reason asks for are missing"),
    "nothing-owed": Label("没有待补的材料", "no papers are owed"),
    "nothing-requested": Label("没有待批申请", "nothing was requested"),
    "findings-wait": Label("核查结果待审核", "findings wait for the second person"),
    "nothing-reported": Label("尚未报告核查结果", "no findings were reported"),
    "nothing-frozen": Label("没有待处理的暂停", "nothing is suspended"),
    "frozen": Label("已在暂停", "it is suspended already"),
    "form-4-needs-case": Label("第四种形态须先立案", "the fourth form needs a filed case"),
    "not-disposed": Label("尚未登记处置", "no disposal is on record"),
    "not-struck-off": Label("不是销号的预警", "it was not struck off"),
    "not-sampled": Label("不在抽查范围", "it was not drawn for re-examination"),
    "verdict-contradicts": Label("评定与办理结果不符", "the verdict contradicts how it ended"),
    **{f"{name}-spent": Label(f"{zh}次数已用完", f"{en} too often") for name, zh, en in (
        ("assignments", "更换核查人", "the checkers changed"), ("explanations", "要求说明", "explanations were asked"),
        ("freezes", "暂停", "it was suspended"), ("extensions", "延期", "it was extended"),
        ("clearances", "申请消除", "clearance was asked"), ("findings_returns", "退回核查结果", "findings were returned"),
        ("take_backs", "退回处理", "it was taken back"), ("proof_returns", "退回整改", "the proof was returned"),
        ("stages", "分项验收", "parts were accepted"), ("verdict_changes", "更正评定", "the verdict was revised"),
        ("reopenings", "重新核查", "it was reopened"), ("urgings", "催办", "the authority was urged"),
    )},
    "urgings-left": Label("尚可催办", "the authority can still be urged"),
    "graver-now": Label("预警已升级,须重新派发", "it became graver and has to be dispatched again"),
    "other-branch": Label("不适用于此分支", "another branch applies"),
}  # fmt: skip
