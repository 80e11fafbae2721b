"""Shapes of the ledger at the border of the API. Hashes, keys and signatures are hexadecimal."""

from marshmallow import fields, validate

from app.web import Schema

LOG = r"\A(?:[0-9]{2}){1,3}\Z"
SIZES = validate.Range(1, 2**53 - 1)


def _digest(**more: object) -> fields.String:
    return fields.String(
        validate=validate.Regexp(r"\A[0-9a-f]{64}\Z"), metadata={"pattern": "^[0-9a-f]{64}$"}, **more
    )


class PromiseOfPlace(Schema):
    kind = fields.String()
    log = fields.String(metadata={"description": "first six digits of the county's division code"})
    commitment = fields.String()
    filed_at = fields.String()
    max_delay = fields.Integer(metadata={"description": "seconds"})
    receipt = fields.String(metadata={"description": "SHA-256 of number, instant and dates of the receipt"})
    key_id = fields.String()
    algorithm = fields.String()
    signature = fields.String()


class HeadView(Schema):
    kind = fields.String()
    log = fields.String()
    size = fields.Integer()
    root = fields.String()
    at = fields.String()
    key_id = fields.String()
    algorithm = fields.String()
    signature = fields.String()


class LogQuery(Schema):
    after = fields.String(load_default="", validate=validate.Regexp(r"\A[0-9]{0,6}\Z"))
    limit = fields.Integer(load_default=100, validate=validate.Range(1, 200))


class LogPage(Schema):
    items = fields.List(fields.Nested(HeadView))
    next = fields.String(allow_none=True, metadata={"description": "give it as `after`"})


class InclusionQuery(Schema):
    commitment = _digest(required=True)
    size = fields.Integer(load_default=None, validate=SIZES)


class InclusionView(Schema):
    index = fields.Integer()
    path = fields.List(fields.String())
    head = fields.Nested(HeadView)


class ConsistencyQuery(Schema):
    first = fields.Integer(required=True, validate=SIZES)
    second = fields.Integer(required=True, validate=SIZES)


class ConsistencyView(Schema):
    log = fields.String()
    first = fields.Integer()
    second = fields.Integer()
    path = fields.List(fields.String())


class KeyView(Schema):
    key_id = fields.String(metadata={"description": "SHA-256 of `public`"})
    algorithm = fields.String()
    public = fields.String(metadata={"description": "SubjectPublicKeyInfo, DER"})
    first_used_at = fields.String()
    revoked_at = fields.String(allow_none=True)


class KeyList(Schema):
    items = fields.List(fields.Nested(KeyView))


class ProofQuery(Schema):
    since = fields.Integer(load_default=None, validate=SIZES)


class ProofView(Schema):
    commitment = fields.String()
    links = fields.List(fields.Nested(InclusionView))
    consistency = fields.List(fields.Nested(ConsistencyView))
    keys = fields.List(fields.Nested(KeyView))
