"""The time limits of a clue. They are the same in every preset; an operator changes one as one of a petition, by a later version."""

from __future__ import annotations

from workflows.policies import SILENT, WINDOW, Policy

_RULES = "《纪检监察机关处理检举控告工作规则》"
_DISCIPLINE = "《中国共产党纪律检查机关监督执纪工作规则》"

# A table: the formatter would give every argument a line of its own.
# fmt: off
CLUE_LIMITS: tuple[Policy, ...] = (
    Policy("AC-01", "实名检举受理告知", "Acceptance notice to a real-name reporter", 15, "W", "statutory", _RULES,
           starts=("open", "receive", "rise"), states=("sealed", "verified_realname"), only_if=("named",), breach="rise"),
    Policy("AC-01a", "匿名检举受理", "Acceptance of an anonymous report", 15, "W", "working",
           starts=("open", "receive", "mark_anonymous", "rise"), states=("sealed", "anonymous"), unless=("named",), breach="rise"),
    Policy("AC-03", "属上级管辖的报送", "Sending up what belongs to a superior", 5, "W", "statutory", _RULES + "第十五条",
           starts=("open", "send_up", "rise"), restarts=True, states=("sent_up",), breach="rise"),
    Policy("AC-04", "下级机关受理、转送", "Acceptance or transfer by the body below", 5, "W", "statutory", _RULES + "第十六条",
           starts=("send_down", "rise"), restarts=True, states=("sent_down",), breach="rise"),
    Policy("AC-05", "线索处置意见", "Disposal opinion", 1, "M", "working", _DISCIPLINE + "第二十一条",
           starts=("accept", "take_up", "rise"), entry=True, states=("accepted", "assigned"), through=("disposal_proposed",), breach="rise"),
    Policy("AC-05a", "处置意见审批", "Approval of the disposal", 10, "W", "working",
           starts=("rise",), entry=True, states=("disposal_proposed",), breach="rise"),
    Policy("AC-06", "函询书面说明", "Written answer to an inquiry", 15, "W", "working", _DISCIPLINE,
           entry=True, states=("talk_inquiry",), stops=("record_answer",), breach="lapse_answer", reminders=WINDOW),
    Policy("AC-07", "谈话函询后报告", "Report after talk or answer", 1, "M", "working",
           starts=("record_answer", "rise"), states=("talk_inquiry",), breach="rise"),
    Policy("AC-11", "初步核实", "Preliminary verification", 3, "M", "working",
           starts=("rise",), entry=True, states=("preliminary_verification",), breach="rise"),
    Policy("AC-12", "暂存复查", "Review of what is kept on file", 12, "M", "working",
           starts=("rise",), entry=True, states=("kept",), breach="rise"),
    Policy("AC-13", "审查调查", "Investigation", 3, "M", "working",
           starts=("rise",), entry=True, states=("case_filed",), breach="rise"),
    Policy("AC-14", "了结后作出结论", "Conclusion of what was closed", 1, "M", "working",
           starts=("rise",), entry=True, states=("closed_clue",), breach="rise"),
    Policy("AC-02", "实名检举结果反馈", "Feedback to a real-name reporter", 15, "W", "statutory", _RULES,
           starts=("rise",), entry=True, states=("concluded",), only_if=("real_name",), breach="rise"),
    Policy("AC-02a", "匿名检举归档", "Archiving of an anonymous report", 15, "W", "working",
           entry=True, states=("concluded",), unless=("real_name",), breach="auto_archive", reminders=SILENT),
    Policy("AC-15", "反馈后归档", "Archiving after feedback", 1, "M", "working",
           entry=True, states=("fed_back",), breach="auto_archive", reminders=SILENT),
    # Nothing happens when it passes: it stands in the list of the clue until the report is made, in the archive as well.
    Policy("AC-08", "季度结果反馈", "Quarterly report of the result", 1, "Q", "statutory", _RULES + "第十八条",
           starts=("conclude",), states=("concluded", "fed_back", "archived"), stops=("report_result",), reminders=WINDOW),
)
# fmt: on
