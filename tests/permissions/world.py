"""A world in which every permission can be tried: one account per role, and cases that differ in whose they are."""

import secrets
from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid4

from flask.testing import FlaskClient
from sqlalchemy import select, text
from sqlalchemy.orm import Session

from app.directory.models import Appointment, Organisation, StaffAccount
from workflows.actor import Role

VILLAGE, ELSEWHERE = "330213007213", "330502101235"
COUNTY = "330213000000"
PASSWORD = "correct horse battery"

# The columns of the tables: one account of each role at a body of Fenghua or above it, and its head where the body has one of
# that role. A role whose rights depend on the level has a second column.
ACCOUNTS: dict[str, tuple[str, str | None]] = {
    Role.VILLAGE_SUPERVISOR: ("shangyi.supervisor", None),
    Role.GRID_WORKER: ("shangyi.grid", None),
    Role.VILLAGE_CLERK: ("shangyi.clerk", None),
    Role.TOWNSHIP_OFFICE: ("shangtian.colleague", "shangtian.head"),
    Role.TOWNSHIP_DISCIPLINE: ("shangtian.discipline", "shangtian.discipline.head"),
    Role.DEPARTMENT_HANDLER: ("fenghua.agri", "fenghua.agri.head"),
    Role.DISPATCHED_GROUP: ("fenghua.group", "fenghua.group.head"),
    Role.PETITION_OFFICE: ("fenghua.office", "fenghua.head"),
    f"{Role.PETITION_OFFICE}@province": ("zhejiang.office", "zhejiang.office.head"),
    Role.COUNTY_DISCIPLINE: ("fenghua.discipline", "fenghua.discipline.head"),
    Role.UPPER_DISCIPLINE: ("ningbo.discipline", "ningbo.discipline.head"),
    Role.POLICE: ("fenghua.police", None),
    Role.WOMENS_FEDERATION: ("fenghua.women", None),
    Role.DV_PROFESSIONAL: ("fenghua.counsellor", None),
    Role.COURT_LIAISON: ("fenghua.court", None),
    Role.AUDITOR: ("auditor", None),
    Role.SECURITY_ADMIN: ("security", None),
    Role.SYSTEM_ADMIN: ("admin", None),
}
# Bodies that the demonstration has no account of; everybody else's is its own.
_MISSING = {
    Role.POLICE: ("fenghua.police", "奉化区公安分局"),
    Role.WOMENS_FEDERATION: ("fenghua.women", "奉化区妇女联合会"),
    Role.DV_PROFESSIONAL: ("fenghua.counsellor", "奉化区心理服务中心"),
    Role.COURT_LIAISON: ("fenghua.court", "奉化区人民法院联络处"),
}
REPLY = {"findings": "已核实。", "legal_basis": "《信访工作条例》第三十二条", "outcome": "supported"}
# How a case that a body handles comes into the states in which its people and their head may do something.
OWN_TURNS: tuple[tuple[tuple[bool, str, dict[str, Any]], ...], ...] = tuple(
    ((False, "sign", {}), (False, "start", {"note": "已联系"}), *then)[:steps]
    for steps, then in (
        (0, ()),
        (1, ()),
        (2, ()),
        (3, ((False, "request-extension", {"days": 10, "reason": "核对账目"}),)),
        (3, ((False, "request-suspension", {"days": 10, "reason_code": "season", "plan": "农忙后丈量"}),)),
        (4, ((False, "request-suspension", {"days": 10, "reason_code": "season", "plan": "农忙后丈量"}),
             (True, "approve-suspension", {"days": 10}))),
        (3, ((False, "submit-reply", REPLY),)),
        (4, ((False, "submit-reply", REPLY), (True, "approve-reply", {}))),
    )
)  # fmt: skip


@dataclass(frozen=True)
class Filed:
    """A case and how its petitioner gets in."""

    id: str
    serial: str
    pin: str


