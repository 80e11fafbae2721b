"""Statutory papers: made from the event that decided them, numbered, checked by anybody, delivered on record."""

import hashlib
import hmac
import re
from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any
from urllib.parse import urlencode
from uuid import UUID, uuid4

import orjson
from flask import current_app
from sqlalchemy import insert, select, text
from sqlalchemy.dialects.postgresql import insert as upsert

from app import calendar_store, clock, timeline, transitions
from app.auth import Identity
from app.directory.models import Organisation
from app.errors import Conflict, Forbidden, Invalid, Unknown
from app.extensions import db
from app.papers import words
from app.papers.kinds import BEGIN_A_RIGHT, BY_HAND, KIND_OF, ONLINE, Kind
from app.papers.models import Paper, PaperDelivery
from app.papers.printing import maker, to_pdf
from app.papers.receipts import code_picture
from app.petitions.models import Petition, PetitionEventRow
from app.petitions.receipts import ALPHABET
from app.privacy import reads
from workflows.actor import Role
from workflows.deadlines import RECEIPT, Deadline, deadlines
from workflows.policies import policies

# Who hands a paper over or posts it: the offices that take cases in, and whoever handles one.
DELIVERERS = frozenset(
    {
        Role.PETITION_OFFICE, Role.TOWNSHIP_OFFICE, Role.TOWNSHIP_DISCIPLINE, Role.COUNTY_DISCIPLINE,
        Role.UPPER_DISCIPLINE, Role.DEPARTMENT_HANDLER, Role.DISPATCHED_GROUP, Role.VILLAGE_SUPERVISOR,
    }
)  # fmt: skip
_DIGITS = {1: 2, 2: 4, 3: 6, 4: 9, 5: 12}
_NUMBER = re.compile(rf"(\d{{4}})\D{{1,3}}(\d{{1,12}})-([{ALPHABET}]{{4}})-([{ALPHABET}]{{4}})")
_PARTS = ("findings", "opinion", "legal_basis", "reason")
# Nobody reads the row back through the insert; of two that make the same paper at once the first one stays.
_NEW_PAPER = upsert(Paper.__table__).inline().on_conflict_do_nothing()
_ONLINE = upsert(PaperDelivery.__table__).inline().on_conflict_do_nothing()
_BY_HAND = insert(PaperDelivery.__table__).inline()


def list_papers(petition_id: UUID, who: Identity) -> list[dict[str, Any]]:
    """The papers of a case that the reader sees, oldest first, each with its delivery record. Raises Unknown.

    A paper is made when it is asked for first, from the timeline alone, and kept as it was made. A look of staff goes on
    record, since a delivery record may say who signed.
    """
    papers = _papers(petition_id)
    reads.record(petition_id, "paper", who)
    rows = db.session.execute(
        text(
            """
            SELECT d.paper_id, d.method, d.on, d.at, d.note, o.name AS body
              FROM paper_deliveries d LEFT JOIN organisations o ON o.id = d.org_id
             WHERE d.petition_id = :id ORDER BY d.at, d.id
            """
        ),
        {"id": petition_id},
    )
    deliveries: dict[UUID, list[dict[str, Any]]] = {}
    for row in rows:
        deliveries.setdefault(row.paper_id, []).append(_delivery(row._mapping))
    return [_view(paper, deliveries.get(paper.id, [])) for paper in papers]


def print_paper(petition_id: UUID, seq: int, who: Identity, *, opened: bool) -> tuple[bytes, str]:
    """The PDF of one paper, and its number. When the petitioner has it `opened`, that is its delivery online; a look of
    staff goes on record. Raises Unknown, Conflict `already-erased`."""
    paper = _paper(petition_id, seq)
    if "paragraphs" not in paper.printed:
        raise Conflict("already-erased")
    reads.record(petition_id, "paper", who, details={"seq": seq})
    if opened and who.actor.kind == "petitioner":
        db.session.execute(_ONLINE, _delivery_row(paper, ONLINE, clock.today(), who, ""))
        _note_receipt(paper, ONLINE, clock.today(), who)
    return to_pdf("paper", paper.printed, paper.decided_at), paper.number


def record_delivery(petition_id: UUID, seq: int, who: Identity, delivery: Mapping[str, Any]) -> dict[str, Any]:
    """Record that a paper was posted, handed over or refused on a day. Raises Unknown, Forbidden, Invalid."""
    if who.actor.role not in DELIVERERS:
        raise Forbidden()
    paper = _paper(petition_id, seq)
    if not words.shanghai_day(paper.decided_at) <= delivery["on"] <= clock.today():
        raise Invalid({"on": ["before the paper, or in the future"]})
    assert delivery["method"] in BY_HAND
    row = _delivery_row(paper, delivery["method"], delivery["on"], who, delivery["note"])
    db.session.execute(_BY_HAND, row)
    _note_receipt(paper, delivery["method"], delivery["on"], who)
    body = db.session.scalar(select(Organisation.name).where(Organisation.id == who.actor.org_id))
    # The note may name who signed for it, and the answer is kept with its idempotency key: it goes back without the note.
    return {name: value for name, value in _delivery({**row, "body": body}).items() if name != "note"}


