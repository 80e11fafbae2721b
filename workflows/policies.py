"""Every time limit of a petition as data: how long, by which law, started by what, and what happens when it passes.

A row is a version: an operator corrects a limit by adding a row with the same id and a later `valid_from`. Only rows of
kind "statutory" may be shown as 法定时限; "local" rows come from a provincial or city rule, "working" rows are our own.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Literal

Unit = Literal["C", "W", "H", "M", "Q"]  # calendar days, working days, hours, months, ends of quarters
Kind = Literal["statutory", "local", "working"]
Colour = Literal["blue", "yellow", "red"]


@dataclass(frozen=True, slots=True)
class Reminders:
    """When a limit is announced and which card it gives.

    fraction: announced when this part of the time is left (0 = not by fraction).
    workdays, days: announced when this many working days, calendar days are left (0 = not by these); the earliest counts.
    before: colour from the announcement on. breach: colour once the limit has passed. None = no card.
    """

    fraction: float
    workdays: int
    before: Colour | None
    breach: Colour | None
    days: int = 0


@dataclass(frozen=True, slots=True)
class Variant:
    """Another amount when a fact of the case has this value, as 24 hours for {"priority": "P1"}.

    Zero hours mean at once: the system sends the event at its next sweep, and nobody can be late with it.
    """

    fact: str
    value: str | int
    amount: int
    unit: Unit


# Of any unit. Above it an operator has mistyped, and the end could pass the last day that a date can have.
LONGEST = 3660

LADDER = Reminders(0.5, 3, "yellow", "red")
# Three working days would cover all of a limit of three days or fewer, or of some hours.
SHORT_LADDER = Reminders(0.5, 0, "yellow", "red")
BLUE_CARD = Reminders(0.5, 0, None, "blue")
YELLOW_CARD = Reminders(0.5, 0, None, "yellow")
# A right or a window of somebody is announced before it lapses, but its lapse is nobody's failing.
WINDOW = Reminders(0, 3, None, None)
SILENT = Reminders(0, 0, None, None)


@dataclass(frozen=True, slots=True)
class Policy:
    """One version of one time limit.

    starts: case events that start the clock. entry: entering `states` from outside by any other event starts it too.
    states: where the clock is live, and where its passing sends `breach`. through: where it runs on and sends nothing.
    breach: event that the system sends when the limit has passed; None = reminder, card or desk entry only.
    repeats, last_breach: `breach` is sent this many times in the life of a case, afterwards `last_breach` (0 = always).
    stops: events that fulfil the duty although the case stays in `states`. Leaving both lists of states ends it too.
    restarts: a start event begins the count anew although the clock runs.
    counted_from: events, the latest of which the time counts from, although the clock starts later.
    on_receipt: counts from the recorded receipt of the paper that the start event made, where that came later and nobody
    proved at the start that the petitioner had it. The first record of a paper alone counts; none makes the time shorter.
    priorities: only a case of one of these priorities has the limit (empty = every case).
    after: only an expiry of one of these limits starts it (empty = any start).
    only_if, unless: facts that must be true, must not be true, at the start.
    pauses_on: what stops the count. pause_cap: most calendar days of pause (0 = no pause).
    extension_cap: most days that approved extensions may add, calendar days unless `extension_unit` says working days.
    shorter, total_cap: the start event may state fewer "days", and the earlier end counts; all runs of one round together never pass total_cap.
    main: a limit for handling; of several, those that started last rule, and whichever of these ends first forces.
    within_main: never later than the handling limits that rule when it starts.
    per_co_handler: one clock for each co-handling body.
    opens_order: passing opens a supervision order without moving the case.
    """

    id: str
    name_zh: str
    name_en: str
    amount: int
    unit: Unit
    kind: Kind
    basis: str | None = None
    starts: tuple[str, ...] = ()
    entry: bool = False
    states: tuple[str, ...] = ()
    through: tuple[str, ...] = ()
    breach: str | None = None
    repeats: int = 0
    last_breach: str | None = None
    stops: tuple[str, ...] = ()
    restarts: bool = False
    counted_from: tuple[str, ...] = ()
    on_receipt: bool = False
    priorities: tuple[str, ...] = ()
    after: tuple[str, ...] = ()
    variants: tuple[Variant, ...] = ()
    only_if: tuple[str, ...] = ()
    unless: tuple[str, ...] = ()
    pauses_on: Literal["suspension", "hearing"] | None = None
    pause_cap: int = 0
    extension_cap: int = 0
    extension_unit: Literal["C", "W"] = "C"
    shorter: bool = False
    total_cap: int = 0
    main: bool = False
    within_main: bool = False
    per_co_handler: bool = False
    opens_order: bool = False
    reminders: Reminders = LADDER
    preset: str = "national"
    valid_from: date = date(2022, 5, 1)  # the day the Regulation came into force

    def __post_init__(self) -> None:
        if not 0 < self.amount <= LONGEST or self.unit not in ("C", "W", "H", "M", "Q"):
            raise ValueError(f"{self.id}: {self.amount} {self.unit} is no period")
        if self.kind == "statutory" and not self.basis:
            raise ValueError(f"{self.id}: a statutory limit names its article")
        if self.extension_unit == "W" and self.unit != "W":
            raise ValueError(f"{self.id}: only a limit in working days is extended by working days")
        if self.kind == "statutory" and self.pauses_on == "suspension":
            raise ValueError(f"{self.id}: a statutory limit does not pause while a case is suspended")

    @property
    def statutory(self) -> bool:
        """Whether the limit may be labelled 法定时限."""
        return self.kind == "statutory"

    @property
    def pausable(self) -> bool:
        """Whether anything can stop the count."""
        return self.pauses_on is not None

    def amount_for(self, facts: Mapping[str, object]) -> tuple[int, Unit]:
        """Amount and unit for a case with these facts, as (24, "H") for a P1 case."""
        for variant in self.variants:
            if facts.get(variant.fact) == variant.value:
                return variant.amount, variant.unit
        return self.amount, self.unit

    def applies_to(self, facts: Mapping[str, object]) -> bool:
        """Whether a case with these facts has this limit at all."""
        if self.priorities and facts.get("priority") not in self.priorities:
            return False
        return all(facts.get(name) for name in self.only_if) and not any(facts.get(name) for name in self.unless)


REGULATION = "信访工作条例"
ZHEJIANG_ORDINANCE = "浙江省信访条例"

# States in which a body works on the case, and those in which it has the case but has not begun.
WORK = ("handling", "suspended", "investigated")
RECEIVED = ("dispatched", "return_requested", "signed")
# Each gives the case to another body; a review opinion only when it orders the case to be handled again.
NEW_ROUND = ("rehandle", "reopen", "give_review_opinion")
UNANSWERED = ("filed", "registered", "accepted", *RECEIVED, *WORK, "replied")
# What the petitioner is shown (信访事项网上办理工作规程): each of these breaks the silence of a case.
VISIBLE = (
    *("file", "register", "auto_register", "accept", "dispatch", "sign", "auto_sign", "approve_return"),
    *("approve_extension", "approve_suspension", "resume", "resume_expired", "hold_hearing", "deliver", "expire"),
    *("recuse_body", "rehandle", "explain", "reopen", "ask_review", "give_review_opinion", "ask_recheck", "give_recheck_opinion"),
)
# What shows that a matter is urgent or major, where its priority says so (Art 25 counts from there).
DISCOVERY = ("file", "register", "mark_urgent")
# An anonymous petitioner, or one without an address, cannot be given a written notice (Art 23).
NO_ADDRESS = ("anonymous", "unreachable")


def _law(article: str) -> str:
    return f"《{REGULATION}》第{article}条"


def _ordinance(article: str) -> str:
    return f"《{ZHEJIANG_ORDINANCE}》第{article}条"


def _row(preset: Sequence[Policy], policy_id: str) -> Policy:
    return next(row for row in preset if row.id == policy_id)


# A table: the formatter would give every argument a line of its own.
# fmt: off
NATIONAL: tuple[Policy, ...] = (
    # From receipt to dispatch.
    Policy("PT-00", "登记", "Registration", 1, "W", "working",
           starts=("file",), entry=True, states=("filed",), breach="auto_register", reminders=BLUE_CARD,
           variants=(Variant("priority", "P0", 1, "H"),)),
    Policy("PT-01", "信访部门转送、交办", "Petition office routes the matter", 15, "C", "statutory", _law("二十二"),
           starts=("file",), entry=True, states=("registered", "accepted"), through=("filed",), breach="expire"),
    Policy("PT-01a", "分级转送", "Routing at each level", 4, "C", "working", "国信发〔2014〕16号",
           starts=("file",), entry=True, states=("registered", "accepted"), through=("filed",), reminders=BLUE_CARD,
           variants=(Variant("level", 0, 5, "C"), Variant("level", 1, 3, "C"), Variant("level", 2, 3, "C"))),
    Policy("PT-02", "书面告知信访人", "Written notice to the petitioner", 15, "C", "statutory", _law("二十三") + "第二款",
           starts=("file",), states=("filed", "registered"), unless=NO_ADDRESS),
    Policy("PT-16", "首接单位分派", "Dispatch decision at the first office", 3, "W", "working",
           starts=("register", "auto_register"), entry=True, states=("registered", "accepted"), reminders=BLUE_CARD),
    # Danger to life does not wait for a dispatch: from the filing on the case has two hours to be with a body, or it goes up.
    Policy("PT-16a", "紧急事项分派", "Dispatch of an urgent matter", 2, "H", "working",
           starts=DISCOVERY, entry=True, states=("registered", "accepted"), through=("filed",), breach="expire",
           priorities=("P0",), reminders=SHORT_LADDER,
           # Nobody but the external authority stands above the province: there the case is to be dealt with, not passed on.
           variants=(Variant("level", 1, 24, "H"),)),
    Policy("PT-16b", "上级分派紧急事项", "Dispatch of an urgent matter by the level above", 24, "H", "working",
           starts=("expire",), states=("escalated",), breach="expire", after=("PT-16a", "PT-16b"), reminders=SHORT_LADDER,
           variants=(Variant("level", 1, 5, "W"),)),
    # A duty beside the handling: it moves no case away from who deals with it, and who neglects it gets an order.
    Policy("PT-25", "紧急重大事项上报", "Report of an urgent or major matter", 2, "H", "working", _law("二十五"),
           starts=DISCOVERY, states=("filed", "registered", "accepted", *RECEIVED, *WORK), through=("merged",),
           stops=("report_urgent",), priorities=("P0",), opens_order=True, reminders=SHORT_LADDER),
    # The body that receives the case.
    Policy("PT-03", "转送后告知", "Notice after transfer", 15, "C", "statutory", _law("二十三") + "第三款",
           starts=("dispatch",), states=("dispatched", "signed"), through=("return_requested",), unless=NO_ADDRESS),
    Policy("PT-04", "提出异议、退单", "Objection to a transferred matter", 5, "W", "statutory", _law("二十三") + "第三款",
           starts=("dispatch",), states=("dispatched", "signed"), reminders=WINDOW),
    Policy("PT-04a", "退单审核", "Decision on a return", 1, "W", "working",
           starts=("request_return",), entry=True, states=("return_requested",), breach="expire_return",
           variants=(Variant("priority", "P0", 2, "H"),), reminders=BLUE_CARD),
    Policy("PT-14", "首次联系信访人", "First contact with the petitioner", 1, "W", "working",
           starts=("dispatch",), states=("signed",), through=("dispatched", "return_requested"),
           variants=(Variant("priority", "P0", 2, "H"), Variant("priority", "P1", 24, "H")), reminders=YELLOW_CARD),
    Policy("PT-15", "签收", "Sign-in by the handler", 1, "W", "working",
           starts=("dispatch", "expire_return"), entry=True, states=("dispatched",), breach="auto_sign",
           variants=(Variant("priority", "P0", 2, "H"), Variant("priority", "P1", 4, "H")), reminders=BLUE_CARD),
    # Handling.
    Policy("PT-05", "办结", "Conclusion", 60, "C", "statutory", _law("三十四"),
           starts=("accept",), states=("signed", *WORK), breach="expire", extension_cap=30, main=True,
           through=("registered", "accepted", "dispatched", "return_requested", "escalated")),
    Policy("PT-05m", "并案办结", "Conclusion of a merged case", 60, "C", "working",
           starts=("merge",), entry=True, states=("merged",), breach="split_from_parent", reminders=WINDOW,
           counted_from=("register", "auto_register", "split_from_parent")),
    Policy("PT-06", "延期上限", "Longest extension", 30, "C", "statutory", _law("三十四"),
           reminders=SILENT),
    Policy("PT-17", "简易事项办结", "Conclusion of a simple matter", 5, "W", "local", "12345热线办理规定(潍坊、济南)",
           starts=("dispatch",), states=WORK, through=RECEIVED, only_if=("simple",), pauses_on="suspension",
           pause_cap=180, opens_order=True),
    Policy("PT-18", "协办", "Part of a co-handler", 30, "C", "working",
           starts=("dispatch", "add_co_handler", *NEW_ROUND), states=WORK, through=RECEIVED,
           stops=("co_report", "recuse_co_handler"),
           per_co_handler=True, within_main=True, pauses_on="suspension", pause_cap=180, reminders=YELLOW_CARD),
    Policy("PT-19", "延期审批", "Decision on an extension", 1, "W", "working",
           starts=("request_extension",), states=WORK, stops=("approve_extension", "refuse_extension"),
           within_main=True, reminders=WINDOW),
    Policy("PT-21", "重办", "Second handling", 10, "W", "working",
           starts=NEW_ROUND, states=("handling", "investigated"), through=("suspended",), breach="expire", main=True,
           pauses_on="suspension", pause_cap=180),
    Policy("PT-24", "挂账复核", "Review of a suspension", 30, "C", "working",
           starts=("approve_suspension",), entry=True, states=("suspended",), breach="resume_expired", shorter=True,
           total_cap=180, reminders=WINDOW),
    Policy("PT-26", "送达", "Delivery of the reply", 1, "W", "working",
           starts=("approve_reply",), entry=True, states=("replied",), breach="deliver", reminders=BLUE_CARD,
           # Who filed on line reads the reply where the case was filed; to anybody else a person has to bring it.
           variants=(Variant("channel", "web", 0, "H"),)),
    # After the reply.
    Policy("PT-07", "申请复查", "Right to ask for review", 30, "C", "statutory", _law("三十五"),
           starts=("deliver", "explain", "follow_parent"), restarts=True, on_receipt=True, reminders=WINDOW,
           states=("resolved", "rated", "closed", "explained"), through=("dissatisfied", "escalated")),
    Policy("PT-08", "复查意见", "Review opinion", 30, "C", "statutory", _law("三十五"),
           starts=("ask_review", "expire"), entry=True, states=("reviewing",), breach="expire"),
    Policy("PT-09", "申请复核", "Right to ask for re-review", 30, "C", "statutory", _law("三十六"),
           starts=("give_review_opinion",), entry=True, states=("reviewed",), breach="lapse_review",
           on_receipt=True, reminders=WINDOW),
    Policy("PT-10", "复核意见", "Re-review opinion", 30, "C", "statutory", _law("三十六"),
           starts=("ask_recheck", "expire"), entry=True, states=("rechecking",), breach="expire",
           pauses_on="hearing", pause_cap=30),
    Policy("PT-13", "满意度评价", "Satisfaction rating", 30, "C", "working",
           starts=("deliver",), entry=True, states=("resolved",), breach="lapse_rating", on_receipt=True, reminders=WINDOW),
    # Supervision and the external authority.
    Policy("PT-20", "不满意核查", "Check of a dissatisfied rating", 3, "W", "working",
           starts=("rate", "change_rating"), entry=True, states=("dissatisfied",), breach="expire",
           reminders=SHORT_LADDER),
    Policy("PT-22", "督办回复", "Answer to a supervision order", 5, "W", "working", _law("四十"),
           starts=("rate", "change_rating", "expire"), entry=True, states=("escalated",), breach="expire"),
    Policy("PT-23", "改进建议反馈", "Answer to an improvement proposal", 30, "C", "working", _law("四十")),
    Policy("PT-27", "上级机关回执", "Acknowledgement by the external authority", 30, "C", "working",
           starts=("expire", "urge_external"), entry=True, states=("external",), breach="urge_external", repeats=3,
           last_breach="end_external", reminders=SILENT),
    Policy("PT-28", "静默提醒", "Silent case", 10, "W", "working",
           starts=VISIBLE, entry=True, restarts=True, reminders=SILENT,
           states=(*UNANSWERED, "dissatisfied", "escalated", "external", "reviewing", "rechecking", "merged")),
)

# The ordinance sets a tighter first target, 30 days and up to 60 more, within the same 90 days. A local rule does not take
# the place of the law, so the statutory 60 days with their 30 (Art 34) run beside it as the ceiling that the petitioner is
# shown. Both start with the acceptance, both are lengthened by an approved extension, and both send the case up: PT-12
# comes first as long as it is the shorter one, and should an operator ever set it longer, PT-05 does not wait for it.
_ZHEJIANG_ROWS: Mapping[str, tuple[Policy, ...]] = {row.id: (row,) for row in NATIONAL} | {
    "PT-02": (
        _row(NATIONAL, "PT-02"),
        Policy("PT-11", "受理告知(浙江)", "Acceptance and notice (Zhejiang)", 5, "W", "local", _ordinance("二十"),
               starts=("file",), states=("filed", "registered"), unless=NO_ADDRESS),
    ),
    "PT-05": (
        replace(_row(NATIONAL, "PT-05"), name_zh="办结(法定上限)", name_en="Conclusion (statutory ceiling)"),
        replace(_row(NATIONAL, "PT-05"), id="PT-12", name_zh="办结(浙江)", name_en="Conclusion (Zhejiang)", amount=30,
                kind="local", basis=_ordinance("二十三"), extension_cap=60),
    ),
    "PT-18": (replace(_row(NATIONAL, "PT-18"), amount=15),),
}
ZHEJIANG: tuple[Policy, ...] = tuple(
    replace(row, preset="zhejiang") for rows in _ZHEJIANG_ROWS.values() for row in rows
)
# fmt: on

PRESETS: Mapping[str, tuple[Policy, ...]] = {"national": NATIONAL, "zhejiang": ZHEJIANG}


def all_versions(preset: Sequence[Policy], overrides: Iterable[Policy] = ()) -> tuple[Policy, ...]:
    """Every version of a preset's limits, an operator's included: what `deadlines` reads a case with.

    overrides: rows an operator has entered, as `replace(row, amount=10, valid_from=day)`; those of another preset are
    left aside.
    """
    names = {row.preset for row in preset}
    return (*preset, *(row for row in overrides if row.preset in names))


def policies(preset: Sequence[Policy], on: date, overrides: Iterable[Policy] = ()) -> dict[str, Policy]:
    """The limits of a preset in force on a day, by id; before the first version of an id, that first version.

    Of two versions with the same valid_from the override holds.
    """
    chosen: dict[str, Policy] = {}
    for policy in sorted(all_versions(preset, overrides), key=lambda row: row.valid_from):
        if policy.id not in chosen or policy.valid_from <= on:
            chosen[policy.id] = policy
    return chosen
