"""Kinds of organisations, and which role a person may hold at which of them (domain rule: a role is always *at* a body)."""

from enum import StrEnum

from app.directory.codes import Level
from workflows.actor import Label, Role


class OrgKind(StrEnum):
    """What an organisation is. The text is stored in `organisations.kind`."""

    PETITION_OFFICE = "petition_office"
    DISCIPLINE = "discipline"
    OFFICE = "office"  # of a township, a street or a functional zone
    DEPARTMENT = "department"
    DISPATCHED_GROUP = "dispatched_group"
    VILLAGE_COMMITTEE = "village_committee"
    VILLAGE_SUPERVISION = "village_supervision"
    POLICE = "police"
    WOMENS_FEDERATION = "womens_federation"
    DV_SERVICE = "dv_service"
    COURT = "court"
    OPERATIONS = "operations"  # runs the system, reads no case
    AUDIT = "audit"
    COMPANY = "company"  # a contractor: known to the directory, without accounts


KIND_LABELS: dict[OrgKind, Label] = {
    OrgKind.PETITION_OFFICE: Label("信访部门", "petition office"),
    OrgKind.DISCIPLINE: Label("纪检监察机关", "discipline commission"),
    OrgKind.OFFICE: Label("乡镇(街道)、功能区办公室", "office of a township, street or functional zone"),
    OrgKind.DEPARTMENT: Label("职能部门", "department"),
    OrgKind.DISPATCHED_GROUP: Label("派驻纪检监察组", "dispatched discipline group"),
    OrgKind.VILLAGE_COMMITTEE: Label("村(居)民委员会", "village committee"),
    OrgKind.VILLAGE_SUPERVISION: Label("村务监督委员会", "village supervision committee"),
    OrgKind.POLICE: Label("公安机关", "police"),
    OrgKind.WOMENS_FEDERATION: Label("妇联", "women's federation"),
    OrgKind.DV_SERVICE: Label("反家暴服务机构", "domestic-violence service"),
    OrgKind.COURT: Label("法院、检察院", "court or procuratorate"),
    OrgKind.OPERATIONS: Label("系统运行管理", "system operations"),
    OrgKind.AUDIT: Label("审计监督", "audit"),
    OrgKind.COMPANY: Label("企业", "company"),
}

# Where a role may be held: kind of body, and the levels from top to bottom.
HELD_AT: dict[Role, tuple[OrgKind, Level, Level]] = {
    Role.VILLAGE_SUPERVISOR: (OrgKind.VILLAGE_SUPERVISION, Level.VILLAGE, Level.VILLAGE),
    Role.GRID_WORKER: (OrgKind.VILLAGE_COMMITTEE, Level.VILLAGE, Level.VILLAGE),
    Role.VILLAGE_CLERK: (OrgKind.VILLAGE_COMMITTEE, Level.VILLAGE, Level.VILLAGE),
    Role.TOWNSHIP_OFFICE: (OrgKind.OFFICE, Level.TOWNSHIP, Level.TOWNSHIP),
    Role.TOWNSHIP_DISCIPLINE: (OrgKind.DISCIPLINE, Level.TOWNSHIP, Level.TOWNSHIP),
    Role.DEPARTMENT_HANDLER: (OrgKind.DEPARTMENT, Level.PROVINCE, Level.COUNTY),
    Role.DISPATCHED_GROUP: (OrgKind.DISPATCHED_GROUP, Level.PROVINCE, Level.COUNTY),
    Role.PETITION_OFFICE: (OrgKind.PETITION_OFFICE, Level.PROVINCE, Level.COUNTY),
    Role.COUNTY_DISCIPLINE: (OrgKind.DISCIPLINE, Level.COUNTY, Level.COUNTY),
    Role.UPPER_DISCIPLINE: (OrgKind.DISCIPLINE, Level.PROVINCE, Level.CITY),
    Role.POLICE: (OrgKind.POLICE, Level.PROVINCE, Level.TOWNSHIP),
    Role.WOMENS_FEDERATION: (OrgKind.WOMENS_FEDERATION, Level.PROVINCE, Level.VILLAGE),
    Role.DV_PROFESSIONAL: (OrgKind.DV_SERVICE, Level.PROVINCE, Level.TOWNSHIP),
    Role.COURT_LIAISON: (OrgKind.COURT, Level.PROVINCE, Level.COUNTY),
    Role.AUDITOR: (OrgKind.AUDIT, Level.PROVINCE, Level.COUNTY),
    Role.SECURITY_ADMIN: (OrgKind.OPERATIONS, Level.PROVINCE, Level.COUNTY),
    Role.SYSTEM_ADMIN: (OrgKind.OPERATIONS, Level.PROVINCE, Level.COUNTY),
}

# Who answers for a petition at a level: the petition office, and in a township its office.
INTAKE_KINDS = (OrgKind.PETITION_OFFICE, OrgKind.OFFICE)
DISCIPLINE_KINDS = (OrgKind.DISCIPLINE,)


def may_hold(role: str, kind: str, level: int) -> bool:
    """Whether `role` exists at a body of this kind and level. False for petitioner, system and unknown roles."""
    if role not in HELD_AT:
        return False
    needed, top, bottom = HELD_AT[Role(role)]
    return kind == needed and top <= level <= bottom
