"""Retention 保管期限: when a case has been kept for its years, key and content are destroyed and the proof stays.

For the owner of the tables: neither web nor worker may erase by the clock. What is destroyed stands in the SQL function
`erase_content`; docs/adr/0015 says what that covers.
"""

from collections import Counter
from collections.abc import Iterator
from uuid import UUID

from sqlalchemy import text

from app import clock, timeline, transitions
from app.database import SYSTEM, transaction
from app.extensions import db
from app.files import service as files

PAGE = 200

# The end is the last step into the state that the case rests in; notes and reads afterwards prolong nothing.
_DUE = text(
    """
    SELECT p.id, p.state, r.years
      FROM petitions p
      JOIN retention_rules r ON r.state = p.state
     CROSS JOIN LATERAL (SELECT max(e.at) AS at FROM petition_events e
                          WHERE e.petition_id = p.id AND e.to_state = p.state
                            AND e.from_state IS DISTINCT FROM e.to_state) ended
     WHERE p.erased_at IS NULL AND ended.at + make_interval(years => r.years) <= :now
     ORDER BY ended.at, p.id LIMIT :most
    """
)


def count_due() -> Counter[tuple[str, int]]:
    """How many cases are past their years, by state and years. Changes nothing."""
    with transaction(SYSTEM):
        return Counter((row.state, row.years) for row in db.session.execute(_DUE, {"now": clock.now(), "most": None}))


def erase_due() -> Iterator[tuple[str, int]]:
    """Erase every case that is past its years, each in a transaction of its own; yields state and years of each."""
    while True:
        with transaction(SYSTEM):
            page = db.session.execute(_DUE, {"now": clock.now(), "most": PAGE}).all()
        if not page:
            return
        for row in page:
            erase(row.id)
            yield row.state, row.years


def erase(petition_id: UUID) -> None:
    """Destroy key and content of one case and say so on its timeline. Raises Unknown."""
    with transaction(SYSTEM):
        petition = transitions.lock(petition_id)
        petition.version += 1
        facts = {"state": petition.state}
        timeline.append(
            petition.id, petition.version, "erase_content", SYSTEM, from_state=petition.state,
            to_state=petition.state, facts=facts,
        )  # fmt: skip
        db.session.flush()
        stored = [one["id"] for one in files.list_for(petition_id)]
        db.session.execute(text("SELECT erase_content(:id)"), {"id": petition_id})
        # Before the commit: should it fail, the next run finds the case again; a file left behind nobody would find.
        files.destroy(stored)
