"""A back-up says nothing of a case without its key; a restore gives everything back but what was erased since."""

import io
import json
import subprocess
from datetime import timedelta
from uuid import UUID, uuid4

import psycopg
import pytest
from sqlalchemy import LargeBinary, Text, text
from sqlalchemy.dialects.postgresql import JSONB

from app import clock
from app.backup import boxes, client_tools, writing
from app.backup.content import CONTENT, DERIVED, KEYS, NO_CASE, Content
from app.extensions import db
from app.ledger.sequencing import sequence
from app.supervision.models import ClockOffset
from tests.app.backup_world import BackupWorld, raw, rewrite

MARK, OTHER = "标记Zq", "旁证Wx"
# What hangs on a case and stands in a back-up in clear: codes, numbers, digests, and what is sealed anyway.
CLEAR = {
    "public.alert_links": "kind",
    "public.attachments": "uploader_kind media_type",
    "public.case_messages": "author_kind",
    "public.case_reads": "role division_code what details",
    "public.clue_events": "event from_state to_state actor_kind actor_role facts algorithm nonce ciphertext salt commitment",
    "public.clue_messages": "author_kind algorithm nonce ciphertext",
    "public.clue_reads": "role purpose",
    "public.clues": "serial division_code state disposal outcome false_accusation clarification limits next_policy next_event",
    "public.data_requests": "kind decision ground",
    "public.deadlines": "key policy_id forces",
    "public.exclusions": "reason kin_scope",
    "public.identity_grants": "role",
    "public.identity_openings": "role",
    "public.inbox": "template params",
    "public.inquiries": "role division_code subject_kind subject counts",
    "public.lifting_steps": "step role",
    "public.liftings": "role",
    "public.money_entries": "kind",
    "public.outbox": "audience template status",
    "public.paper_deliveries": "method",
    "public.papers": "kind number code maker sha256",
    "public.petition_events": "event from_state to_state actor_kind actor_role commitment",
    "public.petitions": "serial pin_mac category channel item_type priority way state colour next_policy next_event",
    "public.ratings": "office_grade body_grade",
    "public.receipts": "promises promise",
    "public.recusal_subjects": "kind",
    "public.sessions": "kind refresh_jti revoked_because",
    "public.supervision_orders": "state colour",
    "sealed.clue_contents": "algorithm nonce ciphertext",
}


@pytest.fixture
def world(app, db_session, tmp_path, monkeypatch):
    yield BackupWorld(app, db_session, tmp_path, monkeypatch)
    clock.offset_seconds.set(0)


@pytest.fixture
def six_years(db_session):
    """Moves the product's clock beyond every retention rule for withdrawn cases."""

    def move():
        db_session.rollback()
        db_session.add(ClockOffset(singleton=1, seconds=int(timedelta(days=6 * 366).total_seconds())))
        db_session.commit()

    return move


def bytes_of(word):
    return word.encode(), word.encode().hex().encode(), json.dumps(word).strip('"').encode()


def test_no_word_of_a_case_lies_in_a_backup(world):
    case = world.file(MARK)
    world.fill(UUID(case["id"]), MARK)
    there = {
        table for table, rows in world.rows().items() if any(MARK in row or MARK.encode().hex() in row for row in rows)
    }
    assert there == set(CONTENT) - {"sealed.identities"}, "the database holds the mark in every table with content"
    path = world.backup("dump")
    for file in (path, path.with_name("dump.keys")):
        assert file.stat().st_mode & 0o777 == 0o600
        for name, part in raw(file).items():
            for word in (*bytes_of(MARK), *bytes_of("标记"), case["pin"].encode(), b"13877770001"):
                assert word not in part, name
    assert case["serial"].encode() in raw(path)["public.petitions"]


