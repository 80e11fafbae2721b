"""Attachments over HTTP: resumable uploads, quarantine, links that open for five minutes."""

import base64
import hashlib
import io
import secrets
import socket
import threading
import time
from datetime import timedelta
from uuid import UUID, uuid4

import pytest
from PIL import Image
from sqlalchemy import select, text, update
from werkzeug.serving import make_server

from app import clock
from app.auth import VISITOR, Identity
from app.database import transaction
from app.errors import Problem
from app.extensions import db
from app.files import scanner, service
from app.files.models import Attachment
from app.files.storage import LocalFolder

VILLAGE = "330213007213"
PHONE = "13800000001"
PDF = b"%PDF-1.7\n" + b"rent receipt " * 500
TUS = {"Tus-Resumable": "1.0.0"}


@pytest.fixture(autouse=True)
def folder(app, tmp_path, monkeypatch):
    """Files of these tests lie in a folder of their own."""
    monkeypatch.setattr(service, "storage", lambda: LocalFolder(tmp_path))
    return tmp_path


@pytest.fixture
def villager(province, as_villager):
    return as_villager(PHONE)


@pytest.fixture
def petition(client, villager) -> str:
    draft = {
        "division_code": VILLAGE,
        "title": "租金从未收到",
        "body": "村集体的厂房租金十年未入账。",
        "name": "王某",
        "phone": PHONE,
    }
    key = {"Idempotency-Key": secrets.token_urlsafe(24)}
    answer = client.post("/api/v1/petitions", json=draft, headers={**villager, **key})
    assert answer.status_code == 201, answer.text
    return answer.json["id"]


def jpeg() -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (80, 60), "navy").save(out, "JPEG", comment=b"secret comment")
    return out.getvalue()


def metadata(name: str) -> str:
    return "filename " + base64.b64encode(name.encode()).decode()


def announce(client, petition, headers, name: str, size: int, **more: str):
    told = {**TUS, **headers, "Upload-Length": str(size), "Upload-Metadata": metadata(name), **more}
    return client.post(f"/api/v1/petitions/{petition}/uploads", headers=told)


def send(client, where: str, headers, offset: int, content: bytes):
    told = {**TUS, **headers, "Upload-Offset": str(offset), "Content-Type": "application/offset+octet-stream"}
    return client.patch(where, headers=told, data=content)


def upload(client, petition, headers, name: str, content: bytes) -> str:
    """Upload in one piece and return the id."""
    answer = announce(client, petition, headers, name, len(content))
    assert answer.status_code == 201, answer.text
    where = answer.headers["Location"]
    answer = send(client, where, headers, 0, content)
    assert answer.status_code == 204, answer.text
    return where.rpartition("/")[2]


def stored(db_session, upload_id: str) -> Attachment:
    db_session.rollback()
    return db_session.scalars(select(Attachment).where(Attachment.id == UUID(upload_id))).one()


def test_a_photo_sent_in_pieces_is_part_of_the_case_without_what_the_phone_wrote_into_it(
    client, petition, villager, db_session
):
    content = jpeg()
    answer = announce(client, petition, villager, "现场.jpg", len(content))
    assert answer.status_code == 201
    where = answer.headers["Location"]
    assert send(client, where, villager, 0, content[:100]).headers["Upload-Offset"] == "100"
    state = client.head(where, headers={**TUS, **villager})
    assert (state.headers["Upload-Offset"], state.headers["Upload-Length"]) == ("100", str(len(content)))
    assert state.headers["Cache-Control"] == "no-store"
    last = send(client, where, villager, 100, content[100:])
    assert (last.status_code, last.headers["Upload-Offset"]) == (204, str(len(content)))
    row = stored(db_session, where.rpartition("/")[2])
    assert (row.status, row.media_type, row.name, row.received) == ("released", "image/jpeg", "现场.jpg", len(content))

    link = client.get(f"/api/v1/attachments/{row.id}/link", headers=villager).json
    file = client.get(link["url"], buffered=True)
    assert file.status_code == 200
    assert file.mimetype == "image/jpeg"
    assert b"secret" not in file.data
    assert hashlib.sha256(file.data).hexdigest() == row.sha256
    assert len(file.data) == row.size
    assert file.headers["Content-Disposition"].startswith("attachment;")
    assert "%E7%8E%B0%E5%9C%BA.jpg" in file.headers["Content-Disposition"]
    assert file.headers["X-Content-Type-Options"] == "nosniff"
    assert "sandbox" in file.headers["Content-Security-Policy"]


