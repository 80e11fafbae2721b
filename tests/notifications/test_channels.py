"""Channels hand messages over and sort what goes wrong into "later" and "never"."""

import io
import socket
import socketserver
import threading
from email import message_from_bytes, policy
from uuid import UUID

import pytest

from notifications.channels.console import ConsoleChannel
from notifications.channels.smtp import SmtpChannel
from notifications.message import GiveUp, Message, Retry

MESSAGE = Message(
    id=UUID("00000000-0000-4000-8000-000000000001"),
    to=("an@example.org", "bo@example.org"),
    subject="明鉴 Mingjian",
    body="信访事项MJ-1:已登记。\nCase MJ-1: registered.",
)


class _Session(socketserver.StreamRequestHandler):
    """Just enough SMTP: answers come from the server's `answers`, the rest is 250."""

    def handle(self):
        self._say("greeting", "220 ready")
        while line := self.rfile.readline().decode().strip():
            word = line.split()[0].upper()
            self.server.heard.append(line)
            if word == "QUIT":
                self._say("QUIT", "221 bye")
                return
            if word == "EHLO":
                self._say("EHLO", self.server.greeting)
            elif word == "RCPT" and line in self.server.answers:
                self._say(line, "")
            elif word == "DATA":
                if self._say("DATA", "354 go on").startswith("354"):
                    self._take_mail()
            else:
                self._say(word, "250 ok")

    def _say(self, word, default):
        answer = self.server.answers.get(word, default)
        self.wfile.write(answer.encode() + b"\r\n")
        return answer

    def _take_mail(self):
        lines = []
        while (line := self.rfile.readline()) != b".\r\n":
            lines.append(line)
        self.server.mails.append(b"".join(lines))
        self._say("MAIL DATA", "250 queued")


class _Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), _Session)
        self.answers, self.heard, self.mails, self.greeting = {}, [], [], "250 here"


@pytest.fixture
def server():
    with _Server() as running:
        thread = threading.Thread(target=running.serve_forever)
        thread.start()
        yield running
        running.shutdown()
        thread.join()


@pytest.fixture
def channel(server):
    return SmtpChannel(f"smtp://127.0.0.1:{server.server_address[1]}", "petitions@example.gov.cn", timeout=5)


def test_mail_reaches_every_address_without_showing_one_to_the_other(channel, server):
    receipt = channel.send(MESSAGE)
    assert receipt.refused == ()
    assert [line for line in server.heard if line.startswith("rcpt")] == [
        "rcpt TO:<an@example.org>",
        "rcpt TO:<bo@example.org>",
    ]
    mail = message_from_bytes(server.mails[0], policy=policy.default)
    assert mail.get_content().splitlines() == MESSAGE.body.splitlines()
    assert mail["Subject"] == MESSAGE.subject
    assert b"an@example.org" not in server.mails[0]


def test_every_attempt_carries_the_same_message_id(channel, server):
    first, second = channel.send(MESSAGE), channel.send(MESSAGE)
    assert first.provider_id == second.provider_id == f"<{MESSAGE.id}@example.gov.cn>"


def test_one_refused_address_does_not_fail_the_others(channel, server):
    server.answers["rcpt TO:<an@example.org>"] = "550 no such user"
    assert channel.send(MESSAGE).refused == ("an@example.org",)
    assert len(server.mails) == 1


@pytest.mark.slow
@pytest.mark.parametrize(
    ("word", "answer", "error", "code"),
    [
        ("MAIL DATA", "451 try later", Retry, "answer-451"),
        ("MAIL DATA", "552 too much", GiveUp, "answer-552"),
        ("MAIL", "421 closing", Retry, "answer-421"),
        ("MAIL", "550 not you", GiveUp, "answer-550"),
        ("RCPT", "450 busy", Retry, "recipients-450"),
        ("RCPT", "550 unknown", GiveUp, "recipients-550"),
    ],
)
def test_temporary_answers_are_tried_again_and_permanent_ones_are_not(channel, server, word, answer, error, code):
    server.answers[word] = answer
    with pytest.raises(error) as caught:
        channel.send(MESSAGE)
    assert caught.value.code == code


def test_a_server_that_is_not_there_is_tried_again_and_known_as_unreachable():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        channel = SmtpChannel(f"smtp://127.0.0.1:{taken.getsockname()[1]}", "a@example.org", timeout=1)
        with pytest.raises(Retry) as caught:
            channel.send(MESSAGE)
    assert caught.value.unreachable


def test_a_greeting_that_refuses_service_is_tried_again(channel, server):
    server.answers["greeting"] = "554 no service"
    with pytest.raises(Retry) as caught:
        channel.send(MESSAGE)
    assert caught.value.unreachable


def test_a_password_never_travels_without_tls(server):
    port = server.server_address[1]
    channel = SmtpChannel(f"smtp://me:secret@127.0.0.1:{port}", "a@example.org", timeout=5)
    with pytest.raises(Retry) as caught:
        channel.send(MESSAGE)
    assert caught.value.code == "no-tls-for-password"
    assert not any(line.upper().startswith("AUTH") for line in server.heard)


@pytest.mark.parametrize("address", ["no address", "a@b\r\nBcc: c@d", "", "a@"])
def test_what_is_no_address_is_given_up_before_anything_is_sent(channel, server, address):
    with pytest.raises(GiveUp, match="bad-address"):
        channel.send(Message(MESSAGE.id, (address,), "s", "b"))
    assert server.heard == []


def test_the_console_prints_one_line_for_each_message():
    stream = io.StringIO()
    ConsoleChannel(stream).send(MESSAGE)
    printed = stream.getvalue()
    assert printed.count("\n") == 1
    assert "an@example.org" in printed
    assert "信访事项MJ-1:已登记。" in printed