@pytest.mark.slow
def test_a_restore_with_the_keys_of_the_day_gives_back_every_row_and_the_whole_schema(world, six_years):
    world.file(OTHER)
    six_years()
    assert "1 cases erased" in world.run("retention", "erase", "--yes").output
    world.fill(UUID(world.file(MARK)["id"]), MARK)
    world.file("还在办", end=False)
    path = world.backup("dump")
    before = world.rows()
    with world.empty() as name:
        done = world.run("restore", path, "--keys", f"{path}.keys", database=name)
        assert done.exit_code == 0, done.output
        after = world.rows(name)
        assert {
            table for table in before if before[table] != after.get(table)
        } == set() and before.keys() == after.keys()

        def schema(database):
            url = world.url.set(database=database).render_as_string(hide_password=False)
            with client_tools.output_of("pg_dump", ["--schema-only", "--no-owner", "--no-comments"], url) as script:
                return [line for line in script.read().splitlines() if b"restrict " not in line]

        assert schema(name) == schema(world.url.database)


@pytest.mark.slow
def test_what_was_erased_since_does_not_come_back_and_the_proof_does(world, worker_app, six_years):
    erased, other = world.file(MARK), world.file(OTHER, end=False)
    world.fill(UUID(erased["id"]), MARK)
    with worker_app.app_context():
        sequence(rhythm=None)
    old = world.backup("old")
    timeline = "SELECT seq, at, event, from_state, to_state, commitment FROM petition_events WHERE petition_id = %s ORDER BY seq"
    events = world.ask(timeline, erased["id"])
    six_years()
    assert "1 cases erased" in world.run("retention", "erase", "--yes").output
    world.backup("new")
    with world.empty() as name:
        done = world.run("restore", old, "--keys", world.folder / "new.keys", database=name)
        assert done.exit_code == 0 and "1 cases came back without content" in done.output, done.output
        rows = world.rows(name)
        # What hangs on no case is under a key that nothing erases, and goes after its own time.
        lasting = {table for table, content in CONTENT.items() if content.case == "NULL::uuid"}
        assert {table for table, found in rows.items() if any(MARK in row for row in found)} <= lasting
        assert any(OTHER in row for row in rows["public.petitions"])
        for table, content in CONTENT.items():
            if table not in lasting | {"public.petitions", "public.petition_events"}:
                query = f"SELECT t::text FROM {table} t WHERE {content.case} = %s AND NOT ({content.gone}) ORDER BY 1"
                assert world.ask(query, erased["id"], database=name) == world.ask(query, erased["id"]), table
                assert (
                    world.ask(
                        f"SELECT 1 FROM {table} t WHERE {content.case} = %s AND {content.gone}",
                        erased["id"],
                        database=name,
                    )
                    == []
                )
        kept = "SELECT (to_jsonb(t) - 'erased_at')::text, erased_at IS NOT NULL FROM petitions t WHERE id = %s"
        assert world.ask(kept, erased["id"], database=name) == world.ask(kept, erased["id"])
        again = world.ask(timeline, erased["id"], database=name)
        assert again[:-1] == events and again[-1][2] == "erase_content"
        sound = world.run("ledger", "verify", database=name)
        assert sound.exit_code == 0, sound.output
        assert f"{len(events)} are erased" in sound.output
        assert world.ask(
            "SELECT count(*) FROM sealed.content_keys WHERE petition_id = %s", erased["id"], database=name
        ) == [(0,)]
        assert world.ask(
            "SELECT count(*) FROM sealed.data_keys WHERE petition_id = %s", other["id"], database=name
        ) == [(1,)]
        assert world.run("backup", world.folder / "third", database=name).exit_code == 0, "and goes on being backed up"


