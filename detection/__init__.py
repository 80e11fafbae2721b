"""Data collision: what records say when they are laid beside each other. Pure: standard library, ibis and sqlglot only.

A rule is a document (`documents`) over datasets (`definitions`). Its kind (`kinds`) turns it into expressions, `compiling` into the
text that PostgreSQL, DuckDB or Spark runs. No rule is code; no kind opens a connection.
"""
