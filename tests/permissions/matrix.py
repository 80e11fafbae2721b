"""The permission tables, computed by trying: every action, every route, every table, as one account of each role."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from flask import Flask
from sqlalchemy import text
from sqlalchemy.orm import Session

from app import clock
from app.alerts.schemas import ACTIONS as ALERT_ACTIONS
from app.alerts.schemas import UNIT_ACTIONS
from app.clues.schemas import ACTIONS as CLUE_ACTIONS
from app.database import transaction
from app.extensions import db
from app.filling import PLACES, TURNS, take_turn
from app.petitions.schemas import ACTIONS
from app.teller import Teller
from tests.permissions.world import ACCOUNTS, ELSEWHERE, Filed, World, a_key
from workflows.actor import ROLE_LABELS, Actor, Role
from workflows.petition import EVENT_LABELS, PetitionEvent

NONE = "✖"

Request = tuple[str, str, Mapping[str, Any] | None]  # method, path, body
Try = Callable[["Subject"], Request]


@dataclass(frozen=True)
class Subject:
    """What a request is about: a case, a file of it, an opening of its identity not yet granted, a request not yet decided;
    and some body to name."""

    case: Filed
    attachment_id: str
    opening_id: str
    request_id: str
    body_id: str


# How each operation that is about a case is tried, by operation id. A route that is missing here fails the test.
CASE_REQUESTS: dict[str, Try] = {
    "get_petition": lambda s: ("GET", f"/petitions/{s.case.id}", None),
    "send_message": lambda s: ("POST", f"/petitions/{s.case.id}/messages", {"body": "请补充材料"}),
    "record_money": lambda s: (
        "POST",
        f"/petitions/{s.case.id}/money",
        {"kind": "claimed", "amount_fen": 100, "on": clock.today().isoformat()},
    ),
    "record_meeting": lambda s: (
        "POST",
        f"/petitions/{s.case.id}/meetings",
        {"held_at": clock.now().isoformat(), "org_ids": [s.body_id], "minutes": "纪要"},
    ),
    "start_upload": lambda s: ("TUS", f"/petitions/{s.case.id}/uploads", None),
    "link_attachment": lambda s: ("GET", f"/attachments/{s.attachment_id}/link", None),
    "get_receipt": lambda s: ("GET", f"/petitions/{s.case.id}/receipt", None),
    "print_receipt": lambda s: ("GET", f"/petitions/{s.case.id}/receipt.pdf", None),
    "draw_receipt_code": lambda s: ("GET", f"/petitions/{s.case.id}/receipt.svg", None),
    "paint_receipt_code": lambda s: ("GET", f"/petitions/{s.case.id}/receipt.png", None),
    "list_papers": lambda s: ("GET", f"/petitions/{s.case.id}/papers", None),
    "issue_order": lambda s: ("POST", "/supervision/orders", {"petition_id": s.case.id, "reason": "催办"}),
    "request_opening": lambda s: ("POST", f"/petitions/{s.case.id}/identity-openings", {"reason": "电话不通,需要上门核对反映人的住址和联系方式。"}),
    "grant_opening": lambda s: ("POST", f"/identity-openings/{s.opening_id}/actions/grant", None),
    "list_case_reads": lambda s: ("GET", f"/petitions/{s.case.id}/reads", None),
    "decide_data_request": lambda s: (
        "POST",
        f"/data-requests/{s.request_id}/actions/decide",
        {"decision": "refused", "ground": "not_verified", "reason": "无法核实。"},
    ),
    "list_exclusions": lambda s: ("GET", f"/petitions/{s.case.id}/exclusions", None),
    # The last, because whoever withdraws sees nothing of it afterwards.
    "recuse_self": lambda s: ("POST", f"/petitions/{s.case.id}/recusal", {"reason_code": "other"}),
}
# Lists: which of the cases are in the answer.
LIST_REQUESTS: dict[str, str] = {
    "list_petitions": "/petitions?limit=100",
    "search_petitions": "/petitions/search?q=租金&limit=100",
    "export_petitions": "/petitions/export.csv",
    "supervision_desk": "/supervision/desk?list=supervised&limit=100",
    "list_orders": "/supervision/orders",
    "list_dead_letters": "/outbox/dead?limit=100",
    "list_openings": "/identity-openings",
    "list_reads": "/reads?limit=100&account_id={somebody}",
    "list_data_requests": "/data-requests",
}

# Actions on a supervision order, by operation id: the name in `allowed_actions` of the order's view.
ORDER_ACTIONS = {
    "answer_order": "answer", "send_back_order": "send_back", "verify_order": "verify", "release_order": "release",
}  # fmt: skip

# About no case: may the role do it at all?
PLAIN_REQUESTS: dict[str, tuple[str, str, Mapping[str, Any] | None]] = {
    "register_intake": (
        "POST",
        "/intake/petitions",
        {"division_code": "330213007213", "title": "来信", "body": "来信内容。", "channel": "letter", "name": "王某"},
    ),
    "list_organisations": ("GET", "/organisations", None),
    "list_staff": ("GET", "/staff?organisation_id={office}", None),
    "list_inbox": ("GET", "/inbox", None),
    "count_petitions": ("GET", "/statistics/petitions", None),
    "export_statistics": ("GET", "/statistics/petitions.csv", None),
    "list_datasets": ("GET", "/datasets", None),
    "list_rules": ("GET", "/rules", None),
    "list_record_sources": ("GET", "/record-sources", None),
    "list_import_batches": ("GET", "/import-batches", None),
    "query_everything": (
        "POST",
        "/inquiries",
        {"about": {"kind": "place", "number": "330213007213"}, "purpose": "核对信访反映的问题"},
    ),
    "list_inquiries": ("GET", "/inquiries", None),
    "me": ("GET", "/auth/me", None),
    "print_dossier": ("GET", "/petitions/{external}/dossier", None),
}

# Operations that are open to everybody or about the own account alone, and those that continue one tried above.
NOT_TRIED = {
    "about the own account": ("change_password", "enrol_second_factor", "confirm_second_factor", "refresh_tokens", "sign_out"),
    "open to everybody": (
        "sign_in_staff", "send_code", "sign_in_by_code", "sign_in_by_receipt", "file_petition", "list_divisions",
        "get_division", "download_attachment", "describe_uploads", "describe_upload", "print_slip", "recover_receipts",
        "verify_paper", "get_head", "get_head_of_size", "list_ledger_keys", "list_logs", "prove_consistency", "prove_inclusion", "get_proof",
        "get_published_figures",
    ),
    "about datasets, held by tests/app/test_datasets.py and test_records.py": (
        "get_dataset", "define_module", "open_record_source", "list_records", "push_records", "upload_batch", "get_import_batch",
        "start_import_batch", "export_rejects", "renew_source_key", "close_record_source",
    ),
    "about rules, held by tests/app/test_rules.py": (
        "draft_rule", "get_rule", "get_rule_precision", "check_rule", "try_rule", "preview_rule", "back_test_rule", "start_rule_shadow",
        "approve_rule", "retire_rule",
    ),
    "needs a paper of the case, held by the tests of papers": ("print_paper", "record_delivery"),
    "continues what was tried": ("continue_upload", "show_upload", "resend_message"),
    "about the own message or case alone": (
        "mark_message_read", "confirm_record", "dispute_record", "own_data", "request_change",
    ),
    "needs two people, held by the tests of signing in, of the directory, of identity and of recusal": (
        "reset_second_factor", "reset_password", "hand_over_staff", "open_identity", "ask_lifting", "confirm_lifting",
        "revoke_lifting",
    ),
    "for a source outside with a key; held by tests/app/test_alert_folding.py": ("push_alert",),
    "about an alert; held by tests/app/test_alerts.py": (
        "list_alerts", "get_alert", "list_alert_packets", "packet_dispatch", "packet_withdraw", "list_alert_questions", "list_alert_tasks",
        "submit_alert_proof", *(f"alert_{event}" for event in ALERT_ACTIONS), *(f"unit_{event}" for event in UNIT_ACTIONS),
    ),
    "about a clue, of which nobody knows but its readers; held by tests/app/test_clues.py": (
        "list_clues", "get_clue", "open_clue_text", "list_clue_candidates", "add_clue_reader", "remove_clue_reader",
        "send_clue_message", *(f"clue_{event}" for event in CLUE_ACTIONS),
    ),
}  # fmt: skip


def untried(operations: Iterable[str]) -> list[str]:
    """Operations of the contract that no table tries and no reason leaves out."""
    known = {
        *CASE_REQUESTS,
        *LIST_REQUESTS,
        *ORDER_ACTIONS,
        *PLAIN_REQUESTS,
        *ACTIONS,
        *(one for names in NOT_TRIED.values() for one in names),
    }
    return sorted(set(operations) - known)


class Matrix:
    """Builds the world once and tries everything in it. `base_url` is a running server of the same application."""

    def __init__(self, app: Flask, world: World, session: Session, base_url: str):
        self.app, self.world, self.session = app, world, session
        with Teller(base_url, lambda _span: None, lambda _line: None) as teller:
            earlier, accusation = world.file(), world.file(item_type="accusation")
            for case in (earlier, accusation):
                world.act(case, "fenghua.office", "register")
            self.area = [
                Filed(case.receipt["id"], case.receipt["serial"], case.receipt["pin"])
                for case in (take_turn(teller, PLACES[0], turn, n, earlier.id) for n, turn in enumerate(TURNS))
            ]
            self.area += [earlier, accusation]
        self.own = {column: world.own_cases(column) for column in ACCOUNTS}
        # Whose a case is, seen from the column: the letters of the tables. Made last, so that the first page of a list has them.
        # In confidence, because only such an identity is opened.
        way = {"way": "confidential"}
        elsewhere, external = world.file(ELSEWHERE, **way), world.external()
        cases = {
            column: {
                "A": world.file(**way), "O": world.dispatched(body, **way), "E": elsewhere,
                "N": world.file(accused_org_ids=[str(body)], **way),
            }
            for column, body in world.bodies.items()
        }  # fmt: skip
        world.leave_rows(list({case.id: case for each in cases.values() for case in each.values()}.values()))
        self.named = {"office": world.bodies[Role.PETITION_OFFICE], "external": external.id, "somebody": world.somebody()}
        self.subjects = {
            column: {letter: self._subject(case) for letter, case in each.items()} for column, each in cases.items()
        }

    def _subject(self, case: Filed) -> Subject:
        attachment, opening, request = self.session.execute(
            text(
                "SELECT (SELECT id::text FROM attachments WHERE petition_id = :case), "
                "(SELECT id::text FROM identity_openings o WHERE petition_id = :case "
                "    AND NOT EXISTS (SELECT 1 FROM identity_grants g WHERE g.opening_id = o.id)), "
                "(SELECT id::text FROM data_requests WHERE petition_id = :case)"
            ),
            {"case": case.id},
        ).one()
        self.session.rollback()
        return Subject(case, attachment, opening, request, str(self.world.bodies[Role.PETITION_OFFICE]))

    # Actions: what `allowed_actions` of the case offers, which the door obeys as well.

    def actions(self) -> dict[str, dict[str, str]]:
        """Action → column → cell."""
        offered: dict[str, tuple[set[str], set[str], set[str], set[str]]] = {}
        for column, (staff, head) in ACCOUNTS.items():
            offered[column] = (
                self._offered(staff, self.area), self._offered(staff, self.own[column]),
                self._offered(head, self.area), self._offered(head, self.own[column]),
            )  # fmt: skip
        own = [*self.area, *self.own[Role.TOWNSHIP_DISCIPLINE]]
        petitioner = set().union(*(self._names(self.world.as_holder(case), case) for case in own))
        table = {}
        for action in ACTIONS:
            cells = {"petitioner": "◐" if action in petitioner else NONE}
            for column, sets in offered.items():
                marks = [
                    mark for mark, names in zip(("✔", "◐", "✔ head", "◐ head"), sets, strict=True) if action in names
                ]
                cells[column] = marks[0] if marks else NONE
            table[action] = cells
        return table

    def _offered(self, username: str | None, cases: Iterable[Filed]) -> set[str]:
        if username is None:
            return set()
        return set().union(*(self._names(self.world.as_(username), case) for case in cases))

    def _names(self, headers: dict[str, str], case: Filed) -> set[str]:
        answer = self.world.client.get(f"/api/v1/petitions/{case.id}", headers=headers)
        assert answer.status_code in (200, 404), answer.get_data(as_text=True)
        return {action["name"] for action in answer.json["allowed_actions"]} if answer.status_code == 200 else set()

    # Routes.

    def routes(self) -> dict[str, dict[str, str]]:
        """Operation → column → letters of the cases for which it answers, or ✔ / ✖ where it is about no case."""
        return {
            **{name: self._row(lambda column, name=name: self._in_list(column, LIST_REQUESTS[name])) for name in LIST_REQUESTS},
            **{name: self._row(lambda column, name=name: self._on_orders(column, ORDER_ACTIONS[name])) for name in ORDER_ACTIONS},
            **{name: self._row(lambda column, name=name: self._on_cases(column, CASE_REQUESTS[name])) for name in CASE_REQUESTS},
            **{name: self._row(lambda column, name=name: self._plainly(column, PLAIN_REQUESTS[name])) for name in PLAIN_REQUESTS},
        }  # fmt: skip

    def _row(self, cell: Callable[[str], str]) -> dict[str, str]:
        return {column: cell(column) or NONE for column in ACCOUNTS}

    def _in_list(self, column: str, path: str) -> str:
        answer = self._send(column, ("GET", path.format(**self.named), None))
        if answer.status_code == 403:
            return ""
        assert answer.status_code == 200, (path, answer.get_data(as_text=True))
        found = answer.get_data(as_text=True)
        return "".join(letter for letter, s in self.subjects[column].items() if s.case.id in found)

    def _on_orders(self, column: str, action: str) -> str:
        orders = self._send(column, ("GET", LIST_REQUESTS["list_orders"], None)).json["items"]
        cases = {one["petition_id"] for one in orders if action in one["allowed_actions"]}
        return "".join(letter for letter, s in self.subjects[column].items() if s.case.id in cases)

    def _on_cases(self, column: str, request: Try) -> str:
        return "".join(letter for letter, s in self.subjects[column].items() if self._tells(column, request(s)))

    def _plainly(self, column: str, request: Request) -> str:
        method, path, body = request
        path = path.format(**self.named)
        return "✔" if self._passes(column, (method, path, body)) else ""

    def _passes(self, column: str, request: Request) -> bool:
        return bool(self._answer(column, request).status_code < 300)

    def _tells(self, column: str, request: Request) -> bool:
        """A list about a case that holds nothing says no more than a refusal."""
        answer = self._answer(column, request)
        return answer.status_code < 300 and not (answer.status_code == 200 and answer.is_json and answer.json.get("items") == [])

    def _answer(self, column: str, request: Request) -> Any:
        answer = self._send(column, request)
        # Anything else would say that the request was refused for another reason than the right of the role.
        assert answer.status_code in (200, 201, 204, 403, 404), (column, request, answer.get_data(as_text=True))
        return answer

    def _send(self, column: str, request: Request) -> Any:
        method, path, body = request
        headers = {**self.world.as_(ACCOUNTS[column][0]), **a_key()}
        if method == "TUS":
            headers |= {"Tus-Resumable": "1.0.0", "Upload-Length": "3", "Upload-Metadata": "filename YS5qcGc="}
            return self.world.client.post(f"/api/v1{path}", headers=headers)
        if method == "GET":
            return self.world.client.get(f"/api/v1{path}", headers=headers)
        return self.world.client.post(f"/api/v1{path}", json=body, headers=headers)

    # The database.

    def tables(self) -> dict[str, dict[str, str]]:
        """Table → column → letters of the cases of which the web role sees rows, with the role's settings alone."""
        names = [
            row[0]
            for row in self.session.execute(
                text(
                    "SELECT c.relname FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid "
                    "WHERE c.relkind = 'r' AND c.relnamespace = 'public'::regnamespace AND a.attname = 'petition_id' "
                    "AND c.relname <> 'sessions' AND has_table_privilege('mj_web', c.oid, 'SELECT') ORDER BY c.relname"
                )
            )
        ]
        rows = {"petitions": self._row(lambda column: self._sees(column, "petitions", "id"))}
        return rows | {
            name: self._row(lambda column, name=name: self._sees(column, name, "petition_id")) for name in names
        }

    def _sees(self, column: str, table: str, reference: str) -> str:
        with transaction(self._actor(column)):
            found = {str(one) for one in db.session.scalars(text(f"SELECT {reference} FROM {table}"))}
        return "".join(letter for letter, s in self.subjects[column].items() if s.case.id in found)

    def _actor(self, column: str) -> Actor:
        row = self.session.execute(
            text(
                "SELECT a.id, p.role, o.id AS org, o.level, p.head, o.division_code FROM staff_accounts a "
                "JOIN appointments p ON p.account_id = a.id JOIN organisations o ON o.id = p.org_id WHERE a.username = :u"
            ),
            {"u": ACCOUNTS[column][0]},
        ).one()
        self.session.rollback()
        digits = {1: 2, 2: 4, 3: 6, 4: 9, 5: 12}[row.level]
        return Actor("staff", row.id, row.role, row.org, row.level, row.head, row.division_code[:digits])

    def grants(self) -> dict[str, dict[str, str]]:
        """Table → database role → rights (r read, a append, w change, d delete), and whether policies stand on it."""
        rows = self.session.execute(
            text(
                """
                SELECT c.relname, c.relrowsecurity, r.rolname,
                       concat(CASE WHEN has_table_privilege(r.oid, c.oid, 'SELECT') THEN 'r' END,
                              CASE WHEN has_table_privilege(r.oid, c.oid, 'INSERT') THEN 'a' END,
                              CASE WHEN has_table_privilege(r.oid, c.oid, 'UPDATE') THEN 'w' END,
                              CASE WHEN has_table_privilege(r.oid, c.oid, 'DELETE') THEN 'd' END) AS rights
                  FROM pg_class c CROSS JOIN pg_roles r
                 WHERE c.relkind = 'r' AND c.relnamespace::regnamespace::text IN ('public', 'sealed')
                   AND r.rolname IN ('mj_web', 'mj_worker') AND c.relname <> 'alembic_version'
                 ORDER BY c.relname, r.rolname
                """
            )
        ).all()
        table: dict[str, dict[str, str]] = {}
        for name, bound, role, rights in rows:
            table.setdefault(name, {"policies": "✔" if bound else NONE})[role] = rights or NONE
        return table


