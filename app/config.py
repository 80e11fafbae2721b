"""Typed settings, read from the environment once, with every mistake reported at the same time."""

import base64
import binascii
import re
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, cast
from urllib.parse import urlsplit

import click
from psycopg import ProgrammingError
from psycopg.conninfo import conninfo_to_dict

Mode = Literal["production", "demo", "test"]
DatabaseRole = Literal["web", "worker", "owner"]

MODES = ("production", "demo", "test")
POLICY_PRESETS = ("national", "zhejiang")
SEAL_ALGORITHMS = ("aes-256-gcm", "sm4-gcm")
LOG_LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")
SECRET_KEY_LENGTH = 32
URL_VARIABLES: dict[DatabaseRole, str] = {
    "web": "DATABASE_URL",
    "worker": "WORKER_DATABASE_URL",
    "owner": "OWNER_DATABASE_URL",
}
URL_EXAMPLES: dict[DatabaseRole, str] = {
    "web": "DATABASE_URL=postgresql://mj_web:password@db.example:5432/mingjian",
    "worker": "WORKER_DATABASE_URL=postgresql://mj_worker:password@db.example:5432/mingjian",
    "owner": "OWNER_DATABASE_URL=postgresql://mj_owner:password@db.example:5432/mingjian",
}


class SettingsError(click.ClickException):
    """The environment can not be used. The text names each variable, what is wrong with it and a correct example.

    No value of a secret variable is repeated in the text. A command line shows the text alone, without a trace.
    """

    def __init__(self, problems: list[str]) -> None:
        self.problems = tuple(problems)
        super().__init__("The settings are not usable:\n" + "\n".join(f"  - {problem}" for problem in problems))


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What the environment says. Database URLs start with ``postgresql+psycopg://``; paths are absolute.

    A process holds only the database URL of its own role, so each of the three may be ``None``: ask `url_for`.
    Values that may hold a password are left out of ``repr``.
    """

    mode: Mode
    database_url: str | None = field(repr=False)
    worker_database_url: str | None = field(repr=False)
    owner_database_url: str | None = field(repr=False)
    secret_key: str = field(repr=False)
    master_keys: tuple[bytes, ...] = field(repr=False)
    master_key_file: Path | None
    seal_algorithm: str
    host: str
    port: int
    web_workers: int
    web_threads: int
    public_url: str
    var_dir: Path
    files_dir: Path
    snapshot_dir: Path  # shared by web and worker: the records as they were when last copied
    records_inbox: Path | None
    records_pulls: Path | None
    ledger_key_file: Path | None
    max_upload_mb: int
    smtp_url: str | None = field(repr=False)
    mail_from: str | None
    clamd_address: str | None
    log_level: str
    access_token_minutes: int
    refresh_token_days: int
    policy_preset: str
    external_authority: str
    pool_size: int
    trusted_proxies: int

    def url_for(self, role: DatabaseRole) -> str:
        """The database URL of one of the three roles. Raises SettingsError when the environment did not give it."""
        url = {"web": self.database_url, "worker": self.worker_database_url, "owner": self.owner_database_url}[role]
        if url is None:
            raise SettingsError([f"{URL_VARIABLES[role]} is missing: {_URL_USES[role]}. Example: {URL_EXAMPLES[role]}"])
        return url

    @classmethod
    def from_environment(cls, environ: Mapping[str, str]) -> "Settings":
        """Read and check every variable; an empty value counts as not given. Raises SettingsError naming all faults.

        Outside production a missing SECRET_KEY is replaced by a random one that lives as long as the process.
        """
        read = _Reader(environ)
        mode = read.choice("MINGJIAN_MODE", "production", MODES)
        urls = {role: read.database_url(role) for role in URL_VARIABLES}
        if mode == "production" and not any(environ.get(name, "").strip() for name in URL_VARIABLES.values()):
            read.reject(
                "DATABASE_URL",
                "is missing: production uses your own PostgreSQL, the embedded one is for trial use only",
                URL_EXAMPLES["web"],
            )
        port = read.number("PORT", 8000, 1, 65535)
        var_dir = read.path("VAR_DIR", Path("var"))
        smtp_url = read.smtp_url()
        settings = cls(
            mode=cast(Mode, mode),
            database_url=urls["web"],
            worker_database_url=urls["worker"],
            owner_database_url=urls["owner"],
            secret_key=read.secret_key(required=mode == "production"),
            master_keys=read.master_keys(),
            # The web process of a production can not do without; a trial makes its own (app.sealing).
            master_key_file=read.master_key_file(
                required=mode == "production" and urls["web"] is not None,
                default=None if mode == "production" else var_dir / "master_key",
            ),
            seal_algorithm=read.choice("SEAL_ALGORITHM", SEAL_ALGORITHMS[0], SEAL_ALGORITHMS),
            host=read.matching("HOST", _is_host, "is not a host name or address", "HOST=0.0.0.0") or "127.0.0.1",
            port=port,
            web_workers=read.number("WEB_WORKERS", 2, 1, 64),
            web_threads=read.number("WEB_THREADS", 8, 1, 256),
            public_url=(
                read.matching(
                    "PUBLIC_URL",
                    _is_public_url,
                    "is not an http:// or https:// address, without user and query",
                    "PUBLIC_URL=https://petitions.example.gov.cn",
                )
                or f"http://127.0.0.1:{port}"
            ).rstrip("/"),
            var_dir=var_dir,
            files_dir=read.path("FILES_DIR", var_dir / "files"),
            snapshot_dir=read.path("SNAPSHOT_DIR", var_dir / "snapshots"),
            records_inbox=read.path("RECORDS_INBOX", Path()) if read.given("RECORDS_INBOX") else None,
            records_pulls=read.path("RECORDS_PULLS", Path()) if read.given("RECORDS_PULLS") else None,
            ledger_key_file=read.ledger_key_file(required=mode == "production" and bool(urls["web"] or urls["worker"])),
            max_upload_mb=read.number("MAX_UPLOAD_MB", 200, 1, 10_000),
            smtp_url=smtp_url,
            mail_from=read.mail_from(required=smtp_url is not None),
            clamd_address=read.matching(
                "CLAMD_ADDRESS",
                _is_clamd_address,
                "is neither host:port nor unix:/path",
                "CLAMD_ADDRESS=127.0.0.1:3310",
            ),
            log_level=read.choice("LOG_LEVEL", "INFO", LOG_LEVELS),
            access_token_minutes=read.number("ACCESS_TOKEN_MINUTES", 15, 1, 24 * 60),
            refresh_token_days=read.number("REFRESH_TOKEN_DAYS", 7, 1, 90),
            policy_preset=read.choice("POLICY_PRESET", "zhejiang", POLICY_PRESETS),
            external_authority=read.matching(
                "EXTERNAL_AUTHORITY",
                lambda name: len(name) <= 100 and name.isprintable(),
                "is longer than 100 characters or holds control characters",
                "EXTERNAL_AUTHORITY=国家信访局",
            )
            or "国家信访局",
            pool_size=read.number("POOL_SIZE", 8, 1, 200),
            trusted_proxies=read.number("TRUSTED_PROXIES", 0, 0, 10),
        )
        if read.problems:
            raise SettingsError(read.problems)
        return settings


MASTER_KEY_LENGTH = 32
MASTER_KEY_EXAMPLE = """MASTER_KEY="$(python3 -c 'import base64, secrets; print(base64.b64encode(secrets.token_bytes(32)).decode())')" """.rstrip()


def read_master_keys(text: str) -> tuple[bytes, ...]:
    """The master keys in a text, base64 of 32 bytes each, separated by white space: the first one seals, all of them open.

    Raises ValueError, whose text says what is wrong and repeats no key.
    """
    keys = []
    for word in text.split():
        try:
            key = base64.b64decode(word, validate=True)
        except (binascii.Error, ValueError):
            raise ValueError("is not base64") from None
        if len(key) != MASTER_KEY_LENGTH:
            raise ValueError(f"has {len(key)} bytes, not {MASTER_KEY_LENGTH}")
        keys.append(key)
    if not keys:
        raise ValueError("is empty")
    return tuple(keys)


_URL_USES: dict[DatabaseRole, str] = {
    "web": "the web process connects with it, as the web role",
    "worker": "the worker connects with it, as the worker role",
    "owner": "migrations and administration commands connect with it, as the owner of the tables",
}


class _Reader:
    """Reads variables, notes what is wrong with each and goes on with the default, so that one run finds all faults."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self.environ = environ
        self.problems: list[str] = []
        self.users: dict[str, str] = {}

    def reject(self, name: str, fault: str, example: str) -> None:
        self.problems.append(f"{name} {fault}. Example: {example}")

    def given(self, name: str) -> str | None:
        return self.environ.get(name, "").strip() or None

    def choice(self, name: str, default: str, choices: tuple[str, ...]) -> str:
        text = self.given(name)
        if text is None:
            return default
        for choice in choices:
            if choice.lower() == text.lower():
                return choice
        self.reject(name, f"is {text!r}, not one of {', '.join(choices)}", f"{name}={default}")
        return default

    def number(self, name: str, default: int, low: int, high: int) -> int:
        text = self.given(name)
        if text is None:
            return default
        if text.isascii() and text.isdigit() and len(text) <= 9 and low <= int(text) <= high:
            return int(text)
        self.reject(name, f"is {text!r}, not a whole number from {low} to {high}", f"{name}={default}")
        return default

    def path(self, name: str, default: Path) -> Path:
        # Flask resolves a relative path against its package and not against the working directory: keep none.
        return Path(self.given(name) or default).expanduser().absolute()

    def matching(self, name: str, accepts: Callable[[str], bool], fault: str, example: str) -> str | None:
        text = self.given(name)
        if text is None or accepts(text):
            return text
        self.reject(name, fault, example)
        return None

    def database_url(self, role: DatabaseRole) -> str | None:
        name = URL_VARIABLES[role]
        text = self.given(name)
        if text is None:
            return None
        scheme, _, rest = text.partition("://")
        if scheme not in ("postgresql", "postgresql+psycopg"):
            self.reject(name, "does not start with postgresql:// (PostgreSQL is the only database)", URL_EXAMPLES[role])
            return None
        parts = _connection_parts(f"postgresql://{rest}")
        if parts is None:
            self.reject(name, "is not a connection address that PostgreSQL understands", URL_EXAMPLES[role])
        elif not parts.get("user"):
            self.reject(name, "does not name the user", URL_EXAMPLES[role])
        elif not parts.get("dbname"):
            self.reject(name, "does not name the database", URL_EXAMPLES[role])
        elif parts["user"] in self.users:
            # Row-level security means nothing when two of the roles are the same database user.
            fault = f"names the same user as {self.users[parts['user']]}; owner, web and worker must be different users"
            self.reject(name, fault, URL_EXAMPLES[role])
        else:
            self.users[parts["user"]] = name
            return f"postgresql+psycopg://{rest}"
        return None

    def secret_key(self, *, required: bool) -> str:
        text = self.given("SECRET_KEY")
        example = """SECRET_KEY="$(python3 -c 'import secrets; print(secrets.token_urlsafe(48))')" """.rstrip()
        if text is not None and len(text) < SECRET_KEY_LENGTH:
            fault = f"has {len(text)} characters, fewer than {SECRET_KEY_LENGTH}"
            self.reject("SECRET_KEY", fault, example)
        elif text is None and required:
            self.reject("SECRET_KEY", "is missing: it signs tokens and receipts, keep it for good", example)
        return text or secrets.token_urlsafe(48)

    def master_keys(self) -> tuple[bytes, ...]:
        text = self.given("MASTER_KEY")
        if text is None:
            return ()
        try:
            return read_master_keys(text)
        except ValueError as error:
            self.reject("MASTER_KEY", str(error), MASTER_KEY_EXAMPLE)
            return ()

    def master_key_file(self, *, required: bool, default: Path | None) -> Path | None:
        text = self.given("MASTER_KEY_FILE")
        inline = self.given("MASTER_KEY") is not None
        if text is not None and inline:
            fault = "is given beside MASTER_KEY; name one of the two"
            self.reject("MASTER_KEY_FILE", fault, "MASTER_KEY_FILE=/etc/mingjian/master_key")
        if text is None and not inline and required:
            fault = "is missing: it opens the identities of petitioners, keep it apart from every back-up"
            self.reject("MASTER_KEY_FILE", fault, "MASTER_KEY_FILE=/etc/mingjian/master_key")
        return Path(text).expanduser().absolute() if text else None if inline else default

    def ledger_key_file(self, *, required: bool) -> Path | None:
        text = self.given("LEDGER_KEY_FILE")
        if text is None and required:
            self.reject(
                "LEDGER_KEY_FILE",
                "is missing: web and worker sign receipts and heads of the ledger with the key in it",
                "LEDGER_KEY_FILE=/etc/mingjian/ledger_key.pem, made once with: flask --app app ledger new-key FILE",
            )
        return None if text is None else Path(text).expanduser().absolute()

    def smtp_url(self) -> str | None:
        text = self.given("SMTP_URL")
        if text is not None and not _is_smtp_url(text):
            self.reject("SMTP_URL", "is not smtp://host:port", "SMTP_URL=smtp://user:password@mail.example:587")
            return None
        return text

    def mail_from(self, *, required: bool) -> str | None:
        example = "MAIL_FROM=petitions@example.gov.cn"
        if required and self.given("MAIL_FROM") is None:
            self.reject("MAIL_FROM", "is missing: SMTP_URL is given, so mail needs a sender", example)
        return self.matching("MAIL_FROM", _is_mail_address, "is not an e-mail address", example)


