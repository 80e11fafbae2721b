"""Shapes of datasets, sources, pushed records and batches."""

from marshmallow import fields, validate

from app.web import Schema, Text

MOST_RECORDS = 1000
_CODE = {"validate": validate.Regexp(r"\A[a-z][a-z0-9_]{0,39}\Z"), "metadata": {"pattern": "^[a-z][a-z0-9_]{0,39}$"}}
_SCOPE = {
    "validate": validate.Regexp(r"\A([0-9]{2}){1,3}([0-9]{3}){0,2}\Z"),
    "metadata": {
        "pattern": "^([0-9]{2}){1,3}([0-9]{3}){0,2}$",
        "description": "the digits of a place that say something: 330213 for the district, 330213007213 for a village",
    },
}


class Name(Schema):
    zh = fields.String()
    en = fields.String()


class DatasetQuery(Schema):
    module = fields.String(load_default=None, **_CODE)


class DatasetView(Schema):
    code = fields.String()
    module = fields.String()
    version = fields.Integer()
    scope = fields.String(metadata={"description": "whose it is: digits of a place, empty for what is shipped"})
    name = fields.Nested(Name)
    definition = fields.Dict(metadata={"description": "the document that defines it, fields and all"})
    changed_at = fields.AwareDateTime()


class DatasetList(Schema):
    items = fields.List(fields.Nested(DatasetView))


class ModuleDocument(Schema):
    """A module and its datasets, as docs/how-to/records.md has it. What is wrong with it is told with its path."""

    code = fields.Raw(required=True, metadata={"type": "string", "description": "code of the module"})
    name = fields.Raw(required=True, metadata={"type": "object", "description": "name in `zh` and `en`"})
    datasets = fields.List(fields.Raw(metadata={"type": "object"}), required=True, validate=validate.Length(1, 50))


class Versions(Schema):
    versions = fields.Dict(keys=fields.String(), values=fields.Integer(), metadata={"description": "version in force by dataset"})


class SourceQuery(Schema):
    dataset = fields.String(load_default=None, **_CODE)


class SourceDraft(Schema):
    dataset = fields.String(required=True, **_CODE)
    code = fields.String(required=True, **_CODE)
    name = Text(100, least=1, required=True)
    scope = fields.String(required=True, **_SCOPE)
    push = fields.Boolean(load_default=False, metadata={"description": "true for a key with which it sends records over HTTP"})


class SourceKey(Schema):
    id = fields.UUID()
    key = fields.String(allow_none=True, metadata={"description": "shown this once"})


class SourceView(Schema):
    id = fields.UUID()
    dataset = fields.String()
    code = fields.String()
    name = fields.String()
    scope = fields.String()
    created_at = fields.AwareDateTime()
    last_arrival_at = fields.AwareDateTime(allow_none=True)
    watermark = fields.Date(allow_none=True, metadata={"description": "the newest event day that it has sent"})
    due_at = fields.AwareDateTime(allow_none=True)
    degraded = fields.Boolean(metadata={"description": "late, or never sent anything: what depends on it may be old"})


class SourceList(Schema):
    items = fields.List(fields.Nested(SourceView))


class PushedRecords(Schema):
    records = fields.List(
        fields.Dict(keys=fields.String(), values=fields.Raw(allow_none=True)),
        required=True,
        validate=validate.Length(1, MOST_RECORDS),
        metadata={"description": "objects of field codes; `place_code` is the village; amounts in yuan"},
    )


class RejectedRecord(Schema):
    position = fields.Integer(metadata={"description": "from 0"})
    reason = fields.String()
    field = fields.String(allow_none=True)


class PushReport(Schema):
    received = fields.Integer()
    added = fields.Integer()
    corrected = fields.Integer()
    duplicates = fields.Integer()
    rejected = fields.List(fields.Nested(RejectedRecord))
    unreadable = fields.Dict(keys=fields.String(), values=fields.Integer())


class RecordQuery(Schema):
    known_on = fields.Date(load_default=None, metadata={"description": "as it was known at the end of that day"})
    place = fields.String(load_default=None, **_SCOPE)
    after = fields.Integer(load_default=0, validate=validate.Range(0, 2**62), metadata={"description": "`next` of the page before"})
    limit = fields.Integer(load_default=50, validate=validate.Range(1, 200))


class RecordPage(Schema):
    items = fields.List(
        fields.Dict(metadata={"description": "system columns and the fields that are not personal; money in fen"})
    )
    next = fields.Integer(allow_none=True)


class BatchForm(Schema):
    source_id = fields.UUID(required=True)
    replaces = fields.UUID(load_default=None, allow_none=True, metadata={"description": "a published batch of the source"})


class BatchFile(Schema):
    file = fields.Raw(required=True, metadata={"type": "string", "format": "binary", "description": "CSV, XLSX, NDJSON or Parquet"})


class BatchQuery(Schema):
    source_id = fields.UUID(load_default=None)
    cursor = fields.String(load_default=None)
    limit = fields.Integer(load_default=20, validate=validate.Range(1, 100))


class BatchStart(Schema):
    mapping = fields.Dict(
        keys=fields.String(),
        values=fields.String(allow_none=True),
        load_default=None,
        validate=validate.Length(max=500),
        metadata={"description": "header to field, null to leave a column out; columns not named stay as proposed"},
    )


class Notice(Schema):
    code = fields.String()
    line = fields.Integer()
    count = fields.Integer()
    facts = fields.Dict()


class RejectedLines(Schema):
    reason = fields.String()
    field = fields.String(allow_none=True)
    rows = fields.Integer()
    first_line = fields.Integer()


class BatchLine(Schema):
    id = fields.UUID()
    source_id = fields.UUID()
    dataset = fields.String()
    scope = fields.String()
    status = fields.String(metadata={"enum": ["uploaded", "queued", "loading", "published", "replaced", "failed"]})
    failed_because = fields.String(allow_none=True)
    file_name = fields.String()
    sha256 = fields.String()
    size = fields.Integer()
    noticed = fields.List(fields.Nested(Notice))
    headers = fields.List(fields.String())
    mapping = fields.Dict(keys=fields.String(), values=fields.String(allow_none=True))
    replaces = fields.UUID(allow_none=True)
    progress = fields.Integer(metadata={"description": "the last line that was read"})
    counts = fields.Dict(
        metadata={"description": "read, rejected, unreadable by field; once published added, corrected, duplicates, withdrawn"}
    )
    created_at = fields.AwareDateTime()
    started_at = fields.AwareDateTime(allow_none=True)
    finished_at = fields.AwareDateTime(allow_none=True)


class BatchView(BatchLine):
    rejected = fields.List(fields.Nested(RejectedLines))


class BatchPage(Schema):
    items = fields.List(fields.Nested(BatchLine))
    next = fields.String(allow_none=True)
