"""What the house adds to marshmallow writes what marshmallow writes."""

from datetime import UTC, date, datetime
from uuid import UUID

import pytest
from marshmallow import Schema as BaseSchema
from marshmallow import fields

import app.petitions.routes  # noqa: F401  (defines the schemas)
from app.web import Schema

NOW = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)
SAMPLES = (
    (fields.UUID, UUID(int=7)), (fields.String, "路灯 <坏了>"), (fields.Boolean, True), (fields.Integer, 10**15),
    (fields.DateTime, NOW), (fields.Date, date(2026, 3, 2)), (fields.Dict, {"level": 4, "at": "x"}),
)  # fmt: skip


def schemas(base=Schema):
    return [each for one in base.__subclasses__() for each in (one, *schemas(one))]


def sample(field):
    if isinstance(field, fields.List):
        return [sample(field.inner)] * 2
    if isinstance(field, fields.Nested):
        return {name: sample(each) for name, each in field.schema.dump_fields.items()}
    if isinstance(field, fields.Dict) and field.value_field:
        return {"level": sample(field.value_field)}
    return next((value for kind, value in SAMPLES if isinstance(field, kind)), 4)


@pytest.mark.parametrize("schema", schemas(), ids=lambda each: each.__name__)
def test_a_schema_writes_what_marshmallow_writes(schema):
    made = schema()
    full = {name: sample(field) for name, field in made.dump_fields.items()}
    texts = {name: str(value) for name, value in full.items() if isinstance(value, UUID | bool)}
    for case in (full, dict.fromkeys(full), {**full, **texts}):
        assert made.dump(case) == BaseSchema._serialize(made, case)


def test_a_value_of_another_type_is_written_as_its_field_says():
    made = Schema.from_dict({"number": fields.Integer(), "text": fields.String(), "yes": fields.Boolean()})()
    assert made.dump({}) == {}
    assert made.dump({"number": "5", "text": 5, "yes": 1}) == {"number": 5, "text": "5", "yes": True}
