"""One sweep of the due deadlines, as the worker's role in a process of its own; prints what it took as JSON."""

import json
import resource
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

from app import count_statements, create_app  # noqa: E402
from app.supervision import sweeps  # noqa: E402


def main():
    app = create_app(role="worker")
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    seen = count_statements(app)
    with app.app_context():
        report = sweeps.sweep_due()
    print(
        json.dumps(
            {
                "seen": report.seen, "done": report.done, "failed": report.failed, "by_event": report.by_event,
                "seconds": report.seconds, "rate": report.rate, "statements": len(seen) / max(report.done, 1),
                "rss_before": before, "rss_peak": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
            }
        )
    )  # fmt: skip


if __name__ == "__main__":
    main()
