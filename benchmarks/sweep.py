"""One sweep of the due deadlines, as the worker's role in a process of its own; prints what it took as JSON."""

import json
import re
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

from app import count_statements, create_app  # noqa: E402
from app.supervision import sweeps  # noqa: E402


def peak():
    """Largest resident size of this process so far, in MiB. getrusage would tell that of the process that started it."""
    return int(re.search(r"VmHWM:\s+(\d+)", Path("/proc/self/status").read_text())[1]) / 1024


def main():
    app = create_app(role="worker")
    before = peak()
    seen = count_statements(app)
    with app.app_context():
        report = sweeps.sweep_due()
    print(
        json.dumps(
            {
                "seen": report.seen, "done": report.done, "failed": report.failed, "by_event": report.by_event,
                "seconds": report.seconds, "rate": report.rate, "statements": len(seen) / max(report.done, 1),
                "rss_before": before, "rss_peak": peak(),
            }
        )
    )  # fmt: skip


if __name__ == "__main__":
    main()
