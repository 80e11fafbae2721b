"""One text for one audience, with the few things of a case that it may hold."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, NamedTuple

# `readers` are those on the list of a clue, `clue_heads` the heads of the body in charge of it. Of an alert: the body in charge,
# the discipline body above it, those who check it, the unit that it is about, the department that suspends payment or approval,
# and the body that keeps the rule.
Audience = Literal[
    "petitioner", "owner_org", "main_org", "co_orgs", "phone", "mailbox", "readers", "clue_heads",
    "alert_body", "alert_above", "alert_checkers", "alert_unit", "alert_department", "rule_owner",
]  # fmt: skip

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
