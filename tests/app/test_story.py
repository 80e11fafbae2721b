"""The demonstration story, played against a real server over HTTP."""

import dataclasses
import threading
from collections import Counter
from datetime import timedelta

import pytest
from sqlalchemy import text
from werkzeug.serving import make_server

from app.filling import TURNS, fill, fill_unrated
from app.story import StoryFailed, play
from app.supervision import sweeps
from workflows.petition import PetitionState

pytestmark = pytest.mark.slow


@pytest.fixture
def server(app):
    """The address of a server that answers with the application of the test."""
    running = make_server("127.0.0.1", 0, app, threaded=True)
    thread = threading.Thread(target=running.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{running.server_port}"
    running.shutdown()
    thread.join()
    running.server_close()


@pytest.fixture
def forward(worker_app, db_session):
    """Moves the clock of the clone as the demonstration does, and lets the worker's sweeps run once."""

    def move(span: timedelta) -> None:
        db_session.execute(
            text(
                "INSERT INTO clock_offset (singleton, seconds) VALUES (1, :seconds) "
                "ON CONFLICT (singleton) DO UPDATE SET seconds = clock_offset.seconds + excluded.seconds"
            ),
            {"seconds": int(span.total_seconds())},
        )
        db_session.commit()
        with worker_app.app_context():
            assert sweeps.sweep_due().failed == 0
            assert sweeps.send_reminders().failed == 0

    return move


def test_the_story_comes_out_as_told(server, forward, db_session):
    said = []
    play(server, forward, said.append)
    assert said[0].startswith("演示故事开始") and said[-1].startswith("演示故事结束")
    rows = db_session.execute(text("SELECT state, dissatisfied, colour FROM petitions ORDER BY filed_at")).all()
    assert [tuple(row) for row in rows] == [
        ("sealed", 0, None), ("rated", 0, None), ("escalated", 2, "red"), ("escalated", 0, "red"), ("filed", 0, None),
    ]  # fmt: skip


def test_a_story_without_a_worker_fails_and_names_the_step(server, forward, monkeypatch):
    monkeypatch.setattr(sweeps, "sweep_due", lambda: sweeps.SweepReport())
    monkeypatch.setattr("app.teller.WAIT_SECONDS", 0.2)
    with pytest.raises(StoryFailed, match=r"step climb\.first: expected state 'resolved', found 'replied'"):
        play(server, forward, lambda _line: None)


def test_a_server_that_does_not_answer_fails_the_first_step():
    with pytest.raises(StoryFailed, match=r"step wuxing\.file: GET /divisions: ConnectionError"):
        play("http://127.0.0.1:9", lambda _span: None, lambda _line: None)


def test_the_command_names_the_failed_step_and_is_for_demonstrations_only(app, monkeypatch):
    settings = app.config["SETTINGS"]
    monkeypatch.setitem(app.config, "SETTINGS", dataclasses.replace(settings, mode="production"))
    refused = app.test_cli_runner().invoke(args=["demo", "play"])
    assert (refused.exit_code, "demonstration only" in refused.output) == (1, True)
    monkeypatch.setitem(app.config, "SETTINGS", dataclasses.replace(settings, mode="demo"))
    failed = app.test_cli_runner().invoke(args=["demo", "play", "--url", "http://127.0.0.1:9"])
    assert failed.exit_code == 1
    assert "Error: step wuxing.file" in failed.output


def test_filling_makes_cases_in_every_state(server, forward, db_session):
    said = []
    fill_unrated(server, forward, said.append, count=20)
    fill(server, forward, said.append, count=3 * len(TURNS))
    assert said[-1].startswith(f"已补充 {3 * len(TURNS)} 件")
    states = Counter(db_session.scalars(text("SELECT state FROM petitions")))
    assert states.total() == 3 * len(TURNS) + 1
    assert set(PetitionState) - set(states) == set()
