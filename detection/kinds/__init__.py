"""The kinds of rule, by the name that a document gives."""

from __future__ import annotations

from detection.kinds.base import Hits, Kind, Param
from detection.kinds.collision import COLLISION
from detection.kinds.list_match import LIST_MATCH
from detection.kinds.order import ORDER
from detection.kinds.threshold import THRESHOLD

__all__ = ["KINDS", "Hits", "Kind", "Param"]

KINDS: dict[str, Kind] = {kind.code: kind for kind in (THRESHOLD, ORDER, COLLISION, LIST_MATCH)}
