"""The demonstration as a story, told over HTTP to a running server: four cases from filing to their end.

Nothing here looks into the database: whoever reads along sees what the interface can do and nothing else.
"""

from datetime import timedelta
from typing import Any

from app.clock import SHANGHAI
from app.teller import Case, Forward, Say, StoryFailed, Teller, instant

__all__ = ["StoryFailed", "fill", "play"]

WUXING, GAOXIN = "330502", "330502101"
FENGHUA, SHANGTIAN, XIAOWANGMIAO = "330213", "330213007", "330213005"
# Townships with accounts, and how those begin.
TOWNS = {SHANGTIAN: "shangtian", XIAOWANGMIAO: "xiaowangmiao", GAOXIN: "gaoxin"}
RENT_FEN = 120_000_000  # 1.2 million yuan
INSTALMENTS_FEN = (50_000_000, 40_000_000, 30_000_000)
FINDINGS = "经查阅合同、账目并走访相关人员,情况已核实,详见附表。"
LAW = "《信访工作条例》第三十二条"


def play(base_url: str, forward: Forward, say: Say) -> None:
    """Play all four stories against the server at `base_url`, which must be a demonstration with a running worker.

    `forward` moves the product's clock; `say` gets every step as a line, Chinese with English beside it. Raises
    StoryFailed at the first step that comes out differently.
    """
    with Teller(base_url, forward, say) as teller:
        teller.tell("intro")
        for story in (_wuxing, _fenghua, _climb, _silent):
            story(teller)
        teller.tell("end")


def fill(base_url: str, say: Say, count: int = 300) -> None:
    """File `count` petitions and take them to many different states, so that lists and desks look alive.

    Raises StoryFailed when the server refuses one.
    """
    with Teller(base_url, _stand_still, say) as teller:
        teller.tell("fill")
        villages = {town: teller.villages(town) for town in TOWNS}
        for number in range(count):
            # The numbers of towns, subjects and turns have no common divisor, so that every pair of them comes up.
            town = tuple(TOWNS)[number % len(TOWNS)]
            title, body, category = SUBJECTS[number % len(SUBJECTS)]
            village = villages[town][number % len(villages[town])]
            case = teller.file(village, title, body, category=category, name=f"村民{number + 1}", phone=_phone(number))
            _take_turn(case, town, TURNS[number % len(TURNS)])
        teller.tell("fill.done", count=count)


def _wuxing(teller: Teller) -> None:
    teller.tell("wuxing")
    teller.tell("wuxing.file")
    case = teller.file(
        teller.village(GAOXIN, "东桥村", "东乔村"),
        "检测公司监事赵某是否为村干部亲属",
        "村里工程由某检测公司检测,公司监事姓赵。请查明赵某与村干部有没有亲属关系,检测费用是否属实。",
        category="conduct", name="沈某", phone="13800000011",
    )  # fmt: skip
    case.require(state="filed")
    teller.tell("wuxing.intake")
    group = teller.body("wuxing.office", WUXING, "派驻第六纪检监察组")
    case.act("wuxing.office", "register")
    case.act("wuxing.office", "accept")
    case.act("wuxing.office", "dispatch", main_org_id=group)
    case.require(state="dispatched", main_org_id=group)
    teller.tell("wuxing.sign")
    case.act("wuxing.group6", "sign")
    case.act("wuxing.group6", "start", note="已当面联系信访人")
    case.require(state="handling")
    teller.tell("wuxing.reply")
    findings = "经比对6名村干部的人口信息,赵某与村干部不存在亲属关系;检测费用与付款凭证一致。"
    case.act("wuxing.group6", "submit-reply", findings=findings, legal_basis=LAW, outcome="explained")
    case.require(state="investigated")
    case.refused("wuxing.group6", "approve-reply", 403)
    teller.tell("wuxing.approve")
    case.act("wuxing.group6.head", "approve-reply")
    case.require(state="replied")
    case.act("wuxing.group6", "deliver", proof="当面答复并签收")
    case.require(state="resolved")
    case.print_papers()
    teller.tell("wuxing.rate")
    case.act_as_petitioner("rate", grade="satisfied", office_grade="satisfied")
    case.require(state="rated", round=1, colour=None)
    filed = instant(case.receipt["filed_at"]).astimezone(SHANGHAI).date()
    teller.require(teller.today() == filed, "the answer on the day of filing")


