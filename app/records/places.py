"""Which places a source may write about."""

from collections.abc import Iterable

from sqlalchemy import text

from app.extensions import db
from detection.definitions import Dataset

REFERENCE = "reference"
_PLACES = text(
    """
    SELECT code FROM divisions
     WHERE code >= :scope AND code < :scope || ':' AND (level = 5 OR :any_level)
       AND (CAST(:given AS text[]) IS NULL OR code = ANY (:given))
    """
)


def known_places(scope: str, dataset: Dataset, given: Iterable[str] | None = None) -> frozenset[str]:
    """The codes below `scope` that a record of `dataset` may have, of those `given` or of all. A record belongs to a village; only
    reference data (prices, thresholds) belong to places of any level. Withdrawn villages stay: their records are still corrected.
    """
    values = {
        "scope": scope,
        "any_level": dataset.module == REFERENCE,
        "given": None if given is None else sorted(one for one in given if one.isascii() and one.isdigit()),
    }
    return frozenset(db.session.scalars(_PLACES, values))
