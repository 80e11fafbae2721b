"""Who hears of which step of an alert. The unit that an alert is about hears of a matter, never of a rule or a suspicion."""

from __future__ import annotations

from collections.abc import Mapping

from notifications.notice import NONE, Audience, Notice


def _alert(zh: str, en: str, audience: Audience) -> Notice:
    return Notice(audience, f"预警{{serial}}:{zh}", f"Alert {{serial}}: {en}")


def _body(zh: str, en: str) -> Notice:
    return _alert(zh, en, "alert_body")


def _above(zh: str, en: str) -> Notice:
    return _alert(zh, en, "alert_above")


def _checkers(zh: str, en: str) -> Notice:
    return _alert(zh, en, "alert_checkers")


def _owner(zh: str, en: str) -> Notice:
    return _alert(zh, en, "rule_owner")


def _unit(zh: str, en: str) -> Notice:
    return Notice("alert_unit", f"核对事项{{serial}}:{zh}", f"Matter {{serial}}: {en}")


def _department(zh: str, en: str) -> Notice:
    return Notice("alert_department", f"核对事项{{serial}}:{zh}", f"Matter {{serial}}: {en}")


_SENT = (
    _body("已派发本单位,请于{due}前签收。", "sent to your body; sign by {due}."),
    _above("已派发下级,请于{due}前督促签收。", "sent to a body below you, to be signed by {due}."),
)
_BACK = (
    _body("重新进入核查,时限{due}。", "to be checked again, by {due}."),
    _checkers("重新进入核查,时限{due}。", "to be checked again, by {due}."),
)
_GONE_ON = (_body("有新进展,请登录查看。", "has moved; please sign in."),)

