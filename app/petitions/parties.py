"""Who has to do with a case: what others need to know of it to reach them."""

from collections.abc import Iterable
from typing import Any
from uuid import UUID

from sqlalchemy import Row, select

from app.extensions import db
from app.petitions.models import Petition


def parties_of(petition_ids: Iterable[UUID | None]) -> dict[UUID | None, Row[Any]]:
    """Case → villager_id, owner_org_id, main_org_id, co_org_ids, and who must withdraw (excluded_org_ids and
    excluded_account_ids), with one query; ids that are None or unknown are left out."""
    ids = {one for one in petition_ids if one is not None}
    if not ids:
        return {}
    columns = (
        Petition.id, Petition.villager_id, Petition.owner_org_id, Petition.main_org_id, Petition.co_org_ids,
        Petition.excluded_org_ids, Petition.excluded_account_ids,
    )  # fmt: skip
    return {case.id: case for case in db.session.execute(select(*columns).where(Petition.id.in_(ids)))}
