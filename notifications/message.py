"""A message ready to be sent, what a channel answers, and the two ways in which sending can fail."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol
from uuid import UUID


@dataclass(frozen=True, slots=True)
class Message:
    """One message to one or more addresses of the same kind; receivers never see each other.

    id: the outbox row it came from, the same on every attempt, so that a provider can drop a repetition.
    to: addresses in the channel's own form, never empty. subject, body: finished text, Chinese first.
    """

    id: UUID
    to: tuple[str, ...]
    subject: str
    body: str


@dataclass(frozen=True, slots=True)
class Receipt:
    """What the provider said on taking the message. Taken is not delivered.

    provider_id: the provider's name for the message, None when it gives none. refused: addresses it would not take
    although it took the message for the others.
    """

    provider_id: str | None = None
    refused: tuple[str, ...] = ()


class Undelivered(Exception):
    """The message was not taken. `code` is a short stable name without any address or text of the message."""

    def __init__(self, code: str):
        super().__init__(code)
        self.code = code


class Retry(Undelivered):
    """It may be taken later. `unreachable`: the provider was not reached at all, other messages would fare the same."""

    def __init__(self, code: str, *, unreachable: bool = False):
        super().__init__(code)
        self.unreachable = unreachable


class GiveUp(Undelivered):
    """It will never be taken as it is."""


class Channel(Protocol):
    """One way to reach people."""

    name: str

    def send(self, message: Message) -> Receipt:
        """Hand the message over. Raises Retry or GiveUp."""
        ...