def page(matrix: Matrix) -> str:
    """docs/permissions.md."""
    staff = {column: _title(column) for column in ACCOUNTS}
    heads = {"petitioner": _title("petitioner"), **staff}
    actions = {f"{EVENT_LABELS[PetitionEvent(name)].zh} `{name}`": row for name, row in matrix.actions().items()}
    # Before the routes: the last of those takes cases out of sight.
    tables = {f"`{name}`": row for name, row in matrix.tables().items()}
    routes = {f"`{name}`": row for name, row in matrix.routes().items()}
    grants = {f"`{name}`": row for name, row in matrix.grants().items()}
    columns = {"policies": "行级策略 row policies", "mj_web": "mj_web", "mj_worker": "mj_worker"}
    return "\n".join(
        [
            INTRODUCTION,
            "## 办理动作 Actions on a case\n",
            "✔ on every case of the own area in the right state · ◐ on a case that the own body handles (the petitioner: "
            "on the own case) · head: only the head of the body · ✖ never\n",
            _markdown(actions, heads),
            "## 接口 Routes\n",
            "Letters: the cases for which the answer is not a refusal (in a list: which are in it). "
            "**A** a case of the own area · **O** one that the own body handles · **N** one that names the own body · "
            "**E** one of another county. ✔ and ✖ where it is about no case.\n",
            _markdown(routes, staff),
            "## 数据库可见范围 What the database shows\n",
            "The same letters, asked of each table as the web role with the settings of the account and nothing of our "
            "own code in between.\n",
            _markdown(tables, staff),
            "## 数据库角色 Rights of the database roles\n",
            "r read · a append · w change · d delete. A right of a role is still bound by the policies of the table.\n",
            _markdown(grants, columns),
        ]
    )


INTRODUCTION = """# 权限表 Permissions

Computed by trying (`make permissions`): one account of each role against every action, every route and every table of a
real database. A test fails when a cell changes without this page. Written by hand is only what the letters mean.
"""


def _title(column: str) -> str:
    role, _, level = column.partition("@")
    label = ROLE_LABELS[Role(role)]
    return f"{label.zh}(省) {label.en}, province" if level else f"{label.zh} {label.en}"


def _markdown(rows: Mapping[str, Mapping[str, str]], columns: Mapping[str, str]) -> str:
    lines = ["| | " + " | ".join(columns.values()) + " |", "| --- |" + " :-: |" * len(columns)]
    lines += [
        f"| {name} | " + " | ".join(row.get(column, "") for column in columns) + " |" for name, row in rows.items()
    ]
    return "\n".join(lines) + "\n"
