"""The one place that asks what time it is.

In demonstration mode an offset kept in the database moves the product's clock forward, so that a story of sixty days can
be told in a minute. The offset is read by the statement that opens each transaction (see app.database) and stored with
every event, so a shifted time can never pass for a real one. Production databases refuse an offset.
"""

from contextvars import ContextVar
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

SHANGHAI = ZoneInfo("Asia/Shanghai")
offset_seconds: ContextVar[int] = ContextVar("offset_seconds", default=0)


def now() -> datetime:
    """The current instant in UTC, moved by the demonstration offset of the running transaction."""
    return datetime.now(UTC) + timedelta(seconds=offset_seconds.get())


def today() -> date:
    """The current day in Asia/Shanghai."""
    return now().astimezone(SHANGHAI).date()
