"""Transactions that know who acts.

Row-level security decides what each statement may see. It reads the actor from settings of the transaction, so every
transaction opens with one statement that sets them; without it nothing is visible. The settings are local to the
transaction (`set_config(…, true)`): a pooled connection can not carry them into the next one.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import lru_cache
from typing import Any, NamedTuple
from uuid import UUID

import click
import orjson
from psycopg.pq import TransactionStatus
from sqlalchemy import Connection, Engine, Row, Table, TextualSelect, column, event, inspect, text
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import make_transient, make_transient_to_detached
from sqlalchemy.orm.exc import StaleDataError

from app import clock
from app.config import URL_VARIABLES, DatabaseRole
from app.extensions import db
from workflows.actor import SYSTEM_ACTOR, Actor, Role

AREA_ROLES = frozenset(
    {
        Role.TOWNSHIP_OFFICE,
        Role.TOWNSHIP_DISCIPLINE,
        Role.PETITION_OFFICE,
        Role.COUNTY_DISCIPLINE,
        Role.UPPER_DISCIPLINE,
    }
)
ASSIGNED_ROLES = frozenset({Role.DEPARTMENT_HANDLER, Role.DISPATCHED_GROUP, Role.VILLAGE_SUPERVISOR})

# One statement: nine settings and the demonstration offset in a single round trip. The unused ones are set to the empty
# string on purpose, so that nothing of an earlier savepoint of the same transaction can remain. What they were set to is one
# column, and the columns are named, because each column of an answer costs, and most where it has to be found out anew each time.
_SET_ACTOR = text(
    """
    SELECT concat(set_config('mj.kind', :kind, true), set_config('mj.person', :person, true), set_config('mj.role', :role, true),
                  set_config('mj.org', :org, true), set_config('mj.lo', :lo, true), set_config('mj.hi', :hi, true),
                  set_config('mj.reach', :reach, true), set_config('mj.petition', :petition, true),
                  set_config('mj.purpose', :purpose, true)),
           (SELECT seconds FROM clock_offset)
    """
).columns(column("actor"), column("seconds"))


SYSTEM = SYSTEM_ACTOR


def reach_of(actor: Actor, petition_id: UUID | None) -> str:
    """How far the actor sees: `all`, `area`, `assigned`, `own`, `receipt`, or nothing (the empty string)."""
    if actor.kind == "system":
        return "all"
    if actor.kind == "petitioner":
        return "receipt" if petition_id else "own"
    if actor.role in AREA_ROLES:
        return "area"
    return "assigned" if actor.role in ASSIGNED_ROLES else ""


def set_actor(actor: Actor, *, petition_id: UUID | None = None, purpose: str = "") -> None:
    """Tell the open transaction who acts. `petition_id` narrows a petitioner signed in by receipt to that one case."""
    staff = actor.kind == "staff"
    row = db.session.execute(
        _SET_ACTOR,
        {
            "kind": actor.kind,
            "person": str(actor.person_id or ""),
            "role": actor.role,
            "org": str(actor.org_id or ""),
            "lo": actor.scope if staff else "",
            # ':' is the character after '9', so [scope, scope:) holds exactly the codes that begin with the scope.
            "hi": f"{actor.scope}:" if actor.scope or not staff else "",
            "reach": reach_of(actor, petition_id),
            "petition": str(petition_id or ""),
            "purpose": purpose,
        },
    ).one()
    clock.offset_seconds.set(row.seconds or 0)


@event.listens_for(Engine, "rollback")
def _keep_prepared_statements(connection: Connection) -> None:
    """Roll back below the driver, which would forget every statement it has prepared, in case one of their tables went with
    the transaction. Here no table ever does, and planning a case anew takes longer than answering. The driver finds the
    transaction ended; a connection that is broken is left to it.
    """
    if connection.invalidated:
        return
    pgconn = getattr(connection.connection.dbapi_connection, "pgconn", None)
    if pgconn is not None and pgconn.transaction_status in (TransactionStatus.INTRANS, TransactionStatus.INERROR):
        pgconn.exec_(b"ROLLBACK")


@contextmanager
def transaction(actor: Actor, *, petition_id: UUID | None = None, purpose: str = "") -> Iterator[None]:
    """One transaction in the actor's name: committed at the end, rolled back on any exception."""
    try:
        set_actor(actor, petition_id=petition_id, purpose=purpose)
        yield
        db.session.commit()
    except BaseException:
        db.session.rollback()
        raise


@contextmanager
def one_statement() -> Iterator[Connection]:
    """A connection for a single statement of nobody: a function of the database that asks by itself who comes, so often that three
    round trips less are worth it. It stands when it is answered; a second statement would be a transaction of its own."""
    with db.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        yield connection


class Target(NamedTuple):
    """A table that rows go into, and the clause that says what happens to a row that is there already."""

    table: Table
    conflict: str = ""


