"""The desk, supervision orders, and what the worker does by the clock."""
