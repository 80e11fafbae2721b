"""The files of deploy/ and the guide speak of settings, routes and commands that exist."""

import re
from pathlib import Path

import pytest

from app.config import Settings

ROOT = Path(__file__).parent.parent.parent
UNITS = ("mingjian-web.service", "mingjian-worker.service")
GUIDE = (ROOT / "docs" / "how-to" / "deploy.md").read_text()
CONTAINER = (ROOT / "deploy" / "Containerfile").read_text()
NGINX = (ROOT / "deploy" / "nginx.conf").read_text()
SECRET = "s" * 40


class Asked(dict):
    """An environment that remembers what it was asked for."""

    def __init__(self):
        super().__init__({"MINGJIAN_MODE": "test"})
        self.names = set()

    def get(self, name, default=None):
        self.names.add(name)
        return super().get(name, default)


@pytest.fixture(scope="module")
def read():
    """The name of each variable that the settings read."""
    asked = Asked()
    Settings.from_environment(asked)
    return asked.names


def files_of_the_guide():
    """The environment files in the guide, name to variables."""
    blocks = re.findall(r"^    # /etc/mingjian/(\w+\.env).*\n((?:    \S.*\n)+)", GUIDE, re.MULTILINE)
    return {name: dict(re.findall(r"^    ([A-Z_]+)=(.*)$", block, re.MULTILINE)) for name, block in blocks}


def test_every_variable_of_units_image_and_guide_is_a_setting(read):
    units = "".join((ROOT / "deploy" / name).read_text() for name in UNITS)
    named = set(re.findall(r"^Environment=(\w+)=", units, re.MULTILINE))
    named |= set(re.findall(r"^(?:ENV|   ) +([A-Z_]+)=", CONTAINER, re.MULTILINE)) - {"PATH", "PYTHONDONTWRITEBYTECODE", "PYTHONUNBUFFERED"}
    named |= {name for variables in files_of_the_guide().values() for name in variables}
    assert named >= {"MINGJIAN_MODE", "VAR_DIR", "DATABASE_URL", "OWNER_DATABASE_URL"}
    assert named <= read


def test_the_guide_lists_every_setting(read):
    table = {name for row in re.findall(r"^\| (`[A-Z_`, ]+`) \|", GUIDE, re.MULTILINE) for name in re.findall("[A-Z_]+", row)}
    assert read - table == {"MASTER_KEY"}, "stands in the row of MASTER_KEY_FILE"
    assert table <= read


def test_the_files_that_each_unit_reads_make_settings_of_production_with_one_database():
    files = files_of_the_guide()
    for unit, own in zip(UNITS, ("DATABASE_URL", "WORKER_DATABASE_URL"), strict=True):
        read = re.findall(r"^EnvironmentFile=/etc/mingjian/(\S+)$", (ROOT / "deploy" / unit).read_text(), re.MULTILINE)
        environ = {name: value.replace("…", "x") for file in read for name, value in files[file].items()}
        settings = Settings.from_environment({**environ, "SECRET_KEY": SECRET})
        assert settings.mode == "production"
        assert settings.trusted_proxies == 1
        assert {name for name in environ if name.endswith("DATABASE_URL")} == {own}


def test_the_proxy_names_routes_that_exist_and_hides_what_is_for_ourselves(app):
    rules = {rule.rule for rule in app.url_map.iter_rules()}
    hidden = set(re.findall(r"location = (\S+)\s+{ return 404; }", NGINX))
    assert hidden == {"/metrics", "/readyz"} <= rules
    (unbuffered,) = re.findall(r"location (/api\S+) {[^}]*proxy_request_buffering off", NGINX)
    assert any(rule.startswith(unbuffered) for rule in rules)
    assert NGINX.count("proxy_request_buffering") == 1, "elsewhere slow senders would hold the threads of the application"
    assert set(re.findall(r'"POST (\S+)" 1;', NGINX)) <= rules


def test_the_proxy_and_the_settings_allow_uploads_of_the_same_size():
    (megabytes,) = re.findall(r"client_max_body_size (\d+)m;", NGINX)
    assert Settings.from_environment({"MINGJIAN_MODE": "test"}).max_upload_mb == int(megabytes)


def test_the_proxy_replaces_what_a_client_claims_and_spools_no_answer():
    assert re.findall(r"X-Forwarded-For (\S+);", NGINX) == ["$remote_addr"]
    assert "proxy_max_temp_file_size 0;" in NGINX


def test_unit_and_image_start_the_same_server():
    (unit,) = re.findall(r"^ExecStart=\S+/(gunicorn .*)$", (ROOT / "deploy" / UNITS[0]).read_text(), re.MULTILINE)
    words = re.findall(r'"([^"]+)"', CONTAINER[CONTAINER.index("CMD") :])
    assert [word.strip('"') for word in unit.split()] == [word.replace("0.0.0.0", "127.0.0.1") for word in words]
