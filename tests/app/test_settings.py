"""The environment is read once; every mistake in it is reported, with an example and without secrets."""

from pathlib import Path

import pytest

from app.config import Settings, SettingsError

SECRET = "s" * 16 + "ecret-that-nobody-may-read"
PRODUCTION = {
    "DATABASE_URL": "postgresql://mj_web:hidden-word@db:5432/mingjian",
    "WORKER_DATABASE_URL": "postgresql+psycopg://mj_worker:hidden-word@db:5432/mingjian",
    "SECRET_KEY": SECRET,
    "MASTER_KEY_FILE": "/etc/mingjian/master_key",
}


def problems_of(environ: dict[str, str]) -> tuple[str, ...]:
    with pytest.raises(SettingsError) as caught:
        Settings.from_environment(environ)
    return caught.value.problems


def test_a_complete_production_environment_is_accepted_with_documented_defaults():
    settings = Settings.from_environment(PRODUCTION)
    assert settings.mode == "production"
    assert settings.url_for("web") == "postgresql+psycopg://mj_web:hidden-word@db:5432/mingjian"
    assert settings.url_for("worker") == "postgresql+psycopg://mj_worker:hidden-word@db:5432/mingjian"
    assert (settings.host, settings.port, settings.public_url) == ("127.0.0.1", 8000, "http://127.0.0.1:8000")
    assert (settings.web_workers, settings.web_threads, settings.pool_size) == (2, 8, 8)
    assert (settings.access_token_minutes, settings.refresh_token_days) == (15, 7)
    assert (settings.policy_preset, settings.external_authority) == ("zhejiang", "国家信访局")
    assert (settings.max_upload_mb, settings.trusted_proxies, settings.log_level) == (200, 0, "INFO")
    assert (settings.smtp_url, settings.mail_from, settings.clamd_address) == (None, None, None)


def test_the_default_public_address_follows_the_port():
    assert Settings.from_environment({"MINGJIAN_MODE": "demo", "PORT": "8123"}).public_url == "http://127.0.0.1:8123"


def test_paths_are_absolute_and_files_live_under_var_unless_said_otherwise():
    settings = Settings.from_environment({"MINGJIAN_MODE": "demo", "VAR_DIR": "elsewhere"})
    assert settings.var_dir == Path.cwd() / "elsewhere"
    assert settings.files_dir == Path.cwd() / "elsewhere" / "files"
    moved = Settings.from_environment({"MINGJIAN_MODE": "demo", "FILES_DIR": "/srv/scans"})
    assert moved.files_dir == Path("/srv/scans")


def test_production_without_any_database_is_refused_and_says_why():
    (problem,) = problems_of({"SECRET_KEY": SECRET})
    assert problem.startswith("DATABASE_URL is missing: production uses your own PostgreSQL")
    assert "Example: DATABASE_URL=postgresql://" in problem


def test_production_is_the_mode_when_none_is_named():
    text = "\n".join(problems_of({}))
    assert "DATABASE_URL is missing" in text
    assert "SECRET_KEY is missing" in text


@pytest.mark.parametrize("mode", ["demo", "test"])
def test_trial_modes_need_no_database_and_make_up_a_secret(mode):
    first, second = (Settings.from_environment({"MINGJIAN_MODE": mode}) for _ in range(2))
    assert len(first.secret_key) >= 32
    assert first.secret_key != second.secret_key


def test_a_process_that_was_not_given_the_url_of_its_role_is_told_which_one():
    worker_only = Settings.from_environment({k: v for k, v in PRODUCTION.items() if k != "DATABASE_URL"})
    assert worker_only.url_for("worker").startswith("postgresql+psycopg://mj_worker")
    with pytest.raises(SettingsError, match="DATABASE_URL is missing: the web process connects with it"):
        worker_only.url_for("web")


def test_all_mistakes_are_reported_at_once():
    problems = problems_of(
        {
            "MINGJIAN_MODE": "prod",
            "DATABASE_URL": "mysql://root@db/mingjian",
            "SECRET_KEY": "short",
            "PORT": "80x",
            "WEB_WORKERS": "0",
            "PUBLIC_URL": "petitions.example",
            "SMTP_URL": "http://mail",
            "CLAMD_ADDRESS": "clamd",
            "LOG_LEVEL": "loud",
            "POLICY_PRESET": "jiangsu",
            "MAIL_FROM": "nobody",
            "HOST": "my host",
        }
    )
    named = {problem.split(" ")[0] for problem in problems}
    assert named == {
        "MINGJIAN_MODE", "DATABASE_URL", "SECRET_KEY", "PORT", "WEB_WORKERS", "PUBLIC_URL", "SMTP_URL", "CLAMD_ADDRESS",
        "LOG_LEVEL", "POLICY_PRESET", "MAIL_FROM", "HOST",
    }  # fmt: skip
    for problem in problems:
        name = problem.split(" ")[0]
        assert f"Example: {name}=" in problem


