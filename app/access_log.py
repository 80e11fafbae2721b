"""The request log: method, route, status, duration and a request id, never an address, an id of a case or what was sent.

Of a filing even less is written, and only when its hour is over: with the exact second, the log of a proxy or of a mobile
network would tell who filed (纪检监察机关处理检举控告工作规则: nobody traces an anonymous report). A line without a minute
would not do, because journald and containers put their own time before each line.
"""

import atexit
import logging
import threading
import time
from collections import Counter

# The filing itself, and the pages that one comes by just before and just after it.
FILING = frozenset({"petitions.file_petition", "pages.file", "pages.send_file", "pages.receipt", "pages.leave_receipt"})
FORMAT = "%(asctime)s %(levelname)s %(name)s %(message)s"

log = logging.getLogger("mingjian.access")
_lock = threading.Lock()
_counted: Counter[str] = Counter()
_hour = 0


def set_up(level: str) -> None:
    """Write the log of the process to standard error, unless somebody has set up logging already."""
    logging.basicConfig(level=level, format=FORMAT)
    # Two lines for each round of each job, every two seconds: nobody would find anything else.
    logging.getLogger("apscheduler").setLevel(logging.WARNING)


def write(method: str, endpoint: str | None, status: int, seconds: float, request_id: str | None) -> None:
    """One line for one answered request; a filing is counted, and its count written when the hour is over."""
    if endpoint in FILING:
        # No duration and no request id either: a proxy may write the same id beside an address.
        count_filing(f"{method} {endpoint} {status}")
    else:
        write_counted()
        log.info("%s %s %s %.1fms %s", method, endpoint, status, seconds * 1000, request_id)


def count_filing(what: str) -> None:
    """Note something that happened at a filing, without the minute. `what` holds no personal content."""
    write_counted()
    with _lock:
        _counted[what] += 1


def write_counted(*, ending: bool = False) -> None:
    """Write what was counted in an hour that is over; all of it when the process is ending."""
    global _hour
    now = int(time.time() // 3600)
    with _lock:
        if now == _hour and not ending:
            return
        hour, _hour = _hour, now
        # Sorted: the order in which they came would tell again.
        lines = sorted(_counted.items())
        _counted.clear()
    for what, count in lines:
        log.info("in the hour from %s: %s, %s times", time.strftime("%Y-%m-%d %H:00", time.localtime(hour * 3600)), what, count)


atexit.register(write_counted, ending=True)
