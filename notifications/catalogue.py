"""Who hears of what, and in which words.

A text may hold three things of a case: its serial number, its state and a day. What a person wrote, a name or a place
never stands in a message; whoever wants to know more signs in. One-time codes and passwords have placeholders of their own.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, NamedTuple

# `readers` are those on the list of a clue, `clue_heads` the heads of the body in charge of it. `alert_org` is the body in charge
# of an alert, `alert_unit` the unit that explains and sets right.
Audience = Literal[
    "petitioner", "owner_org", "main_org", "co_orgs", "phone", "mailbox", "readers", "clue_heads", "alert_org", "alert_unit"
]

PLACEHOLDERS = frozenset({"serial", "state", "due"})
SECRET_PLACEHOLDERS = frozenset({"code", "password"})
UNKNOWN = ("未定", "not set")


class Words(NamedTuple):
    """Finished text, Chinese and English."""

    zh: str
    en: str


@dataclass(frozen=True, slots=True)
class Notice:
    """One audience of one event with its text; placeholders {serial}, {state} and {due} only."""

    audience: Audience
    zh: str
    en: str

    def words(self, params: Mapping[str, object], state: tuple[str, str] = UNKNOWN) -> Words:
        """The text with its values filled in. state: label of the case's state in both languages.

        A value that is missing reads as not set; an unknown placeholder raises KeyError.
        """
        texts = []
        for index, template in enumerate((self.zh, self.en)):
            values = {name: params.get(name) or UNKNOWN[index] for name in PLACEHOLDERS | SECRET_PLACEHOLDERS}
            texts.append(template.format(**{**values, "state": state[index]}))
        return Words(*texts)


NONE: tuple[Notice, ...] = ()


def _case(zh: str, en: str, audience: Audience) -> Notice:
    return Notice(audience, f"信访事项{{serial}}:{zh}", f"Case {{serial}}: {en}")


def _petitioner(zh: str, en: str) -> Notice:
    return _case(zh, en, "petitioner")


def _owner(zh: str, en: str) -> Notice:
    return _case(zh, en, "owner_org")


def _main(zh: str, en: str) -> Notice:
    return _case(zh, en, "main_org")


def _co(zh: str, en: str) -> Notice:
    return _case(zh, en, "co_orgs")


# Events of the petition chart. An event that nobody needs to be told of says NONE.
PETITION: Mapping[str, tuple[Notice, ...]] = {
    # Intake.
    "register": (_petitioner("已登记,下一步最迟{due}。", "registered; next step by {due}."),),
    "auto_register": (
        _petitioner("已登记,下一步最迟{due}。", "registered; next step by {due}."),
        _owner(
            "逾期未登记,已自动登记,请于{due}前分派。", "not registered in time, done automatically; dispatch by {due}."
        ),
    ),
    "merge": (
        _petitioner(
            "已与同类事项并案办理,您仍可单独评价。", "joined with a similar case; you still give your own rating."
        ),
    ),
    "unmerge": (_petitioner("并案已撤销,恢复单独办理。", "separated again and handled by itself."),),
    "redirect": (
        _petitioner(
            "应通过其他法定途径处理,请登录查看。", "another statutory route applies; please sign in to see it."
        ),
    ),
    "route_to_discipline": (_petitioner("已转有权处理的机关。", "passed to the competent body."),),
    "reject": (_petitioner("不予受理,理由请登录查看。", "not accepted; please sign in to see why."),),
    "accept": (_petitioner("已受理,下一步最迟{due}。", "accepted; next step by {due}."),),
    "dispatch": (
        _petitioner("已转责任单位,最迟{due}签收。", "passed to the responsible body, which signs by {due}."),
        _main("已转交本单位,请于{due}前签收。", "given to your body; sign in by {due}."),
        _co("本单位为协办单位,请登录查看。", "your body is a co-handler; please sign in."),
    ),
    "mark_urgent": (
        _owner("已列为紧急重大事项,请立即上报,时限{due}。", "marked as urgent or major: report it at once; limit {due}."),
        _main("已列为紧急重大事项,请立即上报,时限{due}。", "marked as urgent or major: report it at once; limit {due}."),
    ),
    "report_urgent": (_petitioner("您反映的紧急情况已向上报告。", "the urgent matter was reported to those above."),),
    "add_co_handler": (_co("本单位为协办单位,请登录查看。", "your body is a co-handler; please sign in."),),
    "approve_return": (
        _petitioner("正在重新确定承办单位,最迟{due}。", "another body is being chosen, by {due}."),
        _owner("已同意退单,请于{due}前重新分派。", "the return was agreed; dispatch again by {due}."),
    ),
    "refuse_return": (_main("退单未获同意,请继续办理,时限{due}。", "the return was refused; handle it by {due}."),),
    # The body that received the case.
    "sign": (_petitioner("责任单位已签收,办理时限{due}。", "the responsible body has signed; limit {due}."),),
    "auto_sign": (
        _petitioner("责任单位已签收,办理时限{due}。", "the responsible body has signed; limit {due}."),
        _main(
            "逾期未签收,已自动签收并记蓝牌,时限{due}。",
            "not signed in time: signed automatically, blue card; limit {due}.",
        ),
        _owner("承办单位逾期未签收,已自动签收。", "the handling body did not sign in time; signed automatically."),
    ),
    "request_return": (
        _owner("承办单位申请退单,请于{due}前审核。", "the handling body asks to return it; decide by {due}."),
    ),
    "expire_return": (
        _main(
            "退单逾期未审,已指定本单位承办,请于{due}前签收。",
            "return undecided in time: your body is designated; sign by {due}.",
        ),
        _owner("退单逾期未审,已指定原单位承办。", "return undecided in time; the same body is designated."),
    ),
    "start": NONE,
    # Handling.
    "request_extension": (
        _main("已申请延期,请负责人审批,时限{due}。", "extension asked for; the head decides by {due}."),
        _owner("承办单位已申请延期。", "the handling body asks for an extension."),
    ),
    "approve_extension": (
        _petitioner(
            "办理期限已延长至{due},理由请登录查看。", "the limit is extended to {due}; please sign in to see why."
        ),
        _main("延期已批准,新时限{due}。", "extension granted; new limit {due}."),
    ),
    "refuse_extension": (_main("延期未获批准,时限{due}。", "extension refused; limit {due}."),),
    "request_suspension": (
        _main("已申请挂账,请负责人审批。", "parking asked for; the head decides."),
        _owner("承办单位已申请挂账。", "the handling body asks to park the case."),
    ),
    "approve_suspension": (
        _petitioner("暂缓办理,理由及期限请登录查看。", "parked for a time; please sign in to see why and how long."),
        _main("挂账已批准,下一时限{due}。", "parking granted; next limit {due}."),
    ),
    "refuse_suspension": (_main("挂账未获批准,时限{due}。", "parking refused; limit {due}."),),
    "resume": (_petitioner("已恢复办理,时限{due}。", "handling has resumed; limit {due}."),),
    "resume_expired": (
        _petitioner("已恢复办理,时限{due}。", "handling has resumed; limit {due}."),
        _main("挂账到期,已恢复办理,时限{due}。", "parking ran out, handling has resumed; limit {due}."),
    ),
    "hold_hearing": (_petitioner("已举行听证,请登录查看。", "a hearing was held; please sign in."),),
    # Both sides sat at the table, and the agreement stands on the timeline.
    "mediate": NONE,
    "co_report": (_main("协办单位已反馈。", "a co-handler has reported."),),
    # The reply.
    "submit_reply": (
        _main("答复待审核,时限{due}。", "a reply waits for approval; limit {due}."),
        _owner("承办单位已提交答复。", "the handling body has submitted its reply."),
    ),
    "return_reply": (_main("答复被退回,请修改,时限{due}。", "the reply was sent back; mend it by {due}."),),
    "approve_reply": (
        _main(
            "答复已通过审核,网上即时送达,其他请于{due}前送达。",
            "the reply is approved; on line it arrives at once, otherwise deliver it by {due}.",
        ),
    ),
    "deliver": (
        _petitioner("已办理答复,请于{due}前查看并评价。", "answered; please read the reply and rate it by {due}."),
    ),
    "follow_parent": (
        _petitioner(
            "并案事项已答复,请于{due}前查看并评价。", "answered with the leading case; please rate it by {due}."
        ),
    ),
    # Ratings.
    "rate": (
        _owner("信访人已评价,当前状态:{state}。", "the petitioner has rated it; state: {state}."),
        _main("信访人已评价,当前状态:{state}。", "the petitioner has rated it; state: {state}."),
    ),
    "change_rating": (
        _owner("信访人已修改评价,当前状态:{state}。", "the petitioner has changed the rating; state: {state}."),
    ),
    "lapse_rating": (
        _petitioner("评价期已过,事项办结(未评价)。", "the time for rating has passed; closed without a rating."),
    ),
    # Supervision.
    "rehandle": (
        _petitioner("已交新的单位重新办理,时限{due}。", "given to a new body; limit {due}."),
        _main("重新办理事项已交本单位,时限{due}。", "given to your body to handle anew; limit {due}."),
        _co("本单位为协办单位,请登录查看。", "your body is a co-handler; please sign in."),
    ),
    "explain": (
        _petitioner(
            "上级机关已解释办结,您可申请复查。", "closed with an explanation one level up; you may ask for review."
        ),
    ),
    "reopen": (
        _petitioner("已重新办理,时限{due}。", "reopened; limit {due}."),
        _main("重新办理事项已交本单位,时限{due}。", "given to your body to handle anew; limit {due}."),
    ),
    "expire": (
        _petitioner("未在时限内办结,已报上一级督办。", "not done in time; it now lies one level up."),
        _owner("下级逾期,由本级督办,请于{due}前处理。", "overdue below; your level decides by {due}."),
        _main("已逾期,记红牌并报上一级督办。", "overdue: red card, now under supervision one level up."),
    ),
    # Review and re-review.
    "ask_review": (
        _owner("信访人申请复查,请于{due}前出具意见。", "the petitioner asks for review; opinion due {due}."),
    ),
    "give_review_opinion": (
        _petitioner("复查意见已出具,请登录查看。", "the review opinion is there; please sign in."),
    ),
    "ask_recheck": (
        _owner("信访人申请复核,请于{due}前出具意见。", "the petitioner asks for re-review; opinion due {due}."),
    ),
    "give_recheck_opinion": (
        _petitioner("复核意见已出具,请登录查看。", "the re-review opinion is there; please sign in."),
    ),
    "lapse_review": (
        _petitioner("申请复核期已过,事项办结。", "the time to ask for re-review has passed; the case is closed."),
    ),
    # Above the province.
    "acknowledge_external": (_petitioner("上级机关已回执。", "the authority above has acknowledged it."),),
    "record_external_end": (
        _petitioner("上级机关已办结,请登录查看。", "ended by the authority above; please sign in."),
    ),
    "urge_external": (
        _petitioner("已催办上级机关。", "the authority above has been urged."),
        _owner("上级机关逾期未回执,已催办。", "no acknowledgement in time; the authority has been urged."),
    ),
    "end_external": (
        _petitioner(
            "上级机关逾期未回执,依法终止,请登录查看。", "no acknowledgement: recorded statutory end; please sign in."
        ),
        _owner("多次催办无回执,已依法终止。", "no acknowledgement after all urgings: recorded statutory end."),
    ),
    "split_from_parent": (
        _petitioner("已与主件分离,单独办理。", "separated from the leading case and handled by itself."),
        _owner("已与主件分离,请于{due}前分派。", "separated from the leading case; dispatch by {due}."),
    ),
    # Nobody is told who had to withdraw, nor why.
    "recuse_body": (
        _petitioner("案件已转由其他单位办理,下一步最迟{due}。", "passed to another body; next step by {due}."),
        _owner("请重新确定承办单位,时限{due}。", "a body is to be found for it by {due}."),
    ),
    "withdraw": (
        _owner("信访人已撤回。", "withdrawn by the petitioner."),
        _main("信访人已撤回。", "withdrawn by the petitioner."),
    ),
}

# Messages that no event of the chart sends.
OTHER: Mapping[str, tuple[Notice, ...]] = {
    "file": (
        _petitioner("已收到,最迟{due}登记。请保存查询码。", "received; registered by {due}. Keep your number and PIN."),
        _owner("新事项待登记,时限{due}。", "new, to be registered by {due}."),
    ),
    "due_soon": (
        _main("即将到期:{due}。", "due soon: {due}."),
        _owner("即将到期:{due}。", "due soon: {due}."),
    ),
    # A right or a window of the petitioner's own, as to rate or to ask for review.
    "window_closes": (
        _petitioner("您的权利将于{due}到期,请登录查看。", "a right of yours ends on {due}; please sign in."),
    ),
    "overdue": (
        _main("已超期,时限为{due}。", "overdue since {due}."),
        _owner("下级已超期,时限为{due}。", "overdue below since {due}."),
    ),
    "supervision_order": (
        _main("上级已督办,请于{due}前回复。", "supervision order from above; answer by {due}."),
        _owner("已发出督办,回复时限{due}。", "supervision order issued; answer due {due}."),
    ),
    "order_overdue": (
        _owner("督办逾期未回复,时限为{due},已记红牌。", "supervision order not answered by {due}: red card."),
        _main("督办逾期未回复,已记红牌。", "supervision order not answered in time: red card."),
    ),
    "message_from_staff": (_petitioner("工作人员有新留言,请登录查看。", "new word from staff; please sign in."),),
    "message_from_petitioner": (
        _main("信访人有新留言,请登录查看。", "new word from the petitioner; please sign in."),
        _owner("信访人有新留言,请登录查看。", "new word from the petitioner; please sign in."),
    ),
    # Break-glass: the petitioner hears of it when it happens, without who and why; those stand on record.
    "request_opening": (
        _owner("有人申请查阅保密身份,请登录查看。", "somebody asks for the identity to be opened; please sign in."),
    ),
    "grant_opening": (
        _petitioner(
            "您的保密身份经两家单位批准被查阅,请登录查看。",
            "your confidential identity was opened with the consent of two bodies; please sign in.",
        ),
    ),
    "data_request": (
        _owner("信访人提出个人信息请求,请登录办理。", "a request about personal data; please sign in and decide."),
    ),
    "decide_data_request": (
        _petitioner(
            "您的个人信息请求已有答复,请登录查看。", "your request about your data is decided; please sign in."
        ),
    ),
    "one_time_code": (
        Notice(
            "phone",
            "【明鉴】验证码{code},请尽快使用,请勿告诉他人。",
            "Mingjian: code {code}. Use it soon and tell nobody.",
        ),
    ),
    "one_time_password": (
        Notice(
            "mailbox",
            "【明鉴】您的一次性密码:{password},三天内有效,登录后须立即修改。",
            "Mingjian: your one-time password {password}. Good for three days; it has to be changed at once.",
        ),
    ),
}

# Steps of a clue. On a screen that anybody may see these say neither which clue, nor that there is one.
_MOVED = Notice("readers", "您参与的一项工作有新进展,请登录查看。", "Something you take part in has moved; please sign in.")
_NEW = Notice("readers", "有一项工作需要您了解,请登录查看。", "There is something for you to know; please sign in.")
_DECIDE = Notice("readers", "有一项提请待审批,请登录查看。", "A proposal waits for its decision; please sign in.")
_TAKE_UP = Notice("clue_heads", "有一项工作需要您处理,请登录查看。", "There is something for you to see to; please sign in.")

CLUE: Mapping[str, tuple[Notice, ...]] = {
    "clue_open": (_NEW,),
    "clue_receive": (_MOVED,),
    "clue_verify_realname": (_MOVED,),
    "clue_mark_anonymous": (_MOVED,),
    # Those who were on the list until then hear nothing of it any more.
    "clue_send_up": (_NEW,),
    "clue_send_down": (_NEW,),
    "clue_hand_outside": NONE,
    "clue_accept": (_petitioner("您的检举已受理,请登录查看。", "your report was accepted; please sign in."), _MOVED),
    "clue_assign": (_MOVED,),
    "clue_propose_disposal": (_DECIDE,),
    "clue_return_disposal": (_MOVED,),
    "clue_approve_disposal": (_MOVED,),
    "clue_record_answer": (_MOVED,),
    "clue_report": (_MOVED,),
    "clue_verify_further": (_MOVED,),
    "clue_keep": (_MOVED,),
    "clue_close": (_MOVED,),
    "clue_take_up": (_MOVED,),
    "clue_file_case": (_MOVED,),
    "clue_conclude": (_MOVED,),
    "clue_feedback": (
        _petitioner("您的检举已有结果,请登录查看。", "there is a result of your report; please sign in."),
        _MOVED,
    ),
    "clue_propose_false_accusation": (_DECIDE,),
    "clue_approve_false_accusation": (_MOVED,),
    "clue_refuse_false_accusation": (_MOVED,),
    "clue_propose_clarification": (_DECIDE,),
    "clue_approve_clarification": (_MOVED,),
    "clue_refuse_clarification": (_MOVED,),
    "clue_report_result": NONE,
    "clue_archive": (_MOVED,),
    "clue_auto_archive": (_MOVED,),
    "clue_rise": (
        _MOVED,
        Notice("clue_heads", "下级一项工作逾期,已转本级,请登录查看。", "Something overdue below came to you; please sign in."),
    ),
    "clue_lapse_answer": (_MOVED,),
    "clue_add_reader": (_NEW,),
    "clue_remove_reader": NONE,
    # Somebody dropped out, or must withdraw.
    "clue_pass_on": (_NEW, _TAKE_UP),
    "clue_recuse": (_NEW, _TAKE_UP),
    "clue_message": (Notice("readers", "有新留言,请登录查看。", "There is a new word for you; please sign in."),),
}

# Steps of an alert. Which one, and whom it is about, is told to whoever signs in.
_SIGN_IN = Notice("alert_org", "有一条预警待签收,时限{due},请登录查看。", "An alert waits to be signed in by {due}; please sign in.")
_STEP = Notice("alert_org", "一条预警有新进展,下一时限{due},请登录查看。", "An alert has moved; next limit {due}; please sign in.")
_DECISION = Notice("alert_org", "一条预警有申请或结果待审批,时限{due},请登录查看。", "Something about an alert waits for its decision by {due}; please sign in.")
_ASKED = Notice("alert_unit", "有事项需要本单位说明,时限{due},请登录查看。", "Your body is asked to explain something by {due}; please sign in.")
_ORDERED = Notice("alert_unit", "有事项需要本单位整改,时限{due},请登录查看。", "Your body has something to set right by {due}; please sign in.")
_PROVE = Notice("alert_unit", "有整改事项需要提交证明,时限{due},请登录查看。", "Proof is asked of your body by {due}; please sign in.")

ALERT: Mapping[str, tuple[Notice, ...]] = {
    # Nobody hears of what was not sent out, nor of what was muted in it.
    "alert_file": NONE,
    "alert_hold": NONE,
    "alert_withdraw": NONE,
    "alert_mute": NONE,
    "alert_follow_parent": NONE,
    "alert_dispatch": (_SIGN_IN,),
    "alert_auto_dispatch": (_SIGN_IN,),
    "alert_push_again": (_SIGN_IN,),
    "alert_add_evidence": (_STEP,),
    "alert_sign": NONE,
    "alert_start_check": NONE,
    "alert_assign_checkers": (_STEP,),
    "alert_ask_explanation": (_ASKED,),
    "alert_explain": (_STEP,),
    "alert_drop_question": NONE,
    "alert_lapse_explanation": (_STEP,),
    "alert_request_freeze": (_DECISION,),
    "alert_confirm_freeze": (_STEP,),
    "alert_lift_freeze": (_STEP,),
    "alert_lapse_freeze": (_STEP,),
    "alert_request_extension": (_DECISION,),
    "alert_approve_extension": (_STEP,),
    "alert_refuse_extension": (_STEP,),
    "alert_request_clearance": (_DECISION,),
    "alert_approve_clearance": (_STEP,),
    "alert_refuse_clearance": (_STEP,),
    "alert_lapse_clearance": (_STEP,),
    "alert_file_papers": (_STEP,),
    "alert_reopen_unproved": (_STEP,),
    "alert_expire_clearance": NONE,
    "alert_report_findings": (_DECISION,),
    "alert_return_findings": (_STEP,),
    "alert_confirm": (_STEP,),
    "alert_order_rectification": (_ORDERED,),
    "alert_send_as_clue": NONE,
    "alert_file_case": NONE,
    "alert_take_back": (_STEP,),
    "alert_record_disposal": (_PROVE,),
    "alert_record_money": NONE,
    "alert_submit_proof": (_DECISION,),
    "alert_return_proof": (_ORDERED,),
    "alert_strike_off": (_STEP,),
    "alert_rate": NONE,
    "alert_revise_verdict": NONE,
    "alert_re_examine": (_STEP,),
    "alert_pass_look_back": NONE,
    "alert_reopen": (_STEP,),
    "alert_auto_close": NONE,
    "alert_escalate": (_SIGN_IN,),
    "alert_recuse": (_SIGN_IN,),
    "alert_acknowledge_external": NONE,
    "alert_return_external": (_SIGN_IN,),
    "alert_record_external_end": NONE,
    "alert_urge_external": NONE,
    "alert_end_external": NONE,
}

CATALOGUE: Mapping[str, tuple[Notice, ...]] = {**PETITION, **OTHER, **CLUE, **ALERT}
SECRET_TEMPLATES = frozenset({"one_time_code", "one_time_password"})
SUBJECT = Words("明鉴:信访事项提醒", "Mingjian: news of a case")
ACCOUNT_SUBJECT = Words("明鉴:账号通知", "Mingjian: your account")


def notice_for(template: str, audience: str) -> Notice | None:
    """The text of a template for an audience; None when the catalogue has none."""
    return next((notice for notice in CATALOGUE.get(template, NONE) if notice.audience == audience), None)


def audiences(template: str) -> tuple[Audience, ...]:
    """Who hears of an event or template, nobody included; raises KeyError for a name without an entry."""
    return tuple(notice.audience for notice in CATALOGUE[template])