class World:
    """Makes the world through the API, as the people in it would; only accounts and leftovers come from the owner."""

    def __init__(self, client: FlaskClient, session: Session):
        self.client, self.session = client, session
        self._tokens: dict[str, dict[str, str]] = {}
        self._add_missing_accounts()
        self.bodies: dict[str, UUID] = {column: self._body_of(names[0]) for column, names in ACCOUNTS.items()}

    def as_(self, username: str) -> dict[str, str]:
        """Headers of an account."""
        if username not in self._tokens:
            answer = self.client.post("/api/v1/auth/staff/sign-in", json={"username": username, "password": PASSWORD})
            assert answer.status_code == 200, (username, answer.get_data(as_text=True))
            self._tokens[username] = {"Authorization": f"Bearer {answer.json['access_token']}"}
        return self._tokens[username]

    def as_holder(self, case: Filed) -> dict[str, str]:
        """Headers of whoever holds the receipt of the case."""
        if case.serial not in self._tokens:
            answer = self.client.post("/api/v1/auth/receipt/sign-in", json={"serial": case.serial, "pin": case.pin})
            assert answer.status_code == 200, answer.get_data(as_text=True)
            self._tokens[case.serial] = {"Authorization": f"Bearer {answer.json['access_token']}"}
        return self._tokens[case.serial]

    def file(self, place: str = VILLAGE, **more: Any) -> Filed:
        """A case, filed without an account."""
        draft = {"division_code": place, "title": "土地租金未到账", "body": "请查明租金去向。", "name": "王某",
                 "phone": "13800000001", **more}  # fmt: skip
        made = self.client.post("/api/v1/petitions", json=draft, headers=a_key())
        assert made.status_code == 201, made.get_data(as_text=True)
        return Filed(made.json["id"], made.json["serial"], made.json["pin"])

    def act(self, case: Filed, username: str, event: str, **facts: Any) -> bool:
        """Let somebody do something to the case; whether it was let through."""
        path = f"/api/v1/petitions/{case.id}/actions/{event}"
        answer = self.client.post(path, json=facts, headers=self.as_(username))
        assert answer.status_code in (200, 403, 404), (event, answer.get_data(as_text=True))
        return answer.status_code == 200

    def dispatched(self, to: UUID, *co: UUID, **more: Any) -> Filed:
        """A case that a body has been given, with others beside it."""
        case = self.file(**more)
        self.act(case, "fenghua.office", "register", simple=True)
        self.act(case, "fenghua.office", "accept")
        given = {"main_org_id": str(to), "co_org_ids": [str(one) for one in co]}
        assert self.act(case, "fenghua.office", "dispatch", **given)
        return case

    def own_cases(self, column: str) -> list[Filed]:
        """Cases of the column's body in the states in which a handling body has something to do, as far as it may."""
        staff, head = ACCOUNTS[column]
        cases = [self.dispatched(self._body_of("fenghua.land"), self.bodies[column])]
        for turn in OWN_TURNS:
            case = self.dispatched(self.bodies[column])
            for by_head, event, facts in turn:
                if not self.act(case, (head or staff) if by_head else staff, event, **facts):
                    break
            cases.append(case)
        return cases

    def _body_of(self, username: str) -> UUID:
        query = (
            select(Appointment.org_id)
            .join(StaffAccount, StaffAccount.id == Appointment.account_id)
            .where(StaffAccount.username == username)
        )
        return self.session.scalars(query).one()

    def _add_missing_accounts(self) -> None:
        copied = self.session.execute(
            select(StaffAccount.password_hash, Appointment.valid_from)
            .join(Appointment, Appointment.account_id == StaffAccount.id)
            .where(StaffAccount.username == "fenghua.office")
        ).one()
        # The office's own account is kin of a village head in the demonstration, which is not what is tried here.
        office = self._body_of("shangtian.office")
        new = [(Role.TOWNSHIP_OFFICE, "shangtian.colleague", office)]
        for role, (username, name) in _MISSING.items():
            body = Organisation(
                id=uuid4(), name=name, kind="department", division_code=COUNTY, level=3, parent_id=None, active=True
            )
            self.session.add(body)
            new.append((role, username, body.id))
        for role, username, org_id in new:
            account = StaffAccount(
                id=uuid4(), username=username, name=username, password_hash=copied.password_hash,
                must_change_password=False,
            )  # fmt: skip
            self.session.add(account)
            self.session.flush()
            self.session.add(
                Appointment(
                    id=uuid4(),
                    account_id=account.id,
                    role=role.value,
                    org_id=org_id,
                    head=False,
                    valid_from=copied.valid_from,
                )  # fmt: skip
            )
        self.session.commit()

    def external(self) -> Filed:
        """A case that lies with the authority above the province."""
        case = self.file()
        self.session.execute(text("UPDATE petitions SET state = 'external', level = 0 WHERE id = :case"), {"case": case.id})
        self.session.commit()
        return case

    def somebody(self) -> UUID:
        """The account that the leftovers come from: one that sees no case."""
        found: UUID = self.session.scalars(select(StaffAccount.id).where(StaffAccount.username == "admin")).one()
        return found

    def leave_rows(self, cases: list[Filed]) -> None:
        """A row in each table that hangs on a case and that filing alone does not fill."""
        someone = self.somebody()
        for case in cases:
            for statement in _LEFTOVERS:
                self.session.execute(text(statement), {"case": case.id, "someone": someone})
        self.session.commit()


