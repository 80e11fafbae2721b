"""The words of the petition chart, states and events with their labels, and the record as the chart sees it."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Protocol
from uuid import UUID

from workflows.actor import Label


class PetitionState(StrEnum):
    """Conditions a petition can be in."""

    FILED = "filed"
    REGISTERED = "registered"
    ACCEPTED = "accepted"
    DISPATCHED = "dispatched"
    SIGNED = "signed"
    RETURN_REQUESTED = "return_requested"
    HANDLING = "handling"
    SUSPENDED = "suspended"
    INVESTIGATED = "investigated"
    REPLIED = "replied"
    RESOLVED = "resolved"
    DISSATISFIED = "dissatisfied"
    ESCALATED = "escalated"
    EXTERNAL = "external"
    REVIEWING = "reviewing"
    REVIEWED = "reviewed"
    RECHECKING = "rechecking"
    MERGED = "merged"
    RATED = "rated"
    CLOSED = "closed"
    EXPLAINED = "explained"
    FINAL = "final"
    WITHDRAWN = "withdrawn"
    NOT_ACCEPTED = "not_accepted"
    REDIRECTED = "redirected"
    SEALED = "sealed"
    ENDED = "ended"


class PetitionEvent(StrEnum):
    """What can be done to a petition."""

    REGISTER = "register"
    MERGE = "merge"
    UNMERGE = "unmerge"
    REDIRECT = "redirect"
    ROUTE_TO_DISCIPLINE = "route_to_discipline"
    REJECT = "reject"
    ACCEPT = "accept"
    DISPATCH = "dispatch"
    ADD_CO_HANDLER = "add_co_handler"
    APPROVE_RETURN = "approve_return"
    REFUSE_RETURN = "refuse_return"
    MARK_URGENT = "mark_urgent"
    REPORT_URGENT = "report_urgent"
    SIGN = "sign"
    REQUEST_RETURN = "request_return"
    START = "start"
    REQUEST_EXTENSION = "request_extension"
    REQUEST_SUSPENSION = "request_suspension"
    RESUME = "resume"
    HOLD_HEARING = "hold_hearing"
    MEDIATE = "mediate"
    SUBMIT_REPLY = "submit_reply"
    CO_REPORT = "co_report"
    APPROVE_EXTENSION = "approve_extension"
    REFUSE_EXTENSION = "refuse_extension"
    APPROVE_SUSPENSION = "approve_suspension"
    REFUSE_SUSPENSION = "refuse_suspension"
    APPROVE_REPLY = "approve_reply"
    RETURN_REPLY = "return_reply"
    DELIVER = "deliver"
    RATE = "rate"
    CHANGE_RATING = "change_rating"
    ASK_REVIEW = "ask_review"
    ASK_RECHECK = "ask_recheck"
    WITHDRAW = "withdraw"
    REHANDLE = "rehandle"
    EXPLAIN = "explain"
    REOPEN = "reopen"
    GIVE_REVIEW_OPINION = "give_review_opinion"
    GIVE_RECHECK_OPINION = "give_recheck_opinion"
    ACKNOWLEDGE_EXTERNAL = "acknowledge_external"
    RECORD_EXTERNAL_END = "record_external_end"
    AUTO_REGISTER = "auto_register"
    AUTO_SIGN = "auto_sign"
    EXPIRE_RETURN = "expire_return"
    LAPSE_RATING = "lapse_rating"
    LAPSE_REVIEW = "lapse_review"
    EXPIRE = "expire"
    RESUME_EXPIRED = "resume_expired"
    URGE_EXTERNAL = "urge_external"
    END_EXTERNAL = "end_external"
    FOLLOW_PARENT = "follow_parent"
    SPLIT_FROM_PARENT = "split_from_parent"
    RECUSE_BODY = "recuse_body"


STATE_LABELS: dict[PetitionState, Label] = {
    PetitionState.FILED: Label("已提交", "filed"),
    PetitionState.REGISTERED: Label("已登记", "registered"),
    PetitionState.ACCEPTED: Label("已受理", "accepted"),
    PetitionState.DISPATCHED: Label("已转办,待签收", "dispatched, awaiting sign-in"),
    PetitionState.SIGNED: Label("已签收", "signed in"),
    PetitionState.RETURN_REQUESTED: Label("申请退单", "return requested"),
    PetitionState.HANDLING: Label("办理中", "being handled"),
    PetitionState.SUSPENDED: Label("挂账", "parked"),
    PetitionState.INVESTIGATED: Label("答复审核中", "reply under review"),
    PetitionState.REPLIED: Label("已答复,待送达", "reply approved, to be delivered"),
    PetitionState.RESOLVED: Label("已送达,待评价", "answered, awaiting rating"),
    PetitionState.DISSATISFIED: Label("评价不满意", "rated dissatisfied"),
    PetitionState.ESCALATED: Label("上级督办", "under supervision one level up"),
    PetitionState.EXTERNAL: Label("已报省外上级机关", "with the authority above the province"),
    PetitionState.REVIEWING: Label("复查中", "under review"),
    PetitionState.REVIEWED: Label("已复查", "reviewed"),
    PetitionState.RECHECKING: Label("复核中", "under re-review"),
    PetitionState.MERGED: Label("已并案", "merged"),
    PetitionState.RATED: Label("已评价办结", "closed after a rating"),
    PetitionState.CLOSED: Label("已办结(未评价)", "closed without a rating"),
    PetitionState.EXPLAINED: Label("已解释办结", "closed with an explanation"),
    PetitionState.FINAL: Label("复核终结", "final after re-review"),
    PetitionState.WITHDRAWN: Label("已撤回", "withdrawn"),
    PetitionState.NOT_ACCEPTED: Label("不予受理", "not accepted"),
    PetitionState.REDIRECTED: Label("已告知其他法定途径", "redirected to another statutory route"),
    PetitionState.SEALED: Label("已转有关部门", "passed to the competent body"),
    PetitionState.ENDED: Label("依法终止", "recorded statutory end"),
}

EVENT_LABELS: dict[PetitionEvent, Label] = {
    PetitionEvent.REGISTER: Label("登记", "register"),
    PetitionEvent.MERGE: Label("并案", "merge"),
    PetitionEvent.UNMERGE: Label("撤销并案", "undo the merge"),
    PetitionEvent.REDIRECT: Label("告知其他法定途径", "redirect to another statutory route"),
    PetitionEvent.ROUTE_TO_DISCIPLINE: Label("转纪检监察机关", "route to the discipline body"),
    PetitionEvent.REJECT: Label("不予受理", "do not accept"),
    PetitionEvent.ACCEPT: Label("受理", "accept"),
    PetitionEvent.DISPATCH: Label("转办", "dispatch"),
    PetitionEvent.ADD_CO_HANDLER: Label("增加协办单位", "add a co-handler"),
    PetitionEvent.APPROVE_RETURN: Label("同意退单", "agree to the return"),
    PetitionEvent.REFUSE_RETURN: Label("不同意退单", "refuse the return"),
    PetitionEvent.MARK_URGENT: Label("列为紧急重大事项", "mark as urgent or major"),
    PetitionEvent.REPORT_URGENT: Label("上报紧急重大事项", "report the urgent matter"),
    PetitionEvent.SIGN: Label("签收", "sign in"),
    PetitionEvent.REQUEST_RETURN: Label("申请退单", "ask to return the case"),
    PetitionEvent.START: Label("开始办理", "start handling"),
    PetitionEvent.REQUEST_EXTENSION: Label("申请延期", "ask for an extension"),
    PetitionEvent.REQUEST_SUSPENSION: Label("申请挂账", "ask to park the case"),
    PetitionEvent.RESUME: Label("恢复办理", "resume handling"),
    PetitionEvent.HOLD_HEARING: Label("举行听证", "hold a hearing"),
    PetitionEvent.MEDIATE: Label("调解", "mediate"),
    PetitionEvent.SUBMIT_REPLY: Label("提交答复", "submit the reply"),
    PetitionEvent.CO_REPORT: Label("协办反馈", "report as co-handler"),
    PetitionEvent.APPROVE_EXTENSION: Label("批准延期", "approve the extension"),
    PetitionEvent.REFUSE_EXTENSION: Label("不批准延期", "refuse the extension"),
    PetitionEvent.APPROVE_SUSPENSION: Label("批准挂账", "approve the parking"),
    PetitionEvent.REFUSE_SUSPENSION: Label("不批准挂账", "refuse the parking"),
    PetitionEvent.APPROVE_REPLY: Label("审核通过答复", "approve the reply"),
    PetitionEvent.RETURN_REPLY: Label("退回答复", "send the reply back"),
    PetitionEvent.DELIVER: Label("送达答复", "deliver the reply"),
    PetitionEvent.RATE: Label("评价", "rate"),
    PetitionEvent.CHANGE_RATING: Label("修改评价", "change the rating"),
    PetitionEvent.ASK_REVIEW: Label("申请复查", "ask for review"),
    PetitionEvent.ASK_RECHECK: Label("申请复核", "ask for re-review"),
    PetitionEvent.WITHDRAW: Label("撤回", "withdraw"),
    PetitionEvent.REHANDLE: Label("交新单位重办", "give to a new body"),
    PetitionEvent.EXPLAIN: Label("解释办结", "close with an explanation"),
    PetitionEvent.REOPEN: Label("重新办理", "reopen"),
    PetitionEvent.GIVE_REVIEW_OPINION: Label("出具复查意见", "give the review opinion"),
    PetitionEvent.GIVE_RECHECK_OPINION: Label("出具复核意见", "give the re-review opinion"),
    PetitionEvent.ACKNOWLEDGE_EXTERNAL: Label("记录上级机关回执", "note the authority's acknowledgement"),
    PetitionEvent.RECORD_EXTERNAL_END: Label("记录上级机关办结", "record how the authority ended it"),
    PetitionEvent.AUTO_REGISTER: Label("自动登记", "register automatically"),
    PetitionEvent.AUTO_SIGN: Label("自动签收", "sign in automatically"),
    PetitionEvent.EXPIRE_RETURN: Label("退单逾期未审,指定承办", "return undecided in time: body designated"),
    PetitionEvent.LAPSE_RATING: Label("逾期未评价", "rating window passed"),
    PetitionEvent.LAPSE_REVIEW: Label("逾期未申请复核", "re-review window passed"),
    PetitionEvent.EXPIRE: Label("逾期上报", "limit passed: one level up"),
    PetitionEvent.RESUME_EXPIRED: Label("挂账到期恢复", "parking ran out: handling resumes"),
    PetitionEvent.URGE_EXTERNAL: Label("催办上级机关", "urge the authority"),
    PetitionEvent.END_EXTERNAL: Label("上级机关逾期,依法终止", "authority stayed silent: statutory end"),
    PetitionEvent.FOLLOW_PARENT: Label("随主件答复", "answered with the leading case"),
    PetitionEvent.SPLIT_FROM_PARENT: Label("与主件分离", "split from the leading case"),
    PetitionEvent.RECUSE_BODY: Label("转由其他单位办理", "passed to another body"),
}

# Closed cases that may still be rated anew, reviewed or reopened; nothing forces a next step.
RESTS = frozenset({PetitionState.RATED, PetitionState.CLOSED, PetitionState.EXPLAINED})


# Here the body in charge has to act, and no longer (or not yet) the one that handles or handled the case.
IN_CHARGE = frozenset(
    {
        PetitionState.FILED,
        PetitionState.REGISTERED,
        PetitionState.ACCEPTED,
        PetitionState.RETURN_REQUESTED,
        PetitionState.MERGED,
        PetitionState.DISSATISFIED,
        PetitionState.ESCALATED,
        PetitionState.EXTERNAL,
        PetitionState.REVIEWING,
        PetitionState.REVIEWED,
        PetitionState.RECHECKING,
    }
)


class PetitionRecord(Protocol):
    """What the chart reads and changes of a petition. Ids may be any equal-comparable value, in practice UUID."""

    state: str
    level: int  # 4 township, 3 county, 2 city, 1 province, 0 external: the level that answers for the case now
    owner_org_id: UUID | None  # body in charge: intake, dispatcher or supervising unit
    main_org_id: UUID | None  # body that handles, None while unassigned
    main_handler_id: UUID | None  # person who signed or started
    co_org_ids: list[UUID]
    co_waiting_org_ids: list[UUID]  # co-handlers whose report has not come
    past_org_ids: list[UUID]  # bodies of earlier rounds: never handle again
    past_handler_ids: list[UUID]
    returned_org_ids: list[UUID]  # bodies whose return was agreed: designated when they get the case again
    reply_author_id: UUID | None
    round: int  # 1 first handling, more after dissatisfaction, redo, supervision or reopening
    designated: bool
    returns: int
    merges: int
    parent_id: UUID | None
    extension_days: int
    extension_requests: int
    extension_requested_by: UUID | None  # set while a request waits
    parked: int  # times parking was asked for in this round
    suspension_days: int
    suspended_requested_by: UUID | None  # set while a request waits
    reply_returns: int  # times the reply of this round was sent back
    answers: int  # replies approved so far, over all rounds
    rating_changes: int
    dissatisfied: int
    reviews: int
    rechecks: int
    urgings: int
    recusals: int  # times the handling body had to withdraw and another was to be found at the same level
    item_type: str  # suggestion, accusation or appeal
    priority: str  # P0 to P3
    simple: bool
    colour: str | None  # None, blue, yellow or red
    supervised: bool
    due_at: datetime | None  # end of the limit for conclusion
    return_until: datetime | None
    rating_until: datetime | None
    review_until: datetime | None  # to ask for review, and after a review opinion for re-review


GRADES = ("satisfied", "basic", "dissatisfied")
OUTCOMES = ("supported", "explained", "not_supported")  # 信访工作条例 Art 32
REVIEW_OUTCOMES = ("uphold", "change", "redo")
RECHECK_OUTCOMES = ("uphold", "change")
