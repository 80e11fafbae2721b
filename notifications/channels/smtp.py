"""E-mail through an SMTP server."""

from __future__ import annotations

import smtplib
import ssl
from email.errors import MessageError
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import formatdate
from urllib.parse import unquote, urlsplit

from notifications.message import GiveUp, Message, Receipt, Retry

TIMEOUT_SECONDS = 10


class SmtpChannel:
    """Sends through `url`: smtp://[user:password@]host[:port] (STARTTLS when offered) or smtps:// (TLS at once).

    A password is only ever sent over TLS. sender: the From address.
    """

    name = "smtp"

    def __init__(self, url: str, sender: str, *, timeout: float = TIMEOUT_SECONDS):
        parts = urlsplit(url)
        self._tls = parts.scheme == "smtps"
        self._host = parts.hostname or ""
        self._port = parts.port or (465 if self._tls else 25)
        self._user = unquote(parts.username or "")
        self._password = unquote(parts.password or "")
        self._sender = sender
        self._timeout = timeout

    def send(self, message: Message) -> Receipt:
        """Hand the message to the server, with every receiver in the envelope and none in the header.

        Raises Retry for an unreachable server and for temporary (4xx) answers, GiveUp for permanent (5xx) ones.
        """
        try:
            mail = self._mail(message)
        except (ValueError, IndexError, MessageError) as error:
            raise GiveUp("bad-address") from error
        try:
            with self._connect() as server:
                refused = server.send_message(mail, self._sender, list(message.to))
        except smtplib.SMTPRecipientsRefused as error:
            codes = [code for code, _ in error.recipients.values()]
            raise self._answer(min(codes), "recipients") from error
        except smtplib.SMTPNotSupportedError as error:
            raise GiveUp("not-supported") from error
        except smtplib.SMTPAuthenticationError as error:
            # A wrong password is the operator's to mend; the messages wait for it.
            raise Retry(f"sign-in-{error.smtp_code}", unreachable=True) from error
        except smtplib.SMTPConnectError as error:
            raise Retry(f"connect-{error.smtp_code}", unreachable=True) from error
        except smtplib.SMTPResponseException as error:
            raise self._answer(error.smtp_code, "answer") from error
        except (smtplib.SMTPException, OSError) as error:
            raise Retry(f"unreachable-{type(error).__name__}", unreachable=True) from error
        return Receipt(provider_id=str(mail["Message-ID"]), refused=tuple(refused))

    def _connect(self) -> smtplib.SMTP:
        context = ssl.create_default_context()
        if self._tls:
            server: smtplib.SMTP = smtplib.SMTP_SSL(self._host, self._port, timeout=self._timeout, context=context)
        else:
            server = smtplib.SMTP(self._host, self._port, timeout=self._timeout)
        try:
            server.ehlo()
            encrypted = self._tls
            if not encrypted and server.has_extn("starttls"):
                server.starttls(context=context)
                server.ehlo()
                encrypted = True
            if self._user:
                if not encrypted:
                    raise Retry("no-tls-for-password", unreachable=True)
                server.login(self._user, self._password)
        except BaseException:
            server.close()
            raise
        return server

    def _mail(self, message: Message) -> EmailMessage:
        for address in message.to:
            Address(addr_spec=address)  # raises for what is no address, line breaks included
        mail = EmailMessage(policy=SMTP)
        mail["From"] = self._sender
        mail["To"] = "undisclosed-recipients:;"
        mail["Subject"] = message.subject
        mail["Date"] = formatdate()
        # The same on every attempt, so that a mailbox can drop the repetition.
        mail["Message-ID"] = f"<{message.id}@{self._sender.rpartition('@')[2]}>"
        mail["Auto-Submitted"] = "auto-generated"
        mail.set_content(message.body, charset="utf-8")
        return mail

    @staticmethod
    def _answer(code: int, what: str) -> Retry | GiveUp:
        return GiveUp(f"{what}-{code}") if code >= 500 else Retry(f"{what}-{code}")
