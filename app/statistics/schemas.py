"""Shapes of statistics."""

from marshmallow import fields, validate

from app.web import Schema

_PLACE = {
    "validate": validate.Regexp(r"\A[0-9]{12}\Z"),
    "metadata": {"pattern": "^[0-9]{12}$", "description": "code of a place"},
}


class StatisticsQuery(Schema):
    division = fields.String(load_default=None, **_PLACE)
    since = fields.Date(load_default=None, metadata={"description": "first day of filing; a year before `until` without it"})
    until = fields.Date(load_default=None, metadata={"description": "last day of filing; today without it"})


class Measures(Schema):
    filed = fields.Integer()
    answered = fields.Integer()
    on_time = fields.Integer()
    on_time_rate = fields.Float(allow_none=True)
    rated = fields.Integer()
    satisfied = fields.Integer()
    satisfaction_rate = fields.Float(allow_none=True)
    median_workdays = fields.Float(allow_none=True)


class Line(Measures):
    code = fields.String()


class LabelledLine(Line):
    label = fields.String(allow_none=True)
    label_en = fields.String(allow_none=True)


class PetitionStatistics(Schema):
    division = fields.String()
    since = fields.Date()
    until = fields.Date()
    total = fields.Nested(Measures)
    by_division = fields.List(fields.Nested(LabelledLine))
    by_state = fields.List(fields.Nested(LabelledLine))
    by_category = fields.List(fields.Nested(Line))
    by_month = fields.List(fields.Nested(Line))


class PublishedQuery(Schema):
    period = fields.String(
        load_default=None,
        validate=validate.Regexp(r"\A[0-9]{4}-(0[1-9]|1[0-2])\Z"),
        metadata={"pattern": "^[0-9]{4}-(0[1-9]|1[0-2])$", "description": "a month; the newest one without it"},
    )
    division = fields.String(load_default=None, **_PLACE)


class PlaceFigures(Schema):
    code = fields.String()
    name = fields.String()
    figures = fields.Dict(
        keys=fields.String(),
        values=fields.Dict(keys=fields.String(), values=fields.Integer(allow_none=True)),
        metadata={"description": "filed, answered and rated: column → approximate number, null where it is hidden"},
    )


class PublishedFigures(Schema):
    periods = fields.List(fields.String())
    period = fields.String(allow_none=True)
    published_at = fields.DateTime(allow_none=True)
    least = fields.Integer(allow_none=True)
    place = fields.Nested(PlaceFigures, allow_none=True)
    below = fields.List(fields.Nested(PlaceFigures))