# Events of the alert chart. An event that nobody needs to be told of says NONE.
ALERT: Mapping[str, tuple[Notice, ...]] = {
    # Before it is dispatched.
    "alert_hold": (_owner("已暂缓派发,请于{due}前审核放行。", "held back; release or withdraw it by {due}."),),
    "alert_withdraw": NONE,
    "alert_mute": NONE,
    "alert_follow_parent": NONE,
    "alert_dispatch": _SENT,
    "alert_auto_dispatch": _SENT,
    "alert_add_evidence": (
        _body("有新的证据,请登录查看。", "there is new evidence; please sign in."),
        _checkers("有新的证据,请登录查看。", "there is new evidence; please sign in."),
    ),
    "alert_push_again": (
        _body("颜色升级,重新派发,请于{due}前签收。", "graver now and sent again; sign by {due}."),
        _above("颜色升级,已重新派发,签收时限{due}。", "graver now and sent again; to be signed by {due}."),
    ),
    # The check.
    "alert_sign": NONE,
    "alert_start_check": (_checkers("请您核查,时限{due}。", "yours to check, by {due}."),),
    "alert_assign_checkers": (_checkers("请您核查,时限{due}。", "yours to check, by {due}."),),
    "alert_ask_explanation": (_unit("请贵单位说明情况,时限{due}。", "please explain, by {due}."),),
    "alert_explain": (_checkers("单位已说明,请于{due}前继续核查。", "the unit has explained; go on by {due}."),),
    "alert_drop_question": (_unit("不再需要贵单位说明。", "an explanation is no longer asked for."),),
    "alert_lapse_explanation": (
        _checkers("单位逾期未说明,请于{due}前继续核查。", "no explanation in time; go on by {due}."),
        _unit("说明逾期,已记录在案。", "not explained in time; this is on record."),
    ),
    "alert_request_freeze": (
        _body("已建议暂停拨付或审批,请于{due}前确认或解除。", "suspension asked for; confirm or lift it by {due}."),
        _department("请暂停相关拨付或审批,请登录查看。", "please suspend payment or approval; sign in to see."),
    ),
    "alert_confirm_freeze": (_department("暂停已确认,请登录查看。", "the suspension is confirmed; please sign in."),),
    "alert_lift_freeze": (_department("暂停已解除。", "the suspension is lifted."),),
    "alert_lapse_freeze": (
        _department("暂停逾期未确认,已失效。", "the suspension was not confirmed in time and has lapsed."),
        _body("暂停逾期未确认,已失效。", "the suspension was not confirmed in time and has lapsed."),
        _above("下级建议的暂停逾期未确认,已失效。", "a suspension asked for below you was not confirmed in time."),
    ),
    "alert_request_extension": (
        _body("已申请延期,请负责人审批。", "an extension is asked for; the head decides."),
        _above("下级申请延期,请登录查看。", "a body below you asks for an extension; please sign in."),
    ),
    "alert_approve_extension": (_checkers("延期已批准,新时限{due}。", "extended to {due}."),),
    "alert_refuse_extension": (_checkers("延期未获批准,时限{due}。", "not extended; the limit is {due}."),),
    # Clearance.
    "alert_request_clearance": (
        _body("消除申请待审批,时限{due}。", "clearance asked for; to be decided by {due}."),
        _above("下级有消除申请待审批,时限{due}。", "clearance asked for below you; to be decided by {due}."),
    ),
    "alert_approve_clearance": (
        _checkers("已批准消除,请登录评定。", "cleared; please record the verdict."),
        _unit("申请已获批准,请登录查看。", "your application is approved; please sign in."),
    ),
    "alert_refuse_clearance": (
        _checkers("消除申请未获批准,请于{due}前继续核查。", "clearance refused; go on by {due}."),
        _unit("申请未获批准,请登录查看。", "your application is refused; please sign in."),
    ),
    "alert_lapse_clearance": (
        _checkers("消除申请逾期未批,请于{due}前继续核查。", "clearance not decided in time; go on by {due}."),
        _above("下级消除申请逾期未批。", "clearance asked for below you was not decided in time."),
        _unit("申请逾期未批,可登录查看。", "your application was not decided in time; please sign in."),
    ),
    "alert_file_papers": (_checkers("会议纪要已补交。", "the minutes have come."),),
    "alert_reopen_unproved": (*_BACK, _unit("逾期未补会议纪要,已重新核查。", "the minutes did not come in time; reopened.")),
    "alert_expire_clearance": (
        _body("消除期满,再次命中将重新预警。", "the clearance ran out; new hits are alerts again."),
        _unit("原批准已到期,请登录查看。", "the approval has run out; please sign in."),
    ),
    # Confirmation and what follows.
    "alert_report_findings": (_body("核查结果待审核,时限{due}。", "findings wait for the second person, by {due}."),),
    "alert_return_findings": (_checkers("核查结果被退回,时限{due}。", "the findings came back; limit {due}."),),
    "alert_confirm": (
        _body("已查实,请于{due}前决定如何处理。", "confirmed; decide what follows by {due}."),
        _above("下级已查实,请登录查看。", "confirmed below you; please sign in."),
    ),
    "alert_order_rectification": (_unit("请按要求整改,时限{due}。", "please rectify as ordered, by {due}."),),
    "alert_send_as_clue": _GONE_ON,
    "alert_file_case": _GONE_ON,
    "alert_take_back": _GONE_ON,
    "alert_record_disposal": (_unit("请于{due}前提交整改证明。", "please submit proof by {due}."),),
    "alert_record_money": NONE,
    "alert_submit_proof": (_body("整改证明待验收,时限{due}。", "proof to be verified by {due}."),),
    "alert_return_proof": (_unit("整改证明被退回,时限{due}。", "the proof came back; mend it by {due}."),),
    "alert_strike_off": (_unit("验收已完成,请登录查看。", "the check of your proof is done; please sign in."), *_GONE_ON),
    # Afterwards.
    "alert_rate": (_owner("已评定,请登录查看。", "the verdict is recorded; please sign in."),),
    "alert_revise_verdict": (_owner("评定已更正,请登录查看。", "the verdict was revised; please sign in."),),
    "alert_re_examine": _GONE_ON,
    "alert_pass_look_back": NONE,
    "alert_reopen": _BACK,
    "alert_auto_close": NONE,
    "alert_escalate": (
        _body("下级逾期,已转本级,请于{due}前处理。", "overdue below you and yours now; limit {due}."),
        _above("已逾期上提,请登录查看。", "overdue and moved up; please sign in."),
    ),
    # Nobody is told who had to withdraw, nor why.
    "alert_recuse": (_body("已转本级办理,时限{due}。", "passed to your body; limit {due}."),),
    # Above the province.
    "alert_acknowledge_external": NONE,
    "alert_return_external": (_body("上级机关交回核查,请于{due}前签收。", "sent back by the authority; sign by {due}."),),
    "alert_record_external_end": _GONE_ON,
    "alert_urge_external": (_above("上级机关逾期未回执,已催办。", "no acknowledgement in time; the authority has been urged."),),
    "alert_end_external": (_above("多次催办无回执,已终止。", "no acknowledgement after all urgings: ended."),),
}

# Messages that no event of the chart sends.
ALERT_OTHER: Mapping[str, tuple[Notice, ...]] = {
    # Nobody hears of what was not sent out.
    "alert_file": NONE,
    "alert_recuse_checker": (_body("核查人有变动,请登录查看。", "the checkers have changed; please sign in."),),
    # One message for all the alerts of a packet; the serial number is the packet's.
    "alert_packet": (
        _body("一批预警已派发本单位,请于{due}前签收。", "a packet of alerts was sent to your body; sign by {due}."),
        _above("一批预警已派发下级,签收时限{due}。", "a packet of alerts was sent below you, to be signed by {due}."),
    ),
    "alert_due_soon": (
        _body("即将到期:{due}。", "due soon: {due}."),
        _checkers("即将到期:{due}。", "due soon: {due}."),
    ),
    "alert_overdue": (
        _body("已超期,时限为{due}。", "overdue since {due}."),
        _above("下级预警已超期,时限为{due}。", "overdue below you since {due}."),
    ),
    # What only the unit can do: explain, rectify, hand in minutes; and a clearance of its own that is to end.
    "alert_unit_due_soon": (_unit("即将到期:{due},请登录办理。", "due soon: {due}; please sign in."),),
    "alert_clearance_ends": (
        _unit("原批准将于{due}到期,需继续的请重新申请。", "the approval ends on {due}; apply anew if it is still needed."),
        _body("消除将于{due}到期。", "the clearance ends on {due}."),
    ),
}