def test_the_table_of_content_is_what_erasing_overwrites(world, as_villager):
    case = world.file(MARK)["id"]
    world.fill(UUID(case), MARK)
    as_villager("13877770002")
    world.ask("UPDATE petitions SET villager_id = (SELECT id FROM villagers LIMIT 1) WHERE id = %s", case)
    world.ask(
        "UPDATE petition_events SET actor_id = (SELECT id FROM villagers LIMIT 1) WHERE petition_id = %s AND actor_kind = 'petitioner'",
        case,
    )
    expected, changed = {}, {}
    for table, content in CONTENT.items():
        columns = [
            row[0]
            for row in world.ask(
                "SELECT attname FROM pg_attribute WHERE attrelid = %s::regclass AND attnum > 0 AND NOT attisdropped ORDER BY attnum",
                table,
            )
        ]
        values = ", ".join(f'({content.columns.get(one, f"t.{chr(34)}{one}{chr(34)}")}) AS "{one}"' for one in columns)
        hangs = f"{content.case} = '{case}'" if content.case != "NULL::uuid" else "false"
        untouched = f"SELECT t::text FROM {table} t WHERE ({hangs}) IS NOT TRUE"
        rows = world.ask(
            f"SELECT row_to_json(r)::text FROM (SELECT {values} FROM {table} t WHERE {hangs} AND NOT ({content.gone})) r"
        )
        expected[table] = (
            f"SELECT row_to_json(t)::text FROM {table} t WHERE {hangs}",
            sorted(json.loads(row)["id"] + row for (row,) in rows),
            untouched,
            world.ask(untouched),
        )
        for column in content.columns if hangs != "false" else ():
            different = f'SELECT 1 FROM {table} t WHERE {hangs} AND t."{column}"::text IS DISTINCT FROM ({content.columns[column]})::text'
            changed[table, column] = bool(world.ask(different))
    apart = set(world.rows()) - set(CONTENT) - {"sealed.content_keys", "sealed.data_keys", "public.petition_words"}
    before = world.rows()
    world.ask("SELECT erase_content(%s)", case)
    after = world.rows()
    for table, (query, rows, untouched, others) in expected.items():
        found = [json.loads(row) for (row,) in world.ask(query)]
        wanted = [json.loads(row[36:]) for row in rows]
        for one in (*found, *wanted):
            one.pop("erased_at", None)
        assert sorted(found, key=str) == sorted(wanted, key=str), table
        assert world.ask(untouched) == others, table
    assert {table: after[table] for table in apart} == {table: before[table] for table in apart}
    assert [one for one, different in changed.items() if not different] == []


def test_every_column_of_text_that_hangs_on_a_case_was_thought_of(app):
    """Whoever adds one says here that it is a code, or enters it in app/backup/content.py and in `erase_content`."""
    found = {}
    for table in db.metadata.sorted_tables:
        name = f"{table.schema or 'public'}.{table.name}"
        content = CONTENT.get(name, Content())
        hangs = table.name == "petitions" or {"petition_id", "clue_id"} & {column.key for column in table.columns}
        if not hangs or name in {*DERIVED, *KEYS} or content.gone == "true":
            continue
        kinds = (Text, LargeBinary, JSONB)
        words = [
            column.key
            for column in table.columns
            if isinstance(getattr(column.type, "item_type", column.type), kinds)
            and not column.foreign_keys
            and column.key not in content.columns
        ]
        if words:
            found[name] = " ".join(words)
    assert found == CLEAR


@pytest.mark.slow
def test_a_case_filed_while_the_keys_are_made_is_sealed_like_the_others(world, monkeypatch):
    make = writing._make_keys

    def slow(maker):
        key = make(maker)
        world.file(MARK)
        return key

    monkeypatch.setattr(writing, "_make_keys", slow)
    path = world.backup("dump")
    assert all(word not in part for part in raw(path).values() for word in bytes_of(MARK))
    with world.empty() as name:
        done = world.run("restore", path, "--keys", f"{path}.keys", database=name)
        assert done.exit_code == 0, done.output
        assert world.rows(name) == world.rows()


