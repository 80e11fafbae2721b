"""How many petitions one address may file. Kept per process and never beside the case."""

import threading
import time

from flask import current_app

from app.errors import TooMany
from app.signin.limits import address_mac

PER_HOUR = 600  # a whole village may share one address
_lock = threading.Lock()
_filed: dict[tuple[int, str], int] = {}


def allow_filing() -> None:
    """Count one filing of this address in this hour. Raises TooMany above the limit; demonstrations have none."""
    if current_app.config["SETTINGS"].mode != "production":
        return
    hour = int(time.time() // 3600)
    key = (hour, address_mac("filing"))
    with _lock:
        if len(_filed) > 100_000:
            _filed.clear()
        count = _filed.get(key, 0)
        _filed[key] = count + 1
    if count >= PER_HOUR:
        raise TooMany(headers={"Retry-After": "3600"})
