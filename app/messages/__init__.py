"""Delivery of the outbox, dead letters, the inbox."""