def test_an_upload_resumes_at_what_is_on_the_disk_when_the_process_died_before_the_row_was_written(
    client, petition, villager, folder, db_session
):
    where = announce(client, petition, villager, "a.pdf", len(PDF)).headers["Location"]
    key = where.rpartition("/")[2]
    # What a killed process leaves behind: bytes in the folder that the row knows nothing of.
    LocalFolder(folder).append(UUID(key), 0, io.BytesIO(PDF[:1000]), len(PDF))
    assert stored(db_session, key).received == 0
    assert client.head(where, headers={**TUS, **villager}).headers["Upload-Offset"] == "1000"
    assert send(client, where, villager, 1000, PDF[1000:]).status_code == 204
    row = stored(db_session, key)
    assert (row.status, row.sha256) == ("quarantined", hashlib.sha256(PDF).hexdigest())


def test_a_complete_upload_whose_process_died_is_settled_by_the_worker(
    client, petition, villager, worker_app, folder, db_session
):
    where = announce(client, petition, villager, "a.pdf", len(PDF)).headers["Location"]
    key = where.rpartition("/")[2]
    LocalFolder(folder).append(UUID(key), 0, io.BytesIO(PDF), len(PDF))
    db_session.execute(update(Attachment).values(created_at=Attachment.created_at - timedelta(minutes=2)))
    db_session.commit()
    with worker_app.app_context():
        assert service.tidy_uploads().done == 1
        assert service.tidy_uploads().done == 0
    assert stored(db_session, key).status == "quarantined"


def test_an_upload_nobody_continues_is_given_up_after_two_days_and_its_bytes_go(
    client, petition, villager, worker_app, folder, db_session
):
    where = announce(client, petition, villager, "a.pdf", len(PDF)).headers["Location"]
    send(client, where, villager, 0, PDF[:10])
    with worker_app.app_context():
        assert service.tidy_uploads().done == 0
    db_session.execute(update(Attachment).values(created_at=Attachment.created_at - timedelta(days=3)))
    db_session.commit()
    with worker_app.app_context():
        assert service.tidy_uploads().done == 1
    assert stored(db_session, where.rpartition("/")[2]).refused_because == "abandoned"
    assert [path for path in folder.rglob("*") if path.is_file()] == []
    assert client.head(where, headers={**TUS, **villager}).status_code == 410


def test_a_wrong_offset_is_a_conflict_and_adds_nothing(client, petition, villager):
    where = announce(client, petition, villager, "a.pdf", len(PDF)).headers["Location"]
    send(client, where, villager, 0, PDF[:10])
    for offset in (0, 9, 11, 10**14):
        answer = send(client, where, villager, offset, b"x")
        assert (answer.status_code, answer.json["type"]) == (409, "/problems/wrong-offset")
    assert client.head(where, headers={**TUS, **villager}).headers["Upload-Offset"] == "10"


def test_more_than_announced_is_too_large_and_adds_nothing(client, petition, villager):
    where = announce(client, petition, villager, "a.pdf", 20).headers["Location"]
    assert send(client, where, villager, 0, b"x" * 21).status_code == 413
    assert client.head(where, headers={**TUS, **villager}).headers["Upload-Offset"] == "0"


def test_a_file_above_the_limit_is_refused_before_anything_is_sent(client, petition, villager):
    assert announce(client, petition, villager, "a.mp4", 10**15 - 1).status_code == 413