@pytest.mark.parametrize("port", ["0", "65536", "-1", "8e3", "8 000", "１２３", "9" * 5000])
def test_a_port_that_is_no_port_is_refused(port):
    (problem,) = problems_of({"MINGJIAN_MODE": "demo", "PORT": port})
    assert "PORT is " in problem
    assert "from 1 to 65535" in problem


@pytest.mark.parametrize(
    ("url", "fault"),
    [
        ("sqlite:///mingjian.db", "does not start with postgresql://"),
        ("postgres://mj_web@db/mingjian", "does not start with postgresql://"),
        ("postgresql+psycopg2://mj_web@db/mingjian", "does not start with postgresql://"),
        ("postgresql://db:5432/mingjian", "does not name the user"),
        ("postgresql://mj_web@db", "does not name the database"),
        ("postgresql://mj_web:hidden-word@[::1/mingjian", "is not a connection address"),
        ("postgresql://mj_web:hidden-word@db:abc/mingjian", "is not a connection address"),
        ("postgresql://mj_web:hidden-word@db:70000/mingjian", "is not a connection address"),
        ("postgresql://mj_web:hidden-word@db/mingjian?colour=red", "is not a connection address"),
    ],
)
def test_a_database_address_that_can_not_work_is_refused_without_repeating_it(url, fault):
    (problem,) = problems_of({"MINGJIAN_MODE": "demo", "DATABASE_URL": url})
    assert f"DATABASE_URL {fault}" in problem
    assert "hidden-word" not in problem


def test_a_socket_address_is_accepted():
    url = "postgresql://mj_web@/mingjian?host=/tmp/mj-1"
    settings = Settings.from_environment({"MINGJIAN_MODE": "demo", "DATABASE_URL": url})
    assert settings.database_url == "postgresql+psycopg://mj_web@/mingjian?host=/tmp/mj-1"


@pytest.mark.parametrize("shared", ["WORKER_DATABASE_URL", "OWNER_DATABASE_URL"])
def test_two_roles_may_not_be_the_same_database_user(shared):
    (problem,) = problems_of(PRODUCTION | {shared: "postgresql://mj%5Fweb:other@elsewhere/mingjian"})
    assert problem.startswith(f"{shared} names the same user as DATABASE_URL")


def test_mail_needs_a_sender():
    (problem,) = problems_of(PRODUCTION | {"SMTP_URL": "smtp://u:p@mail:587"})
    assert problem.startswith("MAIL_FROM is missing")


def test_an_empty_value_counts_as_not_given():
    assert Settings.from_environment(PRODUCTION | {"PORT": " ", "SMTP_URL": ""}).port == 8000


def test_no_secret_is_shown_by_repr():
    environ = PRODUCTION | {"SMTP_URL": "smtp://user:hidden-word@mail:587", "MAIL_FROM": "a@b.cn"}
    shown = repr(Settings.from_environment(environ))
    assert "hidden-word" not in shown
    assert SECRET not in shown


def test_no_secret_is_repeated_by_an_error():
    environ = {
        "SECRET_KEY": "too-short-to-be-told",
        "DATABASE_URL": "mysql://u:hidden-word@db/x",
        "SMTP_URL": "mail://u:hidden-word@db",
        "PUBLIC_URL": "https://u:hidden-word@example.cn",
    }
    text = "\n".join(problems_of(environ))
    assert "hidden-word" not in text
    assert "too-short-to-be-told" not in text


def test_settings_can_not_be_changed_after_start():
    settings = Settings.from_environment(PRODUCTION)
    with pytest.raises(AttributeError):
        settings.port = 9


def test_the_web_process_of_a_production_needs_a_master_key_and_the_worker_does_not():
    (problem,) = problems_of({k: v for k, v in PRODUCTION.items() if k != "MASTER_KEY_FILE"})
    assert problem.startswith("MASTER_KEY_FILE is missing")
    worker = {k: v for k, v in PRODUCTION.items() if k not in ("MASTER_KEY_FILE", "DATABASE_URL")}
    assert Settings.from_environment(worker).master_key_file is None


def test_a_master_key_is_named_once_and_a_wrong_one_is_not_repeated():
    (problem,) = problems_of({**PRODUCTION, "MASTER_KEY": "c2hvcnQ="})[:1]
    assert problem.startswith("MASTER_KEY has 5 bytes, not 32")
    assert "c2hvcnQ=" not in problem
    both = problems_of({**PRODUCTION, "MASTER_KEY": "bW1tbW1tbW1tbW1tbW1tbW1tbW1tbW1tbW1tbW1tbW0="})
    assert [one.split(" ")[0] for one in both] == ["MASTER_KEY_FILE"]


def test_identities_are_sealed_with_aes_unless_sm4_is_asked_for():
    assert Settings.from_environment(PRODUCTION).seal_algorithm == "aes-256-gcm"
    assert Settings.from_environment({**PRODUCTION, "SEAL_ALGORITHM": "sm4-gcm"}).seal_algorithm == "sm4-gcm"
    (problem,) = problems_of({**PRODUCTION, "SEAL_ALGORITHM": "des"})
    assert "not one of aes-256-gcm, sm4-gcm" in problem
