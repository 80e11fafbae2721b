"""What was there to be searched: the datasets, who sends their records, until when they have come, and what is missing."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from app.records import service, store
from detection.definitions import Dataset

# current: somebody sends this dataset for the place and is in time. late: its time has passed. silent: nothing ever came.
# partial: only for parts of the place. missing: nobody sends it. Only of a current one does "nothing found" say something.
State = Literal["current", "late", "silent", "partial", "missing"]
_OF_SOURCE = ("code", "name", "scope", "last_arrival_at", "watermark", "degraded")


@dataclass(frozen=True)
class Coverage:
    """The dataset types that the actor may know of, by code, and the open sources of each."""

    datasets: Mapping[str, Dataset]
    sources: Mapping[str, Sequence[Mapping[str, Any]]]

    def of(self, code: str, place: str) -> dict[str, Any]:
        """The dataset with its name, the sources for a place (a code or the digits of an area), and its state there."""
        near = [s for s in self.sources.get(code, ()) if place.startswith(s["scope"]) or s["scope"].startswith(place)]
        dataset = self.datasets[code]
        return {
            "dataset": code,
            "name": dataset.name.zh,
            "name_en": dataset.name.en,
            "state": _state(near, place),
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