@pytest.mark.parametrize(
    ("headers", "status", "field"),
    [
        ({"Upload-Length": "-1"}, 422, "Upload-Length"),
        ({"Upload-Length": "1.5"}, 422, "Upload-Length"),
        ({"Upload-Length": "\u0663".encode().decode("latin-1")}, 422, "Upload-Length"),
        ({"Upload-Length": "9" * 40}, 422, "Upload-Length"),
        ({"Upload-Length": ""}, 422, "Upload-Length"),
        ({"Upload-Length": "0"}, 422, "file"),
        ({"Upload-Metadata": ""}, 422, "Upload-Metadata"),
        ({"Upload-Metadata": "filename"}, 422, "file"),
        ({"Upload-Metadata": "filename ***"}, 422, "Upload-Metadata"),
        ({"Upload-Metadata": "filename /////w=="}, 422, "Upload-Metadata"),
        ({"Upload-Metadata": "name YS5wZGY="}, 422, "Upload-Metadata"),
        ({"Upload-Metadata": metadata("a\0.pdf")}, 422, "file"),
        ({"Upload-Metadata": metadata("..")}, 422, "file"),
        ({"Upload-Metadata": metadata("a.exe")}, 422, "file"),
        ({"Upload-Metadata": metadata("IMG_1.HEIC")}, 422, "file"),
        ({"Tus-Resumable": "0.2.2"}, 412, None),
        ({"Tus-Resumable": ""}, 412, None),
    ],
)
def test_a_malformed_announcement_is_refused_with_the_field_named(
    client, petition, villager, db_session, headers, status, field
):
    answer = announce(client, petition, villager, "a.pdf", 10, **headers)
    assert answer.status_code == status, answer.text
    assert answer.mimetype == "application/problem+json"
    assert answer.headers["Tus-Resumable"] == "1.0.0"
    if field:
        assert list(answer.json["errors"]) == [field]
    else:
        assert answer.headers["Tus-Version"] == "1.0.0"
    assert db_session.scalars(select(Attachment)).all() == []


def test_a_name_with_folders_keeps_only_its_last_part_and_no_file_bears_it(
    client, petition, villager, folder, db_session
):
    key = upload(client, petition, villager, "../../../tmp/evil.pdf", PDF)
    assert stored(db_session, key).name == "evil.pdf"
    assert {path.name for path in folder.rglob("*") if path.is_file()} == {key}


def test_a_piece_of_another_content_type_is_refused(client, petition, villager):
    where = announce(client, petition, villager, "a.pdf", len(PDF)).headers["Location"]
    told = {**TUS, **villager, "Upload-Offset": "0", "Content-Type": "application/pdf"}
    assert client.patch(where, headers=told, data=PDF).status_code == 415


def test_options_tell_what_the_server_speaks_without_a_sign_in(client):
    answer = client.options(f"/api/v1/petitions/{uuid4()}/uploads")
    assert answer.status_code == 204
    assert answer.headers["Tus-Version"] == "1.0.0"
    assert answer.headers["Tus-Extension"] == "creation"
    assert int(answer.headers["Tus-Max-Size"]) > 0


def test_content_that_belies_its_name_is_refused_and_nothing_of_it_is_kept(
    client, petition, villager, folder, db_session
):
    content = b"MZ\x90\0" + b"x" * 100
    where = announce(client, petition, villager, "合同.pdf", len(content)).headers["Location"]
    answer = send(client, where, villager, 0, content)
    assert (answer.status_code, answer.json["type"]) == (422, "/problems/file-refused")
    assert answer.json["reason"] == "unknown-type"
    assert stored(db_session, where.rpartition("/")[2]).status == "refused"
    assert [path for path in folder.rglob("*") if path.is_file()] == []
    assert client.get(f"/api/v1/attachments/{where.rpartition('/')[2]}/link", headers=villager).status_code == 409


def test_a_pdf_opens_only_after_the_scanner_called_it_clean(
    client, petition, villager, worker_app, db_session, monkeypatch
):
    clean = upload(client, petition, villager, "clean.pdf", PDF)
    bad = upload(client, petition, villager, "bad.pdf", PDF + b"EICAR")
    quarantined = client.get(f"/api/v1/attachments/{clean}/link", headers=villager)
    assert (quarantined.status_code, quarantined.json["type"]) == (409, "/problems/file-not-released")
    use_scanner(worker_app, monkeypatch, lambda content: "Eicar" if b"EICAR" in content else None)
    with worker_app.app_context():
        assert service.scan_quarantined(10).done == 2
        assert service.scan_quarantined(10).done == 0
    assert stored(db_session, clean).status == "released"
    assert (stored(db_session, bad).status, stored(db_session, bad).refused_because) == ("refused", "virus")
    url = client.get(f"/api/v1/attachments/{clean}/link", headers=villager).json["url"]
    assert client.get(url, buffered=True).data == PDF
    part = client.get(url, headers={"Range": "bytes=0-4"}, buffered=True)
    assert (part.status_code, part.data) == (206, b"%PDF-")
    assert client.get(url, headers={"Range": "bytes=999999999-"}).status_code == 416


def use_scanner(app, monkeypatch, judge) -> None:
    settings = app.config["SETTINGS"]
    with_scanner = type(settings)(
        **{name: getattr(settings, name) for name in settings.__slots__} | {"clamd_address": "x:1"}
    )
    monkeypatch.setitem(app.config, "SETTINGS", with_scanner)
    monkeypatch.setattr(scanner, "scan", lambda _address, source: judge(source.read()))