_LEFTOVERS = (
    "UPDATE petitions SET supervised = true WHERE id = :case",
    "INSERT INTO case_messages (id, petition_id, at, author_kind, internal, body) "
    "VALUES (gen_random_uuid(), :case, now(), 'staff', true, '内部')",
    "INSERT INTO attachments (id, petition_id, uploader_kind, name, size, received, status, created_at) "
    "VALUES (gen_random_uuid(), :case, 'petitioner', 'a.jpg', 1, 1, 'released', now())",
    "INSERT INTO ratings (id, petition_id, round, at, office_grade, body_grade) "
    "VALUES (gen_random_uuid(), :case, 1, now(), 'basic', 'basic')",
    "INSERT INTO meetings (id, petition_id, held_at, org_ids, minutes, recorded_by) "
    "VALUES (gen_random_uuid(), :case, now(), '{}', '纪要', :someone)",
    'INSERT INTO money_entries (id, petition_id, kind, amount_fen, "on", note, recorded_at) '
    "VALUES (gen_random_uuid(), :case, 'claimed', 100, current_date, '', now())",
    "INSERT INTO supervision_orders (id, petition_id, state, level, issuer_org_id, target_org_id, reason, colour, issued_at, "
    "due_at, returns, overdue) SELECT gen_random_uuid(), p.id, s, 3, p.owner_org_id, p.main_org_id, 'by_hand', 'yellow', "
    "now(), now() + interval '5 days', 0, false FROM petitions p, unnest(ARRAY['issued', 'answered', 'verified']) s "
    "WHERE p.id = :case",
    "INSERT INTO papers (id, petition_id, seq, kind, number, code, decided_at, made_at, printed, maker, sha256) "
    "VALUES (gen_random_uuid(), :case, 1, 'acceptance', CAST(gen_random_uuid() AS text), '', now(), now(), "
    """'{"number": "", "body": "", "basis": [], "remedy": ["", ""]}', '', '')""",
    'INSERT INTO paper_deliveries (id, petition_id, paper_id, method, "on", at, note) '
    "SELECT gen_random_uuid(), petition_id, id, 'post', current_date, now(), '' FROM papers WHERE petition_id = :case",
    "INSERT INTO outbox (id, created_at, audience, template, petition_id, params, status, attempts, next_attempt_at) "
    "VALUES (gen_random_uuid(), now(), 'owner_org', 'file', :case, '{}', 'dead', 8, now())",
    # Of two who asked, one has been granted.
    "INSERT INTO identity_openings (id, petition_id, account_id, role, org_id, at, reason) "
    "SELECT gen_random_uuid(), :case, account_id, role, org_id, now(), repeat('核对身份', 5) FROM appointments, generate_series(1, 2) "
    "WHERE account_id = :someone",
    "INSERT INTO identity_grants (opening_id, petition_id, account_id, role, org_id, at, until) "
    "SELECT id, petition_id, account_id, role, org_id, now(), now() + interval '1 hour' FROM identity_openings "
    "WHERE petition_id = :case LIMIT 1",
    "INSERT INTO case_reads (id, at, account_id, role, org_id, petition_id, division_code, what, purpose, details) "
    "SELECT gen_random_uuid(), now(), a.account_id, a.role, a.org_id, p.id, p.division_code, 'detail', 'oversees', '{}' "
    "FROM petitions p, appointments a WHERE p.id = :case AND a.account_id = :someone",
    "INSERT INTO data_requests (id, petition_id, kind, wish, asked_at, due_on, provisional) "
    "VALUES (gen_random_uuid(), :case, 'correct', '姓名写错了', now(), current_date + 21, false)",
    # A body where nobody of the columns serves has to withdraw.
    "INSERT INTO exclusions (id, petition_id, org_id, reason, since) SELECT gen_random_uuid(), :case, o.id, 'named_body', now() "
    "FROM organisations o WHERE NOT EXISTS (SELECT 1 FROM appointments a WHERE a.org_id = o.id) ORDER BY o.name LIMIT 1",
    # Somebody of the same name was let in again.
    "INSERT INTO liftings (id, petition_id, bearer_id, cleared_ids, account_id, role, org_id, at, reason) "
    "SELECT gen_random_uuid(), :case, gen_random_uuid(), '{}', account_id, role, org_id, now(), '同名不是此人' FROM appointments "
    "WHERE account_id = :someone LIMIT 1",
    "INSERT INTO lifting_steps (lifting_id, step, petition_id, account_id, role, org_id, at) "
    "SELECT id, 'confirm', petition_id, account_id, role, org_id, now() FROM liftings WHERE petition_id = :case",
    "INSERT INTO recusal_subjects (petition_id, subject_id, kind) VALUES (:case, gen_random_uuid(), 'person')",
)


def a_key() -> dict[str, str]:
    """A fresh Idempotency-Key header."""
    return {"Idempotency-Key": secrets.token_urlsafe(24)}