def _note_receipt(paper: Paper, method: str, on: date, who: Identity) -> None:
    """Put the first delivery of a paper on the timeline, where the deadlines of the case are read from."""
    if paper.kind not in BEGIN_A_RIGHT or _is_received(paper):
        return
    petition = transitions.lock(paper.petition_id)
    # Asked again under the lock: somebody else may just have recorded the same paper.
    if not _is_received(paper):
        facts = {"decided_at": paper.decided_at, "method": method, "on": on}
        transitions.record(petition, RECEIPT, who.actor, facts)


def _is_received(paper: Paper) -> bool:
    made = timeline.plain({"decided_at": paper.decided_at})
    return any(
        event.event == RECEIPT and event.facts.get("decided_at") == made["decided_at"]
        for event in timeline.log_of(paper.petition_id)
    )


def verify_paper(number: str, code: str) -> dict[str, Any]:
    """Whether a paper of this number with this code was issued here; if so its kind, day, and the hash of its file.

    A wrong code, a number that never was and a text that is none are answered alike.
    """
    found = _NUMBER.search(number.upper())
    given = re.sub(rf"[^{ALPHABET}]", "", code.upper())
    row = None
    if found and given:
        row = db.session.execute(
            text("SELECT kind, decided_on, sha256 FROM genuine_paper(:number, :code)"),
            {"number": "-".join(found.groups()), "code": f"{given[:5]}-{given[5:]}"},
        ).one_or_none()
    if row is None:
        return {"genuine": False}
    label, label_en = words.pair(f"kind.{row.kind}")
    return {
        "genuine": True, "kind": row.kind, "label": label, "label_en": label_en, "decided_on": row.decided_on,
        "sha256": row.sha256,
    }  # fmt: skip


def _paper(petition_id: UUID, seq: int) -> Paper:
    for paper in _papers(petition_id):
        if paper.seq == seq:
            return paper
    raise Unknown()


def _papers(petition_id: UUID) -> list[Paper]:
    log = timeline.log_of(petition_id)
    if not log:
        raise Unknown()
    wanted = [n for n, event in enumerate(log) if event.event in KIND_OF]
    made = _made(petition_id) if wanted else []
    missing = [n for n in wanted if log[n].seq not in {paper.seq for paper in made}]
    if missing:
        petition = db.session.get_one(Petition, petition_id)
        if petition.erased_at:
            # The words are gone: what could be made now would not be the paper of then.
            return made
        rows = [_make(petition, log[: n + 1]) for n in missing]
        db.session.execute(_NEW_PAPER, rows)
        made = _made(petition_id)
    return made


def _made(petition_id: UUID) -> list[Paper]:
    return list(db.session.scalars(select(Paper).where(Paper.petition_id == petition_id).order_by(Paper.seq)))


def _make(petition: Petition, log: Sequence[PetitionEventRow]) -> dict[str, Any]:
    """The row of the paper that the last event of `log` decided; what happened later has no part in it."""
    event = log[-1]
    kind = KIND_OF[event.event]
    calendar, versions = calendar_store.current()
    decided_on = words.shanghai_day(event.at)
    running = deadlines(timeline.as_case_events(log), versions, calendar)
    limits = (one for one in running if one.live and one.policy_id in kind.limit)
    limit = min(limits, key=lambda one: one.due_at, default=None)
    in_force = policies(versions, decided_on)
    basis = kind.laws + [in_force[name].basis or "" for name in kind.policies if name in in_force]
    body = db.session.get(Organisation, _issuer(kind, log, petition))
    number = _number(event, body)
    printed = _printed(petition, event, kind, limit, list(dict.fromkeys(filter(None, basis))), body, number)
    code = _code(number, printed)
    settings = current_app.config["SETTINGS"]
    address = f"{settings.public_url}/p/verify"
    check = words.forms()["paper"]["check"].format(url=address)
    rows = words.forms()["paper"]["rows"]
    printed["rows"].append([rows["code"], code])
    printed |= {
        "check": check,
        "qr": code_picture(f"{address}?{urlencode({'number': number, 'code': code})}", "svg").decode(),
    }
    return {
        "id": uuid4(), "petition_id": petition.id, "seq": event.seq, "kind": kind.name, "number": number, "code": code,
        "decided_at": event.at, "made_at": clock.now(), "last_on": limit.due_day if limit else None, "printed": printed,
        "maker": maker(), "sha256": hashlib.sha256(to_pdf("paper", printed, event.at)).hexdigest(),
    }  # fmt: skip