def test_a_scanner_that_is_down_releases_nothing(client, petition, villager, worker_app, db_session, monkeypatch):
    key = upload(client, petition, villager, "a.pdf", PDF)

    def down(_content: bytes) -> None:
        raise scanner.ScannerDown("ConnectionRefusedError")

    use_scanner(worker_app, monkeypatch, down)
    with worker_app.app_context():
        assert service.scan_quarantined(10).done == 0
    assert stored(db_session, key).status == "quarantined"


def test_a_file_the_scanner_can_not_judge_stays_and_does_not_hold_up_the_others(
    client, petition, villager, worker_app, db_session, monkeypatch
):
    stuck = upload(client, petition, villager, "stuck.pdf", PDF + b"LONG")
    other = upload(client, petition, villager, "other.pdf", PDF)

    def judge(content: bytes) -> None:
        if b"LONG" in content:
            raise scanner.NotScanned("size limit exceeded")

    use_scanner(worker_app, monkeypatch, judge)
    with worker_app.app_context():
        assert service.scan_quarantined(1).done == 0
        assert service.scan_quarantined(1).done == 1
    assert (stored(db_session, stuck).status, stored(db_session, stuck).refused_because) == (
        "quarantined",
        "not-scanned",
    )
    assert stored(db_session, other).status == "released"


def test_without_a_scanner_production_releases_nothing_and_a_trial_does(
    client, petition, villager, worker_app, db_session, monkeypatch
):
    key = upload(client, petition, villager, "a.pdf", PDF)
    settings = worker_app.config["SETTINGS"]
    values = {name: getattr(settings, name) for name in settings.__slots__}
    with worker_app.app_context():
        monkeypatch.setitem(worker_app.config, "SETTINGS", type(settings)(**values | {"mode": "production"}))
        assert service.scan_quarantined(10).done == 0
        assert stored(db_session, key).status == "quarantined"
        monkeypatch.setitem(worker_app.config, "SETTINGS", settings)
        assert service.scan_quarantined(10).done == 1
    assert stored(db_session, key).status == "released"


def test_a_link_dies_after_five_minutes_and_a_forged_one_never_lived(client, petition, villager, monkeypatch):
    key = upload(client, petition, villager, "a.jpg", jpeg())
    url = client.get(f"/api/v1/attachments/{key}/link", headers=villager).json["url"]
    assert client.get(url, buffered=True).status_code == 200
    forged = url[:-10] + ("B" if url[-10] == "A" else "A") + url[-9:]
    assert client.get(forged).status_code == 404
    assert client.get("/files/x").status_code == 404
    real = clock.now
    monkeypatch.setattr(clock, "now", lambda: real() + timedelta(minutes=5, seconds=1))
    late = client.get(url)
    assert (late.status_code, late.json["type"]) == (410, "/problems/link-expired")


def test_somebody_elses_case_takes_no_file_and_shows_none(client, petition, villager, as_villager):
    stranger = as_villager("13800000002")
    assert announce(client, petition, stranger, "a.pdf", 10).status_code == 404
    where = announce(client, petition, villager, "a.pdf", len(PDF)).headers["Location"]
    assert client.head(where, headers={**TUS, **stranger}).status_code == 404
    assert send(client, where, stranger, 0, PDF).status_code == 404
    assert client.get(f"/api/v1/attachments/{where.rpartition('/')[2]}/link", headers=stranger).status_code == 404
    assert client.head(where, headers=TUS).status_code == 401
    assert announce(client, uuid4(), villager, "a.pdf", 10).status_code == 404


def test_the_twenty_first_file_is_refused(client, petition, villager):
    for number in range(service.FILES_PER_CASE):
        assert announce(client, petition, villager, f"{number}.pdf", 10).status_code == 201
    answer = announce(client, petition, villager, "more.pdf", 10)
    assert (answer.status_code, answer.json["type"]) == (409, "/problems/too-many-files")


def test_the_same_announcement_with_the_same_key_names_the_same_upload(client, petition, villager):
    key = {"Idempotency-Key": secrets.token_urlsafe(24)}
    first = announce(client, petition, villager, "a.pdf", 10, **key)
    assert announce(client, petition, villager, "a.pdf", 10, **key).headers["Location"] == first.headers["Location"]
    assert announce(client, petition, villager, "b.pdf", 10, **key).status_code == 422


