"""Datasets, sources, records and batches over HTTP."""

import csv
import io
from typing import Any
from uuid import UUID

from flask import Response

from app import idempotency
from app.auth import signed_in
from app.records import batches, push, reading, service
from app.records.schemas import (
    BatchFile,
    BatchForm,
    BatchPage,
    BatchQuery,
    BatchStart,
    BatchView,
    DatasetList,
    DatasetQuery,
    DatasetView,
    ModuleDocument,
    PushedRecords,
    PushReport,
    RecordPage,
    RecordQuery,
    SourceDraft,
    SourceKey,
    SourceList,
    SourceQuery,
    Versions,
)
from app.web import Blueprint

records = Blueprint("records", __name__, url_prefix="/api/v1", description="数据 records")
_CSV = {"200": {"description": "CSV", "content": {"text/csv": {"schema": {"type": "string"}}}}}


@records.get("/datasets")
@records.arguments(DatasetQuery, location="query")
@records.response(200, DatasetList)
def list_datasets(query: dict[str, Any]) -> Any:
    """The dataset types in force that I may know of."""
    with signed_in("staff"):
        return {"items": service.list_datasets(query["module"])}


@records.get("/datasets/<code>")
@records.response(200, DatasetView)
def get_dataset(code: str) -> Any:
    """One dataset type with its fields."""
    with signed_in("staff"):
        return service.get_dataset(code)


@records.post("/modules")
@records.arguments(ModuleDocument)
@records.response(200, Versions)
def define_module(document: dict[str, Any]) -> Any:
    """Define the datasets of a module for my own places. The same document again changes nothing; a later one only adds."""
    with signed_in("staff"):
        return {"versions": service.load_module(document)}


@records.get("/record-sources")
@records.arguments(SourceQuery, location="query")
@records.response(200, SourceList)
def list_record_sources(query: dict[str, Any]) -> Any:
    """Who sends records of my area, when they last did, and who is late."""
    with signed_in("staff"):
        return {"items": service.list_sources(query["dataset"])}


@records.post("/record-sources")
@records.arguments(SourceDraft)
@records.response(201, SourceKey)
@records.doc(parameters=[idempotency.KEY_HEADER])
def open_record_source(draft: dict[str, Any]) -> Any:
    """Register a source, with a key of its own if it sends records over HTTP."""
    with signed_in("staff") as who:
        return service.open_source(draft, who)


@records.get("/records/<code>")
@records.arguments(RecordQuery, location="query")
@records.response(200, RecordPage)
def list_records(query: dict[str, Any], code: str) -> Any:
    """Records of my area as they are known now, or were known on a day, without personal fields."""
    with signed_in("staff"):
        return reading.list_records(code, query)


@records.post("/records/<code>")
@records.arguments(PushedRecords)
@records.response(200, PushReport)
@records.doc(parameters=[idempotency.KEY_HEADER])
def push_records(draft: dict[str, Any], code: str) -> Any:
    """Send up to 1,000 records with the key of a source as bearer token. The same record again is folded."""
    with push.sending(code) as sender:
        return idempotency.once(None, draft, lambda: push.receive_records(code, draft["records"], sender))


@records.post("/import-batches")
@records.arguments(BatchForm, location="form")
@records.arguments(BatchFile, location="files")
@records.response(201, BatchView)
@records.doc(parameters=[idempotency.KEY_HEADER])
def upload_batch(draft: dict[str, Any], files: dict[str, Any]) -> Any:
    """Bring a file of records. The answer shows what each column seems to mean; nothing is loaded yet."""
    with signed_in("staff") as who:
        return batches.take_file_once(draft, files["file"], who)


@records.get("/import-batches")
@records.arguments(BatchQuery, location="query")
@records.response(200, BatchPage)
def list_import_batches(query: dict[str, Any]) -> Any:
    """Files that were brought for my places, the newest first."""
    with signed_in("staff"):
        return batches.list_batches(query["source_id"], query["cursor"], query["limit"])


@records.get("/import-batches/<uuid:batch_id>")
@records.response(200, BatchView)
def get_import_batch(batch_id: UUID) -> Any:
    """How far a file is, and its quality report."""
    with signed_in("staff"):
        return batches.get_batch(batch_id)


@records.post("/import-batches/<uuid:batch_id>/actions/start")
@records.arguments(BatchStart)
@records.response(200, BatchView)
def start_import_batch(draft: dict[str, Any], batch_id: UUID) -> Any:
    """Confirm what the columns mean and have the file loaded. The mapping is remembered for the source."""
    with signed_in("staff") as who:
        return batches.start_batch(batch_id, draft["mapping"], who)


@records.get("/import-batches/<uuid:batch_id>/rejects.csv")
@records.doc(responses=_CSV)
def export_rejects(batch_id: UUID) -> Response:
    """The lines that were not taken, each with its reason."""
    written = io.StringIO()
    with signed_in("staff"):
        csv.writer(written).writerows(batches.rejected_lines(batch_id))
    return Response("\ufeff" + written.getvalue(), mimetype="text/csv")
