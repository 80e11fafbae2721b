"""What several files of tests arrange: the policy of production, and a later day."""

import dataclasses
from collections.abc import Callable, Iterator
from datetime import timedelta

import pytest
from flask import Flask
from sqlalchemy.orm import Session

from app.supervision.models import ClockOffset
from tests.app.signing_in import run


@pytest.fixture
def as_production(app: Flask) -> Iterator[None]:
    """The policy of production, where the second factor is required."""
    before = app.config["SETTINGS"]
    app.config["SETTINGS"] = dataclasses.replace(before, mode="production")
    yield
    app.config["SETTINGS"] = before


@pytest.fixture
def later(app: Flask, db_session: Session) -> Callable[[timedelta], None]:
    """Move the product's clock forward."""

    def move(by: timedelta) -> None:
        run(db_session, "DELETE FROM clock_offset")
        db_session.add(ClockOffset(seconds=int(by.total_seconds())))
        db_session.commit()
        db_session.expunge_all()

    return move
