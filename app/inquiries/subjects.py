"""Whom an inquiry is about, from the number in the body of a request: a number of a person leaves this file as a keyed hash."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from app.errors import Forbidden, Invalid
from app.records.hashing import Hasher
from app.records.raw import Unreadable
from app.records.values import read_value
from detection.definitions import Dataset
from workflows.actor import Actor, Role

# Who may ask; which rows there are for them, the policies of the records say.
INQUIRERS = frozenset(
    {Role.TOWNSHIP_DISCIPLINE, Role.DISPATCHED_GROUP, Role.COUNTY_DISCIPLINE, Role.UPPER_DISCIPLINE}
)
# Who may have personal fields shown, each time on record: those who compare population data themselves.
NAMERS = INQUIRERS - {Role.TOWNSHIP_DISCIPLINE}


@dataclass(frozen=True, slots=True)
class Subject:
    """A person (`key`: the keyed hash that records hold), a company (its code) or a village (its code)."""

    kind: str
    key: str

    @property
    def on_record(self) -> str:
        """What the record of use holds: a hash where the code could be somebody's."""
        return self.key if self.kind != "company" else Hasher("company")(self.key)


def subject_of(about: Mapping[str, Any]) -> Subject:
    """The subject of a request, as the records hold it. Raises Invalid `about.number` for a number that fails its check; the number is in
    no message."""
    kind = about["kind"]
    read = read_value(kind, about["number"])
    if isinstance(read, Unreadable) or not isinstance(read, str):
        raise Invalid({"about.number": [read.reason if isinstance(read, Unreadable) else "empty"]})
    return Subject(kind, Hasher("person")(read) if kind == "person" else read)


def columns_of(dataset: Dataset, kind: str) -> tuple[str, ...]:
    """The columns of a dataset in which a subject of this kind can stand. A village is also the place of every record."""
    own = tuple(field.code for field in dataset.fields if field.type == kind)
    return ("place", *own) if kind == "place" else own


def require_inquirer(actor: Actor, *, reveal: bool) -> None:
    """Raises Forbidden for who may not ask, and `names-not-shown` for who may ask and not have names shown."""
    if actor.role not in INQUIRERS:
        raise Forbidden()
    if reveal and actor.role not in NAMERS:
        raise Forbidden("names-not-shown")