def _fenghua(teller: Teller) -> None:
    teller.tell("fenghua")
    teller.tell("fenghua.file")
    case = teller.file(
        teller.villages(SHANGTIAN)[0],
        "一百余亩土地出租多年,租金一直没有收到",
        "村里一百余亩土地租给企业多年,村民一直没有收到租金,共计约120万元。",
        category="land", name="毛某", phone="13800000012", claimed_fen=RENT_FEN, people_count=38,
        representatives=[{"name": "毛某", "phone": "13800000012"}, {"name": "竺某", "phone": "13800000013"}],
    )  # fmt: skip
    teller.tell("fenghua.intake")
    discipline = teller.body("shangtian.office", SHANGTIAN, "纪工委")
    case.act("shangtian.office", "register")
    case.act("shangtian.office", "accept")
    case.act("shangtian.office", "dispatch", main_org_id=discipline)
    teller.tell("fenghua.start")
    case.act("shangtian.discipline", "sign")
    case.act("shangtian.discipline", "start", note="已联系村民代表,调取租赁合同与账目")
    case.require(state="handling")
    teller.tell("fenghua.meeting")
    bureaus = [teller.body("fenghua.office", FENGHUA, name) for name in ("农业农村局", "自然资源局")]
    minutes = "会议明确:承租企业限期补缴拖欠租金,街道代管,分期发放到户,农业农村局核对面积。"
    meeting = {"held_at": teller.now().isoformat(), "org_ids": [discipline, *bureaus], "minutes": minutes}
    case.note("shangtian.discipline", "meetings", meeting)
    events = [event["event"] for event in case.look("shangtian.discipline")["timeline"]]
    teller.require("hold_meeting" in events, "the meeting on the timeline")
    teller.tell("fenghua.recover")
    teller.forward(timedelta(days=12))
    money = {"kind": "recovered", "amount_fen": RENT_FEN, "on": teller.today().isoformat(), "note": "承租企业补缴"}
    totals = case.note("shangtian.discipline", "money", money)
    teller.require(totals["recovered_fen"] == RENT_FEN, f"{RENT_FEN} fen recovered, found {totals['recovered_fen']}")
    teller.tell("fenghua.pay")
    for number, amount in enumerate(INSTALMENTS_FEN, start=1):
        money = {"kind": "paid_out", "amount_fen": amount, "on": teller.today().isoformat(), "note": f"第{number}期"}
        totals = case.note("shangtian.discipline", "money", money)
        paid = sum(INSTALMENTS_FEN[:number])
        teller.require(totals["paid_out_fen"] == paid, f"{paid} fen paid out, found {totals['paid_out_fen']}")
    teller.tell("fenghua.reply")
    reply = "租金拖欠属实。已追回租金120万元,分三期发放到户。"
    case.act(
        "shangtian.discipline",
        "submit-reply",
        findings=reply,
        legal_basis="《民法典》第七百二十二条",
        outcome="supported",
    )
    case.act("shangtian.discipline.head", "approve-reply")
    case.act("shangtian.discipline", "deliver", proof="村民代表签收")
    teller.tell("fenghua.rate")
    case.act_as_petitioner("rate", grade="satisfied", office_grade="satisfied")
    totals = {"claimed_fen": RENT_FEN, "recovered_fen": RENT_FEN, "paid_out_fen": RENT_FEN}
    case.require(state="rated", colour=None, money=totals)


def _climb(teller: Teller) -> None:
    teller.tell("climb")
    teller.tell("climb.file")
    case = teller.file(
        teller.villages(SHANGTIAN)[1],
        "村道工程账目不清",
        "村道工程花了多少钱,钱付给了谁,一直没有公开。",
        category="works", name="竺某", phone="13800000014",
    )  # fmt: skip
    teller.tell("climb.first")
    discipline = teller.body("shangtian.office", SHANGTIAN, "纪工委")
    case.act("shangtian.office", "register")
    case.act("shangtian.office", "accept")
    case.act("shangtian.office", "dispatch", main_org_id=discipline)
    case.act("shangtian.discipline", "sign")
    case.act("shangtian.discipline", "start", note="已联系信访人")
    _answer(case, "shangtian.discipline")
    teller.tell("climb.dissatisfied")
    case.act_as_petitioner("rate", grade="dissatisfied", office_grade="basic", reason="账目还是没有公开")
    case.require(state="dissatisfied", level=3, supervised=True)
    _require_order(case, "fenghua.office", level=3)
    teller.tell("climb.same")
    case.refused("fenghua.office", "rehandle", 403, main_org_id=discipline)
    teller.tell("climb.rehandle")
    bureau = teller.body("fenghua.office", FENGHUA, "农业农村局")
    case.act("fenghua.office", "rehandle", main_org_id=bureau)
    case.require(state="handling", round=2, main_org_id=bureau)
    teller.tell("climb.second")
    _answer(case, "fenghua.agri")
    teller.tell("climb.escalated")
    case.act_as_petitioner("rate", grade="dissatisfied", office_grade="dissatisfied", reason="仍然没有公开付款凭证")
    case.require(state="escalated", colour="red", supervised=True)
    # The county handled the second round, so the supervision comes from the city above it.
    case.require(level=2)
    _require_order(case, "ningbo.office", level=2, colour="red")


