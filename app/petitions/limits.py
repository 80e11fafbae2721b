"""How many petitions one address may file. Kept per process and never beside the case."""

import hashlib
import hmac
import threading
import time

from flask import current_app, request

from app.errors import TooMany

PER_HOUR = 600  # a whole village may share one address
_lock = threading.Lock()
_filed: dict[bytes, tuple[float, int]] = {}


def allow_filing() -> None:
    """Count one filing of this address in this hour. Raises TooMany above the limit; demonstrations have none."""
    if current_app.config["SETTINGS"].mode != "production":
        return
    hour = int(time.time() // 3600)
    # The key changes each hour, so that the table could not be turned back into addresses later.
    key = hmac.new(
        f"{current_app.config['SECRET_KEY']}{hour}".encode(), (request.remote_addr or "").encode(), hashlib.sha256
    ).digest()
    with _lock:
        if len(_filed) > 100_000:
            _filed.clear()
        since, count = _filed.get(key, (time.time(), 0))
        _filed[key] = (since, count + 1)
    if count >= PER_HOUR:
        raise TooMany(headers={"Retry-After": "3600"})
