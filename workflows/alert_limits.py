"""The time limits of an alert, by colour. No law sets them; an operator changes one by a later version, as one of a petition."""

from __future__ import annotations

from workflows.policies import BLUE_CARD, LADDER, SHORT_LADDER, SILENT, WINDOW, Policy, Reminders, Unit, Variant

UNCONFIRMED = ("dispatched", "signed", "checking", "explaining", "clear_requested", "escalated")
CONFIRMED = ("investigated", "rectifying", "clue_filed", "case_filed", "disposed", "verifying")
DONE = ("resolved", "rated", "closed")

# Both sides are told a fortnight before a clearance runs out, so that it is asked for anew or let go.
EXPIRY = Reminders(0, 0, None, None, days=15)


def _by_colour(red: int, orange: int, yellow: int, unit: Unit = "W", red_unit: Unit | None = None) -> tuple[Variant, ...]:
    """The amounts of three colours; blue is the row's own."""
    return (
        Variant("colour", "red", red, red_unit or unit),
        Variant("colour", "orange", orange, unit),
        Variant("colour", "yellow", yellow, unit),
    )


# A table: the formatter would give every argument a line of its own.
# fmt: off
ALERT_LIMITS: tuple[Policy, ...] = (
    # The run that generated it sends it out with its packet; this is for what a run left behind.
    Policy("AL-00", "派发", "Dispatch", 1, "H", "working",
           entry=True, states=("filed",), breach="auto_dispatch", reminders=SILENT),
    Policy("AL-01", "签收", "Sign-in", 3, "W", "working", variants=_by_colour(24, 1, 2, red_unit="H"),
           starts=("escalate", "push_again", "recuse"), entry=True, restarts=True, states=("dispatched", "escalated"),
           breach="escalate", reminders=SHORT_LADDER),
    Policy("AL-02", "核查并初步答复", "Check and first answer", 15, "W", "working", variants=_by_colour(5, 10, 10),
           starts=("sign",), states=("signed", "checking"), breach="escalate", extension_cap=10, extension_unit="W"),
    # The check goes on after an answer, or begins again.
    Policy("AL-02a", "继续核查", "The check goes on", 5, "W", "working",
           starts=("explain", "drop_question", "lapse_explanation", "refuse_clearance", "lapse_clearance", "take_back",
                   "reopen", "reopen_unproved", "re_examine"),
           states=("checking",), breach="escalate", extension_cap=10, extension_unit="W"),
    Policy("AL-03", "单位说明", "Explanation by the unit", 5, "W", "working", variants=_by_colour(3, 3, 5),
           entry=True, states=("explaining",), breach="lapse_explanation", reminders=SHORT_LADDER),
    Policy("AL-04", "消除审批", "Decision on a clearance", 3, "W", "working",
           entry=True, states=("clear_requested",), breach="lapse_clearance", reminders=SHORT_LADDER),
    # Nothing moves when it passes: the alert stands on the red list until it is done.
    Policy("AL-05", "办结目标", "Closing target", 30, "W", "working", variants=_by_colour(15, 20, 20),
           starts=("dispatch", "auto_dispatch", "reopen", "reopen_unproved", "re_examine", "return_external"),
           states=(*UNCONFIRMED, *CONFIRMED), extension_cap=10, extension_unit="W", reminders=LADDER),
    Policy("AL-06", "延期上限(一次)", "Longest extension, once", 10, "W", "working", reminders=SILENT),
    Policy("AL-07", "新规则预警的人工放行", "Release of the alerts of a new rule", 30, "C", "working",
           entry=True, states=("held",), unless=("flood",), breach="auto_dispatch", reminders=WINDOW),
    Policy("AL-07a", "异常批量预警的处理", "Decision on a flood", 5, "W", "working",
           starts=("escalate",), entry=True, states=("held",), only_if=("flood",), breach="escalate"),
    Policy("AL-08", "查实后的处理决定", "Decision on what was confirmed", 5, "W", "working",
           starts=("escalate",), entry=True, states=("investigated",), breach="escalate"),
    Policy("AL-09", "消除有效期", "Life of a clearance", 6, "M", "working", variants=(Variant("colour", "blue", 12, "M"),),
           starts=("approve_clearance",), states=DONE, only_if=("limited",), shorter=True, breach="expire_clearance",
           reminders=EXPIRY),
    Policy("AL-10", "应急工程补交会议纪要", "Minutes of emergency works", 15, "C", "working",
           starts=("approve_clearance",), states=DONE, only_if=("papers_due",), stops=("file_papers",),
           breach="reopen_unproved", reminders=WINDOW),
    Policy("AL-11", "线索或案件的处置", "Outcome of a clue or a case", 6, "M", "working",
           starts=("file_case", "escalate"), entry=True, restarts=True, states=("clue_filed", "case_filed"), breach="escalate"),
    Policy("AL-12", "评定", "Verdict", 5, "W", "working",
           starts=("escalate",), entry=True, states=("resolved",), breach="escalate"),
    Policy("AL-13", "评定后办结", "Closing after the verdict", 30, "C", "working",
           entry=True, states=("rated",), unless=("sampled", "disposed"), breach="auto_close", reminders=SILENT),
    Policy("AL-14", "抽查复评", "Re-examination of a sampled clearance", 10, "W", "working",
           starts=("escalate",), entry=True, states=("rated",), only_if=("sampled",), unless=("disposed",), breach="escalate"),
    Policy("AL-15", "暂停的确认或解除", "Confirmation of a suspension", 5, "W", "working",
           starts=("request_freeze",), states=(*UNCONFIRMED, *CONFIRMED), stops=("confirm_freeze", "lift_freeze"),
           breach="lapse_freeze", reminders=BLUE_CARD),
    Policy("AL-16", "上级机关回执", "Acknowledgement by the external authority", 30, "C", "working",
           starts=("urge_external",), entry=True, states=("external",), breach="urge_external", repeats=3,
           last_breach="end_external", reminders=SILENT),
    Policy("AL-17", "并入预警的单独派发", "Dispatch of a muted alert by itself", 60, "C", "working",
           entry=True, states=("muted",), breach="auto_dispatch", reminders=SILENT),
    Policy("RC-01", "整改反馈", "Answer to a rectification order", 30, "C", "working",
           starts=("escalate",), entry=True, states=("rectifying", "disposed"), breach="escalate"),
    Policy("RC-03", "验收", "Check of the proof", 5, "W", "working",
           starts=("escalate",), entry=True, states=("verifying",), breach="escalate"),
    Policy("RC-04", "回头看", "Look-back", 90, "C", "working",
           starts=("strike_off",), states=("rated",), through=("resolved",), only_if=("disposed",), breach="escalate"),
)
# fmt: on
