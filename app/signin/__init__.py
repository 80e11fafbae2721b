"""Signing in and out: passwords, second factors, codes, receipts, sessions, resets."""
