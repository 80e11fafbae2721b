"""What the upload and download routes take and give."""

from marshmallow import fields
from marshmallow.validate import Regexp

from app.web import Schema

TUS_VERSION = "1.0.0"
# Fifteen digits are a thousand terabytes: enough to answer "too large" rather than "not a number".
_count = Regexp(r"^[0-9]{1,15}$", error="not a whole number of bytes")


class _TusHeaders(Schema):
    version = fields.String(
        required=True,
        data_key="Tus-Resumable",
        metadata={"enum": [TUS_VERSION], "description": "another version answers 412"},
    )


class NewUpload(_TusHeaders):
    length = fields.String(required=True, data_key="Upload-Length", validate=_count)
    metadata = fields.String(
        required=True,
        data_key="Upload-Metadata",
        metadata={"description": "`filename` and the name in base64 (UTF-8); other pairs are ignored"},
    )


class UploadState(_TusHeaders):
    """The headers of HEAD."""


class UploadPiece(_TusHeaders):
    offset = fields.String(required=True, data_key="Upload-Offset", validate=_count)


class FileLink(Schema):
    url = fields.String(required=True, metadata={"description": "opens without sign-in until it expires"})
    expires_at = fields.AwareDateTime(required=True)