def _connection_parts(url: str) -> dict[str, str] | None:
    """What libpq reads in a connection address; None when it can not (its own message could repeat the password)."""
    try:
        parts = {name: str(value) for name, value in conninfo_to_dict(url).items()}
    except ProgrammingError:
        return None
    # libpq looks at the ports only when it connects. There may be several, one for each host.
    ports = [one for one in parts.get("port", "").split(",") if one]
    return parts if all(_is_port(one) for one in ports) else None


def _is_host(text: str) -> bool:
    return re.fullmatch(r"[A-Za-z0-9._-]+|[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*", text) is not None


def _is_public_url(text: str) -> bool:
    try:
        parts = urlsplit(text)
        valid_port = parts.port is None or parts.port > 0
    except ValueError:
        return False
    bare = not (parts.query or parts.fragment or parts.username or parts.password)
    return parts.scheme in ("http", "https") and bool(parts.hostname) and valid_port and bare and " " not in text


def _is_smtp_url(text: str) -> bool:
    try:
        parts = urlsplit(text)
        valid_port = parts.port is None or parts.port > 0
    except ValueError:
        return False
    return parts.scheme in ("smtp", "smtps") and bool(parts.hostname) and valid_port and parts.path in ("", "/")


def _is_mail_address(text: str) -> bool:
    return re.fullmatch(r"[^@\s<>,;]+@[^@\s<>,;]+", text) is not None


def _is_clamd_address(text: str) -> bool:
    if text.startswith("unix:"):
        return text.startswith("unix:/") and len(text) > len("unix:/")
    host, _, port = text.rpartition(":")
    return _is_host(host.strip("[]")) and _is_port(port)


def _is_port(text: str) -> bool:
    return text.isascii() and text.isdigit() and 0 < int(text[:9]) <= 65535
