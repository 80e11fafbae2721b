"""Alerts: what the rules found, folded, handled one by one, with evidence that a person can check."""
