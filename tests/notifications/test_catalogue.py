"""The catalogue speaks of every event of the chart, and of no person."""

import string

import pytest

from notifications.catalogue import (
    ALERT,
    CATALOGUE,
    CLUE,
    OTHER,
    PETITION,
    PLACEHOLDERS,
    SECRET_PLACEHOLDERS,
    SECRET_TEMPLATES,
    audiences,
    notice_for,
)
from workflows.alert import AlertEvent
from workflows.clue import ClueEvent
from workflows.petition import STATE_LABELS, PetitionEvent

NOTICES = [(template, notice) for template, notices in CATALOGUE.items() for notice in notices]
IDS = [f"{template}-{notice.audience}" for template, notice in NOTICES]
SMS_CHARACTERS = 70


def _placeholders(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name is not None}


@pytest.mark.parametrize("event", list(PetitionEvent))
def test_every_event_of_the_chart_has_an_entry_or_says_none(event):
    assert event.value in PETITION


def test_every_entry_names_an_event_that_exists():
    assert set(PETITION) == {event.value for event in PetitionEvent}


def test_every_step_of_a_clue_has_an_entry_or_says_none():
    steps = {"clue_feedback" if event is ClueEvent.GIVE_FEEDBACK else f"clue_{event}" for event in ClueEvent}
    assert set(CLUE) == steps | {"clue_open", "clue_add_reader", "clue_remove_reader", "clue_pass_on", "clue_message"}


@pytest.mark.parametrize("template", CLUE)
def test_what_readers_of_a_clue_are_told_names_no_clue_and_nothing_of_it(template):
    for notice in CLUE[template]:
        if notice.audience == "petitioner":
            continue
        assert notice.audience in ("readers", "clue_heads")
        assert _placeholders(notice.zh) == set()
        assert not [word for word in ("线索", "检举", "举报", "信访", "纪检") if word in notice.zh]
        assert not [word for word in ("clue", "report", "case", "discipline") if word in notice.en]


@pytest.mark.parametrize("template", ["clue_accept", "clue_feedback"])
def test_the_reporter_hears_of_acceptance_and_result_and_of_no_other_step_of_a_clue(template):
    assert "petitioner" in audiences(template)
    assert [name for name in CLUE if "petitioner" in audiences(name)] == ["clue_accept", "clue_feedback"]


def test_no_other_template_takes_the_name_of_an_event():
    assert not set(PETITION) & set(OTHER)


@pytest.mark.parametrize(("template", "notice"), NOTICES, ids=IDS)
def test_a_text_holds_nothing_but_serial_number_state_and_day(template, notice):
    allowed = SECRET_PLACEHOLDERS if template in SECRET_TEMPLATES else PLACEHOLDERS
    assert _placeholders(notice.zh) <= allowed
    assert _placeholders(notice.en) == _placeholders(notice.zh)


@pytest.mark.parametrize(("template", "notice"), NOTICES, ids=IDS)
def test_a_chinese_text_fits_one_short_message(template, notice):
    longest = max(STATE_LABELS.values(), key=lambda label: len(label.zh))
    words = notice.words({"serial": "MJ-ABCD-EFGH-JKLM", "due": "2026-12-31", "code": "123456", "password": "p" * 16}, longest)
    assert len(words.zh) <= SMS_CHARACTERS
    assert "{" not in words.zh + words.en


@pytest.mark.parametrize("template", CATALOGUE)
def test_each_audience_hears_of_an_event_once(template):
    heard = audiences(template)
    assert len(heard) == len(set(heard))


def test_a_secret_goes_to_one_phone_or_mailbox_and_nothing_else_does():
    for template, notice in NOTICES:
        assert (notice.audience in ("phone", "mailbox")) == (template in SECRET_TEMPLATES)
        assert len(audiences(template)) == 1 or template not in SECRET_TEMPLATES


@pytest.mark.parametrize("event", ["accept", "dispatch", "sign", "deliver", "expire", "approve_extension", "rehandle"])
def test_the_petitioner_hears_of_every_step_of_the_published_list(event):
    assert "petitioner" in audiences(event)


def test_the_petitioner_is_not_told_what_the_offices_settle_among_themselves():
    for event in ("request_return", "refuse_return", "return_reply", "co_report", "start"):
        assert "petitioner" not in audiences(event)


def test_a_missing_day_reads_as_not_set():
    words = notice_for("accept", "petitioner").words({"serial": "MJ-1", "due": None})
    assert words.zh == "信访事项MJ-1:已受理,下一步最迟未定。"
    assert words.en == "Case MJ-1: accepted; next step by not set."


def test_the_state_is_shown_in_the_words_of_each_language():
    words = notice_for("rate", "owner_org").words({"serial": "MJ-1"}, ("已评价办结", "closed after a rating"))
    assert words.zh.endswith("当前状态:已评价办结。")
    assert words.en.endswith("state: closed after a rating.")


def test_an_unknown_template_or_audience_has_no_text():
    assert notice_for("no_such_event", "petitioner") is None
    assert notice_for("register", "co_orgs") is None
    with pytest.raises(KeyError):
        audiences("no_such_event")


def test_every_step_of_an_alert_says_who_hears_of_it_and_names_no_alert():
    assert set(ALERT) == {f"alert_{event}" for event in AlertEvent} | {"alert_file"}
    assert {name for notices in ALERT.values() for notice in notices for name in ("serial", "state") if f"{{{name}}}" in notice.zh + notice.en} == set()
