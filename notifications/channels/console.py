"""The channel that prints: for trial use, until a provider is configured."""

from __future__ import annotations

import sys
from typing import TextIO

from notifications.message import Message, Receipt


class ConsoleChannel:
    """Writes each message to a stream, standard output unless told otherwise. Never fails, keeps nothing."""

    name = "console"

    def __init__(self, stream: TextIO | None = None):
        self._stream = stream

    def send(self, message: Message) -> Receipt:
        """Print subject and body with the addresses."""
        stream = self._stream or sys.stdout
        stream.write(
            f"[message] {', '.join(message.to)} | {message.subject} | {message.body}\n".replace("\n", " ") + "\n"
        )
        stream.flush()
        return Receipt()