def _silent(teller: Teller) -> None:
    teller.tell("silent")
    teller.tell("silent.file")
    case = teller.file(
        teller.villages(XIAOWANGMIAO)[0],
        "低保申请一直没有答复",
        "去年提交的低保申请,至今没有任何答复。",
        category="relief", name="陈某", phone="13800000015",
    )  # fmt: skip
    teller.tell("silent.registered")
    case.wait_for("registered")
    teller.tell("silent.escalated")
    case.wait_for("escalated")
    case.require(colour="red", supervised=True, level=3)
    _require_order(case, "fenghua.office", level=3)


def _answer(case: Case, handler: str) -> None:
    """From handling to a delivered reply, by a body and its head."""
    case.act(handler, "submit-reply", findings=FINDINGS, legal_basis=LAW, outcome="explained")
    case.act(f"{handler}.head", "approve-reply")
    case.act(handler, "deliver", proof="当面送达")
    case.require(state="resolved")


def _require_order(case: Case, username: str, **expected: Any) -> None:
    teller = case.teller
    orders = teller.send("GET", "/supervision/orders", token=teller.staff(username))["items"]
    mine = [order for order in orders if order["petition_id"] == case.receipt["id"]]
    found = any(all(order[name] == value for name, value in expected.items()) for order in mine)
    teller.require(found, f"a supervision order with {expected} for {username}")


# Title, text and category of the petitions that fill the lists.
SUBJECTS = (
    ("土地流转租金未兑付", "承包地流转后两年没有收到租金。", "land"),
    ("村道硬化质量问题", "去年修的村道已经开裂,请查验收情况。", "works"),
    ("务工工资拖欠", "在村里工程务工三个月,工资没有结清。", "labour_pay"),
    ("集体资产出租未公开", "村集体厂房出租没有公开招租。", "assets"),
    ("救助金发放疑问", "邻居条件较好却领取救助金,请核实。", "relief"),
    ("工程采购价格偏高", "路灯采购价格明显高于市场价。", "procurement"),
    ("村务公开不及时", "今年以来村务公开栏没有更新。", "other"),
)


Action = tuple[str, str, dict[str, Any]]  # who, what, with which facts
Turn = tuple[int, tuple[Action, ...]]

# Where the petitions of `fill` end: how many steps of ROUTE are taken, and what is done then by whom.
ROUTE: tuple[Action, ...] = (
    ("office", "register", {}),
    ("office", "accept", {}),
    ("office", "dispatch", {}),
    ("discipline", "sign", {}),
    ("discipline", "start", {"note": "已联系信访人"}),
    ("discipline", "submit-reply", {"findings": FINDINGS, "legal_basis": LAW, "outcome": "supported"}),
    ("discipline.head", "approve-reply", {}),
    ("discipline", "deliver", {"proof": "当面送达"}),
)
_BAD = {"grade": "dissatisfied", "office_grade": "basic", "reason": "答复没有解决问题"}
_PARKED = {"reason_code": "awaiting_appraisal", "plan": "等待质量鉴定结论", "days": 20}
_RETURN = {"reason": "不属于本单位职责", "suggested_org": "奉化区农业农村局"}
TURNS: tuple[Turn, ...] = (
    *((steps, ()) for steps in range(len(ROUTE) + 1)),
    (1, (("office", "redirect", {"route_code": "litigation"}),)),
    (1, (("office", "reject", {"reason_code": "unfounded_without_clues"}),)),
    (2, (("petitioner", "withdraw", {"reason": "问题已解决"}),)),
    (3, (("discipline", "request-return", _RETURN),)),
    (5, (("discipline", "request-extension", {"days": 15, "reason": "需核对历年账目"}),)),
    (5, (("discipline", "request-suspension", _PARKED), ("discipline.head", "approve-suspension", {"days": 20}))),
    (8, (("petitioner", "rate", {"grade": "satisfied", "office_grade": "satisfied"}),)),
    (8, (("petitioner", "rate", {"grade": "basic", "office_grade": "satisfied"}),)),
    (8, (("petitioner", "rate", _BAD),)),
    (8, (("petitioner", "ask-review", {"reason": "对答复不服"}),)),
)


def _take_turn(case: Case, town: str, turn: Turn) -> None:
    steps, then = turn
    for part, event, facts in (*ROUTE[:steps], *then):
        if part == "petitioner":
            case.act_as_petitioner(event, **facts)
            continue
        if event == "dispatch":
            facts = {"main_org_id": case.teller.body(f"{TOWNS[town]}.office", town, "纪工委")}
        case.act(f"{TOWNS[town]}.{part}", event, **facts)


def _phone(number: int) -> str:
    return f"139{number:08d}"


def _stand_still(_span: timedelta) -> None:
    """The lists are filled at one moment."""
