"""The petitions that make the demonstration's lists and desks look alive: some in every state of the chart."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from app.story import FENGHUA, FINDINGS, GAOXIN, LAW, SHANGTIAN, WUXING, XIAOWANGMIAO
from app.teller import Case, Forward, Say, Teller

# Longer than the time that a petitioner has to rate (PT-13), with rest days at its end.
RATING_IS_OVER = timedelta(days=45)
UNRATED_SHARE = 20  # one in so many petitions is answered and never rated


@dataclass(frozen=True, slots=True)
class Place:
    """A township with accounts, and the words with which the accounts of it and of the bodies above it begin."""

    code: str
    town: str
    county_code: str
    county: str
    city: str
    group: str

    def account(self, part: str) -> str:
        """The user name of somebody in a turn: "discipline.head", "agri", "city", and so on."""
        named = {"county": f"{self.county}.office", "county.head": f"{self.county}.head", "city": f"{self.city}.office"}
        named |= {"province": "zhejiang.office", "group": self.group, "group.head": f"{self.group}.head"}
        if part in named:
            return named[part]
        return f"{self.county if part.startswith(('agri', 'land')) else self.town}.{part}"

    def body(self, teller: Teller, part: str) -> str:
        """The id of the body that a turn gives the case to."""
        ending = {"discipline": "纪工委", "agri": "农业农村局", "land": "自然资源局", "group": "纪检监察组"}[part]
        if part == "discipline":
            return teller.body(f"{self.town}.office", self.code, ending)
        return teller.body(f"{self.county}.office", self.county_code, ending)


PLACES = (
    Place(SHANGTIAN, "shangtian", FENGHUA, "fenghua", "ningbo", "fenghua.group"),
    Place(XIAOWANGMIAO, "xiaowangmiao", FENGHUA, "fenghua", "ningbo", "fenghua.group"),
    Place(GAOXIN, "gaoxin", WUXING, "wuxing", "huzhou", "wuxing.group6"),
)

# Title, text and category of the petitions.
SUBJECTS = (
    ("土地流转租金未兑付", "承包地流转后两年没有收到租金。", "land"),
    ("村道硬化质量问题", "去年修的村道已经开裂,请查验收情况。", "works"),
    ("务工工资拖欠", "在村里工程务工三个月,工资没有结清。", "labour_pay"),
    ("集体资产出租未公开", "村集体厂房出租没有公开招租。", "assets"),
    ("救助金发放疑问", "邻居条件较好却领取救助金,请核实。", "relief"),
    ("工程采购价格偏高", "路灯采购价格明显高于市场价。", "procurement"),
    ("村务公开不及时", "今年以来村务公开栏没有更新。", "other"),
)

Action = tuple[str, str, Mapping[str, Any]]  # who, what, with which facts; a body is named by its part


@dataclass(frozen=True, slots=True)
class Turn:
    """How far a petition goes: so many steps of ROUTE, then these actions. `draft` is what its filing says besides."""

    steps: int
    then: tuple[Action, ...] = ()
    draft: Mapping[str, Any] = field(default_factory=dict)


def _answer(part: str) -> tuple[Action, ...]:
    """From handling to a delivered reply, by a body and its head."""
    reply = {"findings": FINDINGS, "legal_basis": LAW, "outcome": "supported"}
    return (
        (part, "submit-reply", reply),
        (f"{part}.head", "approve-reply", {}),
        (part, "deliver", {"proof": "当面送达"}),
    )


ROUTE: tuple[Action, ...] = (
    ("office", "register", {}),
    ("office", "accept", {}),
    ("office", "dispatch", {"main_org_id": "discipline"}),
    ("discipline", "sign", {}),
    ("discipline", "start", {"note": "已联系信访人"}),
    *_answer("discipline"),
)
ANSWERED = len(ROUTE)
APPROVAL = ROUTE[-2]

_BAD: Action = ("petitioner", "rate", {"grade": "dissatisfied", "office_grade": "basic", "reason": "答复没有解决问题"})
_PARKED = {"reason_code": "awaiting_appraisal", "plan": "等待质量鉴定结论", "days": 20}
_RETURN = {"reason": "不属于本单位职责", "suggested_org": "区农业农村局"}
_SECOND = (_BAD, ("county", "rehandle", {"main_org_id": "agri"}), *_answer("agri"), _BAD)
_THIRD = (*_SECOND, ("city", "rehandle", {"main_org_id": "land"}), *_answer("land"), _BAD)
_FOURTH = (*_THIRD, ("province", "rehandle", {"main_org_id": "group"}), *_answer("group"), _BAD)
_ASK_REVIEW: Action = ("petitioner", "ask-review", {"reason": "对答复不服"})
_REVIEWED = (_ASK_REVIEW, ("county", "give-review-opinion", {"outcome": "uphold", "opinion": "维持原处理意见"}))
_RECHECKING = (*_REVIEWED, ("petitioner", "ask-recheck", {"reason": "对复查意见不服"}))

TURNS: tuple[Turn, ...] = (
    *(Turn(steps) for steps in range(ANSWERED + 1)),
    Turn(1, (("office", "redirect", {"route_code": "litigation"}),)),
    Turn(1, (("office", "reject", {"reason_code": "unfounded_without_clues"}),)),
    Turn(1, (("office", "merge", {"parent_id": "an earlier case"}),)),
    Turn(1, (("office", "route-to-discipline", {}),), {"item_type": "accusation", "category": "conduct"}),
    Turn(2, (("petitioner", "withdraw", {"reason": "问题已解决"}),)),
    Turn(3, (("discipline", "request-return", _RETURN),)),
    Turn(5, (("discipline", "request-extension", {"days": 15, "reason": "需核对历年账目"}),)),
    Turn(5, (("discipline", "request-suspension", _PARKED), ("discipline.head", "approve-suspension", {"days": 20}))),
    Turn(ANSWERED, (("petitioner", "rate", {"grade": "satisfied", "office_grade": "satisfied"}),)),
    Turn(ANSWERED, (("petitioner", "rate", {"grade": "basic", "office_grade": "satisfied"}),)),
    Turn(ANSWERED, (_BAD,)),
    Turn(ANSWERED, (_BAD, ("county.head", "explain", {"reason": "诉求已按政策全部落实", "legal_basis": LAW}))),
    Turn(ANSWERED, _SECOND),
    Turn(ANSWERED, _FOURTH),
    Turn(ANSWERED, (*_FOURTH, ("province", "record-external-end", {"note": "上级机关函复,依法终止"}))),
    Turn(ANSWERED, (_ASK_REVIEW,)),
    Turn(ANSWERED, _REVIEWED),
    Turn(ANSWERED, _RECHECKING),
    Turn(ANSWERED, (*_RECHECKING, ("city", "give-recheck-opinion", {"outcome": "uphold", "opinion": "维持复查意见"}))),
)


def fill_unrated(base_url: str, forward: Forward, say: Say, count: int) -> None:
    """File and answer one in UNRATED_SHARE of `count` petitions, at least one, and let the time for rating pass.

    They end as closed without a rating (未评价). Moves the clock by RATING_IS_OVER, so it comes before everything that is
    to stay as it was left. Raises StoryFailed when the server refuses a step or the worker closes none.
    """
    with Teller(base_url, forward, say) as teller:
        teller.tell("fill.unrated")
        cases = [take_turn(teller, PLACES[number % len(PLACES)], Turn(ANSWERED), number)
                 for number in range(max(1, count // UNRATED_SHARE))]  # fmt: skip
        teller.forward(RATING_IS_OVER)
        for case in cases:
            case.wait_until("closed")


def fill(base_url: str, forward: Forward, say: Say, count: int = 300) -> None:
    """File `count` petitions and take them to every other state, so that lists and desks look alive.

    With fewer than len(TURNS) × len(PLACES) not every state comes up in every township. Raises StoryFailed when the server
    refuses a step.
    """
    with Teller(base_url, forward, say) as teller:
        teller.tell("fill")
        earlier: dict[Place, str] = {}
        for number in range(count):
            # Places, subjects and turns have no common divisor, so that every combination comes up.
            place = PLACES[number % len(PLACES)]
            turn = TURNS[number % len(TURNS)]
            case = take_turn(teller, place, turn, number, earlier.get(place))
            if turn.steps == 1 and not turn.then:
                earlier[place] = case.receipt["id"]
            if (number + 1) % 50 == 0:
                teller.tell("fill.progress", done=number + 1, count=count)
        teller.tell("fill.done", count=count)


def take_turn(teller: Teller, place: Place, turn: Turn, number: int, earlier: str | None = None) -> Case:
    """File the petition of that number in a village of the place and take it through the turn.

    earlier: id of a case that it may be merged into; without one a merging step is left out. Raises StoryFailed.
    """
    title, body, category = SUBJECTS[number % len(SUBJECTS)]
    villages = teller.villages(place.code)
    draft = {"category": category, "name": f"村民{number + 1}", "phone": f"139{number:08d}", **turn.draft}
    village = villages[number % len(villages)]
    if turn.steps > ROUTE.index(APPROVAL):
        # A reply to a letter waits for somebody to bring it; one on line has arrived before anybody could.
        case = teller.take_letter(place.account("office"), village, title, body, **draft)
    else:
        case = teller.file(village, title, body, **draft)
    for part, event, facts in (*ROUTE[: turn.steps], *turn.then):
        given = dict(facts)
        if "main_org_id" in given:
            given["main_org_id"] = place.body(teller, given["main_org_id"])
        if "parent_id" in given:
            if earlier is None:
                continue
            given["parent_id"] = earlier
        if part == "petitioner":
            case.act_as_petitioner(event, **given)
        else:
            case.act(place.account(part), event, **given)
    return case