Rows = Mapping[Target, Sequence[Mapping[str, Any]]]


def insert_rows(rows: Rows) -> None:
    """Insert rows of any number of tables with one statement. The rows of a table all name the same columns.

    Nothing is read back, so that somebody who may not see a row can write it. Foreign keys between the rows hold: they
    are checked when the whole statement is done.
    """
    given = {target: some for target, some in rows.items() if some}
    if given:
        statement = _writing(_shape_of(given), None)
        db.session.execute(statement, _values_of(given))


def write_with_rows(record: Any, rows: Rows) -> None:
    """Write what was changed of a mapped record, and the rows that follow from it, with one statement, as `insert_rows` does.

    The record is then as after a flush. Raises StaleDataError when there is no row that the actor may change.
    """
    state = inspect(record)
    table, given = state.mapper.local_table, {target: some for target, some in rows.items() if some}
    changed = {name: getattr(record, name) for name in sorted(set(table.columns.keys()) - state.unmodified)}
    values = {"id": record.id, "changed": orjson.dumps(changed).decode(), **_values_of(given)}
    if db.session.execute(_writing(_shape_of(given), (table, tuple(changed))), values).scalar_one() != 1:
        raise StaleDataError()
    # The mapper has to know that nothing is left to write. Setting the values as committed would leave the record on its list.
    make_transient(record)
    make_transient_to_detached(record)
    db.session.add(record)


_Shape = tuple[tuple[Target, tuple[str, ...]], ...]


def _shape_of(given: Rows) -> _Shape:
    return tuple((target, tuple(some[0])) for target, some in given.items())


def _values_of(given: Rows) -> dict[str, str]:
    return {f"rows_{n}": orjson.dumps(some, default=_hex).decode() for n, some in enumerate(given.values())}


def _hex(value: Any) -> str:
    """Bytes as PostgreSQL reads them from JSON."""
    if isinstance(value, bytes):
        return f"\\x{value.hex()}"
    raise TypeError(type(value).__name__)


@lru_cache(maxsize=512)
def _writing(shape: _Shape, change: tuple[Table, tuple[str, ...]] | None) -> TextualSelect:
    """The rows travel as JSON, one parameter a table: their number does not change the statement, so it stays prepared. It
    answers with how many records were changed."""
    parts = []
    for n, (target, names) in enumerate(shape):
        table, columns = target.table.fullname, ", ".join(f'"{name}"' for name in names)
        parts.append(
            f"into_{n} AS (INSERT INTO {table} ({columns}) SELECT {columns} "
            f"FROM jsonb_populate_recordset(CAST(NULL AS {table}), CAST(:rows_{n} AS jsonb)) {target.conflict})"
        )
    answer = "SELECT 0 AS changed"
    if change is not None:
        table, columns = change[0].fullname, ", ".join(f'"{name}" = new."{name}"' for name in change[1])
        parts.append(
            f"change AS (UPDATE {table} old SET {columns} "
            f"FROM jsonb_populate_record(CAST(NULL AS {table}), CAST(:changed AS jsonb)) new "
            "WHERE old.id = CAST(:id AS uuid) RETURNING 1)"
        )
        answer = "SELECT count(*) AS changed FROM change"
    # Its column is named because what a statement returns is otherwise found out anew each time.
    return text(f"WITH {', '.join(parts)} {answer}").columns(column("changed"))


class UnsafeRole(RuntimeError):
    """The process is connected with a database role that row-level security would not bind."""


class NoAnswer(click.ClickException):
    """The database of this process does not answer; the text names the setting and what the driver says."""


def require_bound_role(role: DatabaseRole) -> None:
    """Raise UnsafeRole when this connection is superuser, may bypass row-level security, or owns the tables, and NoAnswer
    when there is none. `role` is that of this process, for the name of the setting."""
    try:
        row = _rights()
    except OperationalError as error:
        db.session.rollback()
        raise NoAnswer(
            f"the database does not answer at {URL_VARIABLES[role]}: {' '.join(str(error.orig).split())}"
        ) from None
    name, superuser, bypass, owner = row
    faults = [word for word, yes in (("superuser", superuser), ("BYPASSRLS", bypass), ("owner", owner)) if yes]
    if faults:
        raise UnsafeRole(
            f"The database role {name!r} is {' and '.join(faults)}; row-level security would not bind it. "
            "Give DATABASE_URL (web) and WORKER_DATABASE_URL (worker) roles of their own: see docs/how-to/deploy.md."
        )


def _rights() -> Row[Any]:
    row = db.session.execute(
        text(
            """
            SELECT r.rolname, r.rolsuper, r.rolbypassrls,
                   EXISTS (SELECT 1 FROM pg_class c WHERE c.relnamespace = 'public'::regnamespace AND c.relowner = r.oid)
              FROM pg_roles r WHERE r.rolname = current_user
            """
        )
    ).one()
    db.session.rollback()
    return row
