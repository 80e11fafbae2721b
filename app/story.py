"""The demonstration as a story, told over HTTP to a running server: four cases from filing to their end, and one that
shows who does not see who filed.

Nothing here looks into the database: whoever reads along sees what the interface can do and nothing else.
"""

from datetime import timedelta
from typing import Any

from app.clock import SHANGHAI
from app.teller import Case, Clue, Forward, Say, StoryFailed, Teller, instant

__all__ = ["StoryFailed", "play"]

WUXING, GAOXIN = "330502", "330502101"
FENGHUA, SHANGTIAN, XIAOWANGMIAO = "330213", "330213007", "330213005"
RENT_FEN = 120_000_000  # 1.2 million yuan
INSTALMENTS_FEN = (50_000_000, 40_000_000, 30_000_000)
FINDINGS = "经查阅合同、账目并走访相关人员,情况已核实,详见附表。"
LAW = "《信访工作条例》第三十二条"


def play(base_url: str, forward: Forward, say: Say) -> None:
    """Play all five stories against the server at `base_url`, which must be a demonstration with a running worker.

    `forward` moves the product's clock; `say` gets every step as a line, Chinese with English beside it. Raises
    StoryFailed at the first step that comes out differently.
    """
    with Teller(base_url, forward, say) as teller:
        teller.tell("intro")
        for story in (_wuxing, _fenghua, _climb, _silent, _confidence):
            story(teller)
        teller.tell("end")


def _wuxing(teller: Teller) -> None:
    teller.tell("wuxing")
    teller.tell("wuxing.file")
    case = teller.file(
        teller.village(GAOXIN, "东桥村", "东乔村"),
        "检测公司监事赵某是否为村干部亲属",
        "村里工程由某检测公司检测,公司监事姓赵。请查明赵某与村干部有没有亲属关系,检测费用是否属实。",
        category="conduct", item_type="accusation", name="沈某", phone="13800000011",
    )  # fmt: skip
    case.require(state="filed")
    teller.tell("wuxing.receipt")
    promise = case.receipt["promise"]
    known = {key["key_id"] for key in teller.send("GET", "/ledger/keys")["items"]}
    teller.require(promise["log"] == WUXING and promise["key_id"] in known, "a promise for the log of the county")
    teller.tell("wuxing.seal")
    case.act("wuxing.office", "register")
    case.act("wuxing.office", "route-to-discipline")
    case.look("wuxing.office")
    case.require(state="sealed", title="已转有关部门", body="", people=[])
    head, group = "gaoxin.discipline.head", "wuxing.group6"
    clue = Clue(teller, head, case.receipt["serial"])
    clue.refused("wuxing.office", 404)
    clue.refused("wuxing.discipline.head", 404)
    teller.tell("wuxing.accept")
    opened = clue.act(head, "open-text", purpose="核实检举内容")
    teller.require("监事姓赵" in opened["body"], "the text, for a reader of the clue")
    clue.act(head, "verify-realname", note="已电话核实")
    clue.act(head, "accept")
    clue.refused(group, 404)
    may_know = teller.send("GET", f"{clue.path}/candidates", token=teller.staff(head))["items"]
    members = [one["account_id"] for one in may_know if one["body"].endswith("派驻第六纪检监察组")]
    clue.act(head, "assign", handler_id=members[0])
    teller.tell("wuxing.check")
    clue.act(group, "propose-disposal", disposal="preliminary_verification", opinion="比对人口信息,核对付款凭证")
    clue.refused(group, 403, "approve-disposal", study="不得自批")
    clue.act(head, "approve-disposal", study="集体研究同意")
    clue.act(group, "report", report="经比对6名村干部的人口信息,赵某与村干部不存在亲属关系;检测费用与付款凭证一致。")
    teller.tell("wuxing.conclude")
    clue.act(head, "conclude", outcome="unfounded", findings="反映问题不属实。")
    clue.act(group, "give-feedback", feedback="已当面答复:赵某与村干部不存在亲属关系,检测费用属实。")
    told = case.look()["timeline"][-1]
    teller.require(told["event"] == "clue_feedback" and "不存在" in told["facts"]["feedback"], "the result, for the petitioner")
    case.look("wuxing.office")
    case.require(state="sealed", title="已转有关部门", body="")
    teller.tell("wuxing.clear")
    clue.act(group, "propose-clarification", method="notice_within_range", text="在东乔村范围内为被反映的村干部澄清")
    clue.refused(group, 403, "approve-clarification")
    clue.act(head, "approve-clarification")
    done = clue.act(head, "archive")
    teller.require(done["state"] == "archived", "the clue archived")
    clue.act(head, "report-result")
    filed = instant(case.receipt["filed_at"]).astimezone(SHANGHAI).date()
    teller.require(teller.today() == filed, "the answer on the day of filing")


