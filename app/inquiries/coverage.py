"""What was there to be searched: the datasets, who sends their records, until when they have come, and what is missing."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from app.records import service, store
from detection.definitions import Dataset

# current: somebody sends this dataset for the place and is in time. late: its time has passed. silent: nothing ever came.
# partial: only for parts of the place. missing: nobody sends it. Only of a current one does "nothing found" say something.
State = Literal["current", "late", "silent", "partial", "missing"]
_WORST: Sequence[State] = ("missing", "silent", "partial", "late", "current")
_OF_SOURCE = ("code", "name", "scope", "last_arrival_at", "watermark", "degraded")


@dataclass(frozen=True)
class Coverage:
    """The dataset types that the actor may know of, by code, and the open sources of each."""

    datasets: Mapping[str, Dataset]
    sources: Mapping[str, Sequence[Mapping[str, Any]]]

    def of(self, code: str, places: Iterable[str]) -> dict[str, Any]:
        """The dataset with its name, the sources for these places (codes or the digits of an area), and the worst state among them."""
        asked = sorted(set(places))
        known = self.sources.get(code, ())
        near = [s for s in known if any(p.startswith(s["scope"]) or s["scope"].startswith(p) for p in asked)]
        states = {_state(near, place) for place in asked}
        dataset = self.datasets[code]
        return {
            "dataset": code,
            "name": dataset.name.zh,
            "name_en": dataset.name.en,
            "state": next(one for one in _WORST if one in states),
            "sources": [{name: source[name] for name in _OF_SOURCE} for source in near],
        }


def read_coverage() -> Coverage:
    """What the actor can search at all. Two statements."""
    datasets = {row["code"]: store.parse(row["module"], row["definition"]) for row in service.list_datasets()}
    sources: dict[str, list[Mapping[str, Any]]] = {}
    for source in service.list_sources():
        sources.setdefault(source["dataset"], []).append(source)
    return Coverage(datasets, sources)


def _state(sources: Iterable[Mapping[str, Any]], place: str) -> State:
    covering = [source for source in sources if place.startswith(source["scope"])]
    if not covering:
        return "partial" if any(source["scope"].startswith(place) for source in sources) else "missing"
    if any(source["last_arrival_at"] is None for source in covering):
        return "silent"
    return "late" if any(source["degraded"] for source in covering) else "current"