def refused(world, path, *more, **options):
    """What a restore says that must not work; the target is then as empty as before."""
    with world.empty() as name:
        done = world.run("restore", path, *more, database=name, **options)
        assert done.exit_code == 1 and MARK not in done.output and "标记" not in done.output, done.output
        assert world.nothing_in(name)
    return done.output


@pytest.mark.slow
def test_keys_that_do_not_belong_to_a_backup_are_refused(world):
    world.file(MARK)
    early = world.backup("early")
    path = world.backup("dump")
    keys = path.with_name("dump.keys")
    assert "opens with its keys alone" in refused(world, path)
    assert "there is no file" in refused(world, path, "--keys", world.folder / "nowhere")
    assert "older than the back-up" in refused(world, path, "--keys", f"{early}.keys")
    assert "and not mingjian keys" in refused(world, path, "--keys", path)
    world.session.execute(text("DELETE FROM sealed.content_keys WHERE petition_id = :id"), {"id": NO_CASE})
    world.session.commit()
    assert "another installation" in refused(world, path, "--keys", f"{world.backup('other')}.keys")
    whole = keys.read_bytes()
    keys.write_bytes(whole[: len(whole) // 2])
    assert "cut short or damaged" in refused(world, path, "--keys", keys)


@pytest.mark.slow
def test_a_backup_that_was_cut_short_or_changed_is_refused_and_says_where(world):
    one, two = world.file(MARK), world.file(OTHER)
    path = world.backup("dump")
    keys, whole, parts = f"{path}.keys", path.read_bytes(), raw(path)
    for size in (0, 100, len(whole) // 2, len(whole) - 10):
        path.write_bytes(whole[:size])
        assert "cut short or damaged" in refused(world, path, "--keys", keys)
    middle = bytearray(whole)
    middle[len(whole) // 3] ^= 1
    path.write_bytes(middle)
    assert "damaged" in refused(world, path, "--keys", keys)

    def with_petitions(lines):
        rewrite(path, {**parts, "public.petitions": b"".join(b"\t".join(line) for line in lines)})
        return refused(world, path, "--keys", keys)

    lines = [line.split(b"\t") for line in parts["public.petitions"].splitlines(keepends=True)]
    first = next(line for line in lines if line[0].decode() == one["id"])
    second = next(line for line in lines if line[0].decode() == two["id"])
    flipped = [*first]
    flipped[1] = b"AAAA" + first[1][4:]
    said = with_petitions([flipped, second])
    assert "table public.petitions" in said and one["id"] in said
    moved = [second[0], second[1], *first[2:]]
    assert "table public.petitions, row 1" in with_petitions([moved, second])
    beside = [*first]
    beside[-1] = first[-1].replace(b"\n", b"x\n")
    assert one["id"] in with_petitions([beside, second])
    changed = "changed after it was written"
    assert changed in with_petitions([first]), "a row was taken out"
    stripped = [first[0], rb"\N", *first[2:]]
    assert changed in with_petitions([stripped, second]), "a box was taken out"
    rewrite(path, {**parts, "data.sql": parts["data.sql"].replace("尚一村委会".encode(), "尚二村委会".encode())})
    assert changed in refused(world, path, "--keys", keys), "what stands in clear was changed"
    rewrite(
        path, {**parts, "pre-data.sql": b"CREATE TABLE public.left_behind (x int); COMMIT;\n" + parts["pre-data.sql"]}
    )
    assert changed in refused(world, path, "--keys", keys), "a script that was changed does not run"
    manifest = json.loads(parts["manifest.json"])
    manifest["tables"]["public.petitions"]["content"].remove("body")
    rewrite(path, {**parts, "manifest.json": json.dumps(manifest).encode()})
    assert changed in refused(world, path, "--keys", keys)
    path.write_text("no back-up")
    assert "is no back-up" in refused(world, path, "--keys", keys)


def test_a_backup_never_overwrites_and_a_restore_needs_an_empty_database(world):
    path = world.backup("dump")
    assert "never overwrites" in world.run("backup", path).output
    assert "never overwrites" in world.run("backup", world.folder / "b", "--keys", f"{path}.keys").output
    assert "not empty" in world.run("restore", path, "--keys", f"{path}.keys").output
    assert "can not be written" in world.run("backup", world.folder / "missing" / "x").output
    world.ask("DROP TABLE sealed.content_keys")
    assert "run `flask db upgrade` first" in world.run("backup", world.folder / "c").output
    assert sorted(one.name for one in world.folder.iterdir()) == ["dump", "dump.keys"]


@pytest.mark.slow
def test_a_backup_of_the_older_form_still_comes_back(world):
    case = world.file(MARK)
    path, keys = world.folder / "older", world.folder / "older.keys"
    url = world.url.render_as_string(hide_password=False)
    for target, what in (
        (path, ["--exclude-table-data=sealed.data_keys"]),
        (keys, ["--table=sealed.data_keys", "--data-only"]),
    ):
        with client_tools.output_of("pg_dump", ["--format=custom", *what], url) as written:
            target.write_bytes(written.read())
    before = world.rows()
    with world.empty() as name:
        done = world.run("restore", path, "--keys", keys, database=name)
        assert done.exit_code == 0 and "older form" in done.output, done.output
        assert world.rows(name) == before
    with world.empty() as name:
        done = world.run("restore", path, "--keys", f"{world.backup('dump')}.keys", database=name)
        assert done.exit_code == 0, done.output
        assert world.ask("SELECT count(*) FROM sealed.data_keys WHERE petition_id = %s", case["id"], database=name) == [
            (1,)
        ]
    path.write_bytes(path.read_bytes()[:2000])
    assert "pg_restore failed" in refused(world, path)


@pytest.mark.slow
def test_files_are_copied_once_under_seal_and_those_of_an_erased_case_stay_shut(world, app, six_years):
    world.file(MARK)
    world.file(OTHER, end=False)
    stored = app.config["SETTINGS"].files_dir
    pictures = {one.name: one.read_bytes() for one in stored.rglob("*") if one.is_file()}
    copies = world.folder / "copies"
    done = world.run("backup", world.folder / "one", "--files", copies)
    assert "2 files copied, 0 were there before" in done.output, done.output
    sealed = {one.name: one for one in copies.rglob("*") if one.is_file()}
    assert sealed.keys() == pictures.keys() and {one.stat().st_mode & 0o777 for one in sealed.values()} == {0o600}
    assert all(
        b"PNG" not in one.read_bytes() and pictures[name][8:40] not in one.read_bytes() for name, one in sealed.items()
    )
    assert "0 files copied, 2 were there before" in world.run("backup", world.folder / "two", "--files", copies).output
    with world.empty() as name:
        back = world.folder / "back"
        done = world.run(
            "restore",
            world.folder / "one",
            "--keys",
            world.folder / "two.keys",
            "--files",
            copies,
            database=name,
            files=back,
        )
        assert "2 files brought back" in done.output, done.output
        assert {one.name: one.read_bytes() for one in back.rglob("*") if one.is_file()} == pictures
    six_years()
    world.run("retention", "erase", "--yes", files=stored)
    world.run("backup", world.folder / "three", "--files", copies, files=stored)
    with world.empty() as name:
        kept = world.folder / "kept"
        done = world.run(
            "restore",
            world.folder / "one",
            "--keys",
            world.folder / "three.keys",
            "--files",
            copies,
            database=name,
            files=kept,
        )
        assert "1 files brought back, 0 were there, 0 are not in" in done.output, done.output
        (left,) = [one.name for one in kept.rglob("*") if one.is_file()]
    content = sealed[left].read_bytes()
    sealed[left].write_bytes(content[:-1])
    said = refused(
        world, world.folder / "one", "--keys", world.folder / "three.keys", "--files", copies, files=world.folder / "no"
    )
    assert f"the sealed file {left} does not open" in said
    assert not any(one.is_file() for one in (world.folder / "no").rglob("*"))


def test_a_file_that_the_database_names_and_nobody_finds_is_told(world, app):
    world.file(MARK)
    (stored,) = [one for one in app.config["SETTINGS"].files_dir.rglob("*") if one.is_file()]
    stored.unlink()
    done = world.run("backup", world.folder / "dump", "--files", world.folder / "copies")
    assert done.exit_code == 0 and "Look into this: 1 files" in done.output


def test_neither_web_nor_worker_touches_a_content_key(world, database):
    world.backup("dump")
    for role in ("DATABASE_URL", "WORKER_DATABASE_URL"):
        with psycopg.connect(database[role], autocommit=True) as there:
            for statement in (
                "SELECT * FROM sealed.content_keys", "DELETE FROM sealed.content_keys", "UPDATE sealed.content_keys SET key = key",
                "INSERT INTO sealed.content_keys VALUES (gen_random_uuid(), sha256('x'))", "SELECT kept_facts('{}')",
            ):  # fmt: skip
                with pytest.raises(psycopg.errors.InsufficientPrivilege):
                    there.execute(statement)


def test_the_command_line_shows_no_password(monkeypatch):
    seen = []
    monkeypatch.setattr(
        subprocess, "Popen", lambda command, env, **_more: seen.append((command, env)) or (_ for _ in ()).throw(OSError)
    )
    with (
        pytest.raises(OSError),
        client_tools.output_of("pg_dump", [], "postgresql+psycopg://mj_owner:geheim@127.0.0.1/x"),
    ):
        pass
    ((command, environment),) = seen
    assert "geheim" not in " ".join(command) and environment["PGPASSWORD"] == "geheim"


@pytest.mark.parametrize("size", [0, 1, boxes._PIECE - 1, boxes._PIECE, boxes._PIECE + 1, 3 * boxes._PIECE])
def test_a_sealed_file_opens_whole_under_its_key_and_name_and_never_in_part(size):
    key, name, content = b"k" * 32, uuid4(), bytes(range(256)) * (size // 256) + b"x" * (size % 256)
    box, out = io.BytesIO(), io.BytesIO()
    boxes.seal_file(key, name, io.BytesIO(content), box)
    boxes.open_file(key, name, io.BytesIO(box.getvalue()), out)
    assert out.getvalue() == content
    sealed, piece, head = box.getvalue(), boxes._PIECE + 16, 40
    changed = [sealed[:-1], sealed + b"x", sealed[: head + (len(sealed) - head - 1) // piece * piece], sealed[:20], b""]
    if size == 3 * boxes._PIECE:
        changed.append(
            sealed[:head]
            + sealed[head + piece : head + 2 * piece]
            + sealed[head : head + piece]
            + sealed[head + 2 * piece :]
        )
    for wrong in changed:
        with pytest.raises(boxes.BoxError):
            boxes.open_file(key, name, io.BytesIO(wrong), io.BytesIO())
    for other_key, other_name in ((b"j" * 32, name), (key, uuid4())):
        with pytest.raises(boxes.BoxError):
            boxes.open_file(other_key, other_name, io.BytesIO(sealed), io.BytesIO())


def test_a_key_is_found_among_many_and_only_its_own():
    cases = sorted((uuid4() for _ in range(500)), key=lambda one: one.bytes)
    keys = boxes.ContentKeys(b"".join(case.bytes + case.bytes[::-1] * 2 for case in cases))
    assert all(keys.of(case) == case.bytes[::-1] * 2 == keys.of(str(case).encode()) for case in cases)
    assert keys.of(uuid4()) is None and boxes.ContentKeys(b"").of(cases[0]) is None
    with pytest.raises(ValueError, match="not a list"):
        boxes.ContentKeys(b"x" * 47)