def _fenghua(teller: Teller) -> None:
    teller.tell("fenghua")
    teller.tell("fenghua.file")
    case = teller.take_letter(
        "shangtian.office",
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
    case.look("shangtian.discipline")
    events = [event["event"] for event in case.view["timeline"]]
    teller.require("hold_meeting" in events, "the meeting on the timeline")
    teller.require(
        [one["minutes"] for one in case.view["meetings"]] == [minutes], "the minutes in the view of the staff"
    )
    teller.require(case.look()["meetings"] == [], "no minutes in the view of the petitioner")
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
    case.print_papers()
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


def _confidence(teller: Teller) -> None:
    teller.tell("confidence")
    teller.tell("confidence.file")
    case = teller.file(
        teller.villages(SHANGTIAN)[2],
        "土地承包合同上的签名不是本人所签",
        "承包合同上的签名是别人代签的,请查一查是谁签的。",
        category="land", way="confidential", name="周某", phone="13800000016",
    )  # fmt: skip
    case.look("shangtian.office")
    case.require(way="confidential", identity="sealed", people=[])
    teller.tell("confidence.ask")
    township, county = teller.staff("shangtian.discipline"), teller.staff("fenghua.office")
    reason = {"reason": "须当面核对承包合同上的签名笔迹,已无其他办法。"}
    asked = teller.send("POST", f"{case.path}/identity-openings", reason, token=township)
    opening = f"/identity-openings/{asked['id']}/actions"
    teller.send("POST", f"{opening}/open", token=township, refused=403)
    teller.send("POST", f"{opening}/grant", token=township, refused=403)
    teller.send("POST", f"{opening}/grant", token=teller.staff("admin"), refused=404)
    teller.tell("confidence.grant")
    teller.send("POST", f"{opening}/grant", token=county)
    people = teller.send("POST", f"{opening}/open", token=township)["people"]
    teller.require([one["name"] for one in people] == ["周某"], "the petitioner, after two bodies agreed")
    case.look("shangtian.discipline")
    case.require(people=[])
    teller.tell("confidence.record")
    own = teller.send("GET", "/my-data", token=teller.holder(case.receipt["serial"], case.receipt["pin"]))
    teller.require(len(own["cases"][0]["openings"]) == 1, "the opening under the petitioner's own data")
    reads = teller.send("GET", f"{case.path}/reads", token=teller.staff("auditor"))["items"]
    teller.require("identity" in {one["what"] for one in reads}, "the look on record, for the auditor")


def _answer(case: Case, handler: str) -> None:
    """From handling to a reply, by a body and its head; on line it arrives as soon as it is approved."""
    case.act(handler, "submit-reply", findings=FINDINGS, legal_basis=LAW, outcome="explained")
    case.act(f"{handler}.head", "approve-reply")
    case.arrive("resolved")


def _require_order(case: Case, username: str, **expected: Any) -> None:
    teller = case.teller
    # Of this case alone: the list of all ends after 200, and the new order is the least urgent of them.
    query = {"petition_id": case.receipt["id"]}
    mine = teller.send("GET", "/supervision/orders", token=teller.staff(username), query=query)["items"]
    found = any(all(order[name] == value for name, value in expected.items()) for order in mine)
    teller.require(found, f"a supervision order with {expected} for {username}")