def test_a_file_from_a_plain_form_is_attached_whole_and_a_refused_one_leaves_nothing(app, petition, folder):
    case = UUID(petition)
    who = Identity(actor=VISITOR, petition_id=case, session_id=None, kind="receipt")
    with app.app_context():
        with transaction(VISITOR, petition_id=case):
            shown = service.attach_whole(case, who, "C:\\fakepath\\photo.webp", io.BytesIO(jpeg()))
        assert (shown["name"], shown["status"]) == ("photo.jpg", "released")
        kept = {path.name for path in folder.rglob("*") if path.is_file()}
        assert kept == {str(shown["id"])}
        with pytest.raises(Problem) as refused, transaction(VISITOR, petition_id=case):
            service.attach_whole(case, who, "photo.jpg", io.BytesIO(b"\xff\xd8\xff broken"))
        assert refused.value.slug == "file-refused"
        with transaction(VISITOR, petition_id=case):
            assert [one["name"] for one in service.list_for(case)] == ["photo.jpg"]
        assert {path.name for path in folder.rglob("*") if path.is_file()} == kept
        db.session.remove()


def test_every_reason_for_refusing_a_file_has_its_text():
    reasons = [
        "empty",
        "bad-name",
        "unknown-type",
        "other-type",
        "damaged",
        "too-many-pixels",
        "not-scanned",
        "virus",
        "abandoned",
    ]
    for reason in reasons:
        zh, en = service.catalogue("files")[reason]
        assert zh and en


def test_what_arrived_before_the_phone_lost_its_connection_is_kept(app, client, petition, villager):
    where = announce(client, petition, villager, "a.mp4", 10_000_000).headers["Location"]
    server = make_server("127.0.0.1", 0, app, threaded=True)
    serving = threading.Thread(target=server.serve_forever, daemon=True)
    serving.start()
    try:
        told = {
            **TUS,
            **villager,
            "Host": "localhost",
            "Upload-Offset": "0",
            "Content-Type": "application/offset+octet-stream",
            "Content-Length": "10000000",
        }
        head = "".join(f"{name}: {value}\r\n" for name, value in told.items())
        with socket.create_connection(("127.0.0.1", server.server_port)) as phone:
            phone.sendall(f"PATCH {where} HTTP/1.1\r\n{head}\r\n".encode() + b"x" * 3_000_000)
        deadline = time.monotonic() + 10
        arrived = 0
        while arrived < 2_000_000 and time.monotonic() < deadline:
            time.sleep(0.05)
            arrived = int(client.head(where, headers={**TUS, **villager}).headers["Upload-Offset"])
        assert 2_000_000 <= arrived <= 3_000_000
    finally:
        server.shutdown()
        serving.join()
        server.server_close()


def test_staff_of_the_place_attach_and_open_files_and_others_see_none(client, petition, villager, as_staff):
    key = upload(client, petition, as_staff("fenghua.office"), "笔录.png", jpeg())
    link = f"/api/v1/attachments/{key}/link"
    assert client.get(link, headers=villager).status_code == 200
    assert client.get(link, headers=as_staff("wuxing.office")).status_code == 404
    where = announce(client, petition, as_staff("fenghua.office"), "a.pdf", 10).headers["Location"]
    for other in (villager, as_staff("fenghua.head")):
        assert send(client, where, other, 0, b"%PDF-1.7\n.").status_code == 404
    assert send(client, where, as_staff("fenghua.office"), 0, b"%PDF-1.7\n.").status_code == 204


def test_a_case_that_has_ended_takes_no_more_files(client, petition, villager, db_session):
    db_session.execute(text("UPDATE petitions SET state = 'withdrawn'"))
    db_session.commit()
    answer = announce(client, petition, villager, "a.pdf", 10)
    assert (answer.status_code, answer.json["type"]) == (409, "/problems/case-closed")


def test_an_upload_given_up_while_its_last_piece_was_on_the_way_does_not_pass_for_complete(
    client, petition, villager, db_session, monkeypatch
):
    where = announce(client, petition, villager, "a.pdf", len(PDF)).headers["Location"]
    inspect = service.inspect

    def meanwhile(upload):
        db_session.execute(update(Attachment).values(status="refused", refused_because="abandoned"))
        db_session.commit()
        return inspect(upload)

    monkeypatch.setattr(service, "inspect", meanwhile)
    assert send(client, where, villager, 0, PDF).status_code == 410
