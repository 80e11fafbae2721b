"""The kinds of rule, by the name that a document gives."""

from __future__ import annotations

from detection.kinds.base import Hits, Kind, Param
from detection.kinds.collision import COLLISION
from detection.kinds.composite import COMPOSITE
from detection.kinds.concentration import CONCENTRATION
from detection.kinds.disagree import DISAGREE
from detection.kinds.kin_match import KIN_MATCH
from detection.kinds.list_match import LIST_MATCH
from detection.kinds.missing import MISSING
from detection.kinds.order import ORDER
from detection.kinds.outlier import OUTLIER
from detection.kinds.overdue import OVERDUE
from detection.kinds.repeat import REPEAT
from detection.kinds.split import SPLIT
from detection.kinds.threshold import THRESHOLD

__all__ = ["KINDS", "Hits", "Kind", "Param"]

KINDS: dict[str, Kind] = {
    kind.code: kind
    for kind in (
        THRESHOLD,
        ORDER,
        COLLISION,
        LIST_MATCH,
        KIN_MATCH,
        SPLIT,
        MISSING,
        OVERDUE,
        CONCENTRATION,
        OUTLIER,
        REPEAT,
        DISAGREE,
        COMPOSITE,
    )
}
