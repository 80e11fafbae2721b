"""The receipt as paper and as code: it proves that something was filed and says nothing of what."""

import io
from collections.abc import Mapping
from datetime import UTC, date, datetime
from typing import Any, Literal
from uuid import UUID

import orjson
import segno
from flask import current_app
from sqlalchemy import select

from app import calendar_store, clock, timeline, transitions
from app.auth import Identity
from app.errors import Unknown
from app.extensions import db
from app.ledger.statements import event_document
from app.papers import words
from app.papers.printing import to_pdf
from app.petitions.models import Petition, PetitionEventRow, ReceiptRow
from app.petitions.reading import promise_view
from workflows.deadlines import deadlines

# Named in the code itself, so that a reader of any later year knows what it holds.
FORMAT = "MINGJIAN-RECEIPT/1"
_LINE = 72


_EVENT = PetitionEventRow.__table__.c
_AS_GIVEN = (
    select(PetitionEventRow.__table__, ReceiptRow.promises, ReceiptRow.promise)
    .outerjoin(ReceiptRow, ReceiptRow.petition_id == _EVENT.petition_id)
    .where(_EVENT.seq == 1)
)


def receipt_of(petition_id: UUID, who: Identity) -> dict[str, Any]:
    """The receipt of a case as it was given at filing: number, instant, the dates promised then, and the promise that was
    signed then, to the letter. Raises Unknown.

    Salt and opening, with which a verifier takes the receipt, are for the petitioner, as at filing; of a case that was
    sealed or erased they are destroyed. The PIN is not in it: nobody keeps one.
    """
    petition = db.session.get(Petition, petition_id)
    filed = db.session.execute(_AS_GIVEN.where(_EVENT.petition_id == petition_id)).one_or_none()
    if petition is None or filed is None:
        raise Unknown()
    # Letter for letter as it was signed.
    at = petition.filed_at.astimezone(UTC).isoformat()
    dates = {"id": str(petition.id), "serial": petition.serial, "state": filed.to_state, "filed_at": at}
    if filed.promise is None:
        # Filed before receipts were kept: a promise signed today would not be the one that was given.
        return {**dates, "promises": _dates_of(filed)}
    receipt = {
        **dates, "promises": filed.promises, "promise": filed.promise, "commitment": filed.promise["commitment"],
    }  # fmt: skip
    if who.actor.kind == "petitioner" and filed.salt:
        digest = transitions.text_digest_of(petition, filed.salt)
        receipt.update(salt=filed.salt.hex(), opening=event_document(filed, digest))
    return receipt


def _dates_of(filed: Any) -> list[dict[str, Any]]:
    calendar, versions = calendar_store.current()
    running = deadlines(timeline.as_case_events([filed]), versions, calendar)
    return [promise_view(one) for one in running if one.live]


def code_text(receipt: Mapping[str, Any]) -> str:
    """What the code of a receipt holds: number, and where there are any the commitment and the signed promise."""
    lines = [FORMAT, f"number: {receipt['serial']}"]
    lines += [f"{name}: {_plain(receipt[name])}" for name in ("commitment", "promise") if receipt.get(name)]
    return "\n".join(lines)


def code_picture(content: str, kind: Literal["svg", "png"]) -> bytes:
    """A QR code as a picture, readable when a quarter of it is smudged."""
    picture = io.BytesIO()
    more: dict[str, Any] = {"xmldecl": True, "svgns": True, "omitsize": False} if kind == "svg" else {}
    segno.make_qr(content, error="q" if len(content) < 300 else "m").save(
        picture, kind=kind, scale=6, border=4, light="white", **more
    )
    return picture.getvalue()


def receipt_pdf(receipt: Mapping[str, Any]) -> bytes:
    """The receipt on one page, from whatever the receipt holds. Raises Problem 503 `paper-font-missing`."""
    filed_at = _instant(receipt["filed_at"])
    form = words.filled(words.forms()["receipt"], url=current_app.config["SETTINGS"].public_url)
    values = {
        "serial": receipt["serial"],
        "filed": f"{words.day(words.shanghai_day(filed_at))} {filed_at.astimezone(clock.SHANGHAI):%H:%M}",
        "commitment": _lines(receipt.get("commitment")),
        "promise": _lines(receipt.get("promise")),
        "dates": [_date(one, form) for one in receipt["promises"] if words.has(f"deadline.{one['policy']}")],
        "qr": code_picture(code_text(receipt), "svg").decode(),
        "missing_words": words.forms()["missing_words"],
        "words": form,
    }
    return to_pdf("receipt", values, filed_at)


def slip_pdf(serial: str, pin: str) -> bytes:
    """Number and PIN on a slip to put away: what somebody who filed anonymously has instead of an identity."""
    form = words.filled(words.forms()["receipt"], url=current_app.config["SETTINGS"].public_url)
    values = {"serial": serial, "pin": pin, "missing_words": words.forms()["missing_words"], "words": form}
    return to_pdf("slip", values, clock.now())


def _date(promise: Mapping[str, Any], form: Mapping[str, Any]) -> dict[str, Any]:
    zh, en = words.pair(f"deadline.{promise['policy']}")
    on = promise["due_on"] or words.shanghai_day(_instant(promise["due_at"]))
    on = date.fromisoformat(on) if isinstance(on, str) else on
    kind = form["statutory" if promise["statutory"] else "other"]
    return {"name": zh, "name_en": en, "day": words.day(on), "kind": kind, "provisional": bool(promise["provisional"])}


def _instant(value: datetime | str) -> datetime:
    return datetime.fromisoformat(value) if isinstance(value, str) else value


def _lines(value: Any) -> list[str]:
    """Broken where the line is full: digits and letters without a blank would run off the sheet."""
    whole = _plain(value) if value else ""
    return [whole[n : n + _LINE] for n in range(0, len(whole), _LINE)]


def _plain(value: Any) -> str:
    return value if isinstance(value, str) else orjson.dumps(value, option=orjson.OPT_SORT_KEYS, default=str).decode()
