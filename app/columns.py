"""Types of columns that tables of several features have."""

from sqlalchemy import DateTime, Text

# Codes compare bytewise, so that a scope is an index range whatever the locale of the database.
CODE = Text(collation="C")
INSTANT = DateTime(timezone=True)