def _printed(
    petition: Petition,
    event: PetitionEventRow,
    kind: Kind,
    limit: Deadline | None,
    basis: list[str],
    body: Organisation | None,
    number: str,
) -> dict[str, Any]:
    """Every word on the sheet but the code. It names no person: the number stands for the petitioner."""
    form, facts = words.forms()["paper"], event.facts
    decided_on = words.shanghai_day(event.at)
    outcome = facts.get("outcome") or facts.get("reason_code") or facts.get("route_code")
    last = (words.day(limit.due_day) + (form["provisional"] if limit.provisional else "")) if limit and limit.due_day else ""
    values = {
        "filed": words.day(petition.filed_on), "day": words.day(decided_on), "days": facts.get("days"), "last": last,
        "outcome": words.pair(f"outcome.{outcome}")[0] if outcome else "",
    }  # fmt: skip
    own = words.forms()["kinds"][kind.name]
    paragraphs = [own["lead"].format(**values)]
    if kind.name == "handling_opinion":
        paragraphs.append(form["outcome"].format(**values))
    for part in _PARTS:
        if facts.get(part):
            paragraphs.append((own.get(part) or form[part]).replace("{" + part + "}", str(facts[part])))
    if last and "limit" in own:
        paragraphs.append(own["limit"].format(**values))
    remedy, remedy_en = words.pair(_remedy(kind, facts))
    year, code, tail = number.split("-", 2)
    full = words.pair("number", word=kind.word, year=year, code=code, tail=tail)[0]
    names = form["rows"]
    return {
        "title": words.pair(f"kind.{kind.name}")[0],
        "number": full,
        "body": body.name if body else "",
        "day": words.day(decided_on),
        "salutation": form["salutation"].format(serial=petition.serial),
        "paragraphs": paragraphs,
        "closing": own["closing"],
        "basis": basis,
        "remedy": [remedy, remedy_en],
        "rows": [
            [names["basis"], "；".join(basis)],
            [names["next"], remedy + "。"],
            [names["last"], last or own.get("no_last", form["no_last"])],
            [names["number"], full],
        ],
        "missing_words": words.forms()["missing_words"],
        "words": {
            "seal": form["seal"], "qr": form["qr"], "stub": form["stub"],
            "stub_lines": words.filled(form["stub_lines"], number=full),
        },
    }  # fmt: skip


def _remedy(kind: Kind, facts: Mapping[str, Any]) -> str:
    redo = kind.name == "review_opinion" and facts.get("outcome") == "redo"
    return f"remedy.{kind.name}" + (".redo" if redo else "")


def _issuer(kind: Kind, log: Sequence[PetitionEventRow], petition: Petition) -> UUID | None:
    """The body that the paper speaks for: the handling one as of that event, else the body of whoever decided."""
    if kind.by_main_body:
        given = next((row.facts["main_org_id"] for row in reversed(log) if row.facts.get("main_org_id")), None)
        if given:
            return UUID(given)
    return log[-1].org_id or petition.owner_org_id


def _number(event: PetitionEventRow, body: Organisation | None) -> str:
    """Year, place of the body and eight letters: no sequence, so that a number tells neither how many there are nor the
    next one. The letters come from the random id of the event: the same paper always has the same number."""
    place = body.division_code[: _DIGITS.get(body.level, 2)] if body else "0"
    return f"{words.shanghai_day(event.at).year}-{place}-{_letters('paper-number', event.id.hex, 8, 4)}"


def _code(number: str, printed: Mapping[str, Any]) -> str:
    """Ten letters that only this server can make for this number with exactly these words."""
    content = hashlib.sha256(orjson.dumps(printed, option=orjson.OPT_SORT_KEYS)).hexdigest()
    return _letters("paper-code", f"{number}\0{content}", 10, 5)


def _letters(purpose: str, value: str, many: int, group: int) -> str:
    key = current_app.config["SETTINGS"].secret_key.encode()
    rest = int.from_bytes(hmac.new(key, f"{purpose}\0{value}".encode(), hashlib.sha256).digest()[:16])
    letters = []
    for _ in range(many):
        rest, at = divmod(rest, len(ALPHABET))
        letters.append(ALPHABET[at])
    return "-".join("".join(letters[n : n + group]) for n in range(0, many, group))


def _delivery_row(paper: Paper, method: str, on: date, who: Identity, note: str) -> dict[str, Any]:
    return {
        "id": uuid4(), "petition_id": paper.petition_id, "paper_id": paper.id, "method": method, "on": on,
        "at": clock.now(), "recorded_by": who.actor.person_id if who.actor.kind == "staff" else None,
        "org_id": who.actor.org_id, "note": note,
    }  # fmt: skip


def _delivery(row: Mapping[str, Any]) -> dict[str, Any]:
    label, label_en = words.pair(f"method.{row['method']}")
    return {**{name: row[name] for name in ("method", "on", "at", "note", "body")}, "label": label, "label_en": label_en}


def _view(paper: Paper, deliveries: list[dict[str, Any]]) -> dict[str, Any]:
    label, label_en = words.pair(f"kind.{paper.kind}")
    return {
        "seq": paper.seq, "kind": paper.kind, "label": label, "label_en": label_en, "number": paper.number,
        "printed_number": paper.printed["number"], "code": paper.code, "decided_at": paper.decided_at,
        "body": paper.printed["body"] or None, "basis": paper.printed["basis"], "last_on": paper.last_on,
        "next": paper.printed["remedy"][0], "next_en": paper.printed["remedy"][1], "sha256": paper.sha256,
        "maker": paper.maker, "url": f"/api/v1/petitions/{paper.petition_id}/papers/{paper.seq}.pdf",
        "deliveries": deliveries,
    }  # fmt: skip
