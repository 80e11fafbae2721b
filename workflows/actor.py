"""Who acts on a case: the role table and the actor handed to every guard."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Literal, NamedTuple
from uuid import UUID


class Label(NamedTuple):
    """The words a reader sees, Chinese first."""

    zh: str
    en: str


class Role(StrEnum):
    """What a person is at an organisation; the columns of the permission table."""

    PETITIONER = "petitioner"
    VILLAGE_SUPERVISOR = "village_supervisor"
    GRID_WORKER = "grid_worker"
    VILLAGE_CLERK = "village_clerk"
    TOWNSHIP_OFFICE = "township_office"
    TOWNSHIP_DISCIPLINE = "township_discipline"
    DEPARTMENT_HANDLER = "department_handler"
    DISPATCHED_GROUP = "dispatched_group"
    PETITION_OFFICE = "petition_office"
    COUNTY_DISCIPLINE = "county_discipline"
    UPPER_DISCIPLINE = "upper_discipline"
    POLICE = "police"
    WOMENS_FEDERATION = "womens_federation"
    DV_PROFESSIONAL = "dv_professional"
    COURT_LIAISON = "court_liaison"
    AUDITOR = "auditor"
    SECURITY_ADMIN = "security_admin"
    SYSTEM_ADMIN = "system_admin"
    SYSTEM = "system"


ROLE_LABELS: dict[Role, Label] = {
    Role.PETITIONER: Label("信访人", "petitioner"),
    Role.VILLAGE_SUPERVISOR: Label("村务监督委员会", "village supervision committee"),
    Role.GRID_WORKER: Label("网格员", "grid worker"),
    Role.VILLAGE_CLERK: Label("村文书", "village clerk"),
    Role.TOWNSHIP_OFFICE: Label("乡镇(街道)办公室", "township office"),
    Role.TOWNSHIP_DISCIPLINE: Label("乡镇(街道)纪委", "township discipline committee"),
    Role.DEPARTMENT_HANDLER: Label("部门承办人", "department handler"),
    Role.DISPATCHED_GROUP: Label("派驻纪检监察组", "dispatched discipline group"),
    Role.PETITION_OFFICE: Label("信访部门", "petition office"),
    Role.COUNTY_DISCIPLINE: Label("县(市、区)纪委监委", "county discipline commission"),
    Role.UPPER_DISCIPLINE: Label("市、省纪委监委", "city or provincial discipline commission"),
    Role.POLICE: Label("公安机关", "police"),
    Role.WOMENS_FEDERATION: Label("妇联", "women's federation"),
    Role.DV_PROFESSIONAL: Label("反家暴专业人员", "domestic-violence professional"),
    Role.COURT_LIAISON: Label("法院检察院联络员", "court and procuratorate liaison"),
    Role.AUDITOR: Label("审计员", "auditor"),
    Role.SECURITY_ADMIN: Label("安全管理员", "security administrator"),
    Role.SYSTEM_ADMIN: Label("系统管理员", "system administrator"),
    Role.SYSTEM: Label("系统", "system"),
}

ActorKind = Literal["staff", "petitioner", "system"]


@dataclass(frozen=True, slots=True)
class Actor:
    """One acting person or clock.

    `org_level` is 1 province, 2 city, 3 county, 4 township, 5 village, and 0 for the external authority above the
    province. `scope` is the division-code prefix of the organisation, "" when there is none. `head` says that the
    person may approve for the organisation.
    """

    kind: ActorKind
    person_id: UUID | None
    role: str
    org_id: UUID | None
    org_level: int | None
    head: bool
    scope: str


SYSTEM_ACTOR = Actor(
    kind="system", person_id=None, role=Role.SYSTEM.value, org_id=None, org_level=None, head=False, scope=""
)
