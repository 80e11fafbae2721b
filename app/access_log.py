"""The request log: method, route, status, duration and a request id, never an address, an id of a case or what was sent.

Of a filing even less is written, and its time only to the hour: with the exact second, the log of a proxy or of a mobile
network would tell who filed (纪检监察机关处理检举控告工作规则: nobody traces an anonymous report).
"""

import logging

FILING = frozenset({"petitions.file_petition", "pages.send_file"})
FORMAT = "%(asctime)s %(levelname)s %(name)s %(message)s"

log = logging.getLogger("mingjian.access")


class HourlyWhereAsked(logging.Formatter):
    """Formats as FORMAT says; a record that is marked `to_the_hour` shows no minute."""

    def formatTime(self, record: logging.LogRecord, datefmt: str | None = None) -> str:
        if getattr(record, "to_the_hour", False):
            datefmt = "%Y-%m-%d %H:00"
        return super().formatTime(record, datefmt)


def set_up(level: str) -> None:
    """Write the log of the process to standard error, unless somebody has set up logging already."""
    handler = logging.StreamHandler()
    handler.setFormatter(HourlyWhereAsked(FORMAT))
    logging.basicConfig(level=level, handlers=[handler])


def write(method: str, endpoint: str | None, status: int, seconds: float, request_id: str | None) -> None:
    """One line for one answered request."""
    if endpoint in FILING:
        # No duration and no request id either: a proxy may write the same id beside an address.
        log.info("%s %s %s", method, endpoint, status, extra={"to_the_hour": True})
    else:
        log.info("%s %s %s %.1fms %s", method, endpoint, status, seconds * 1000, request_id)
