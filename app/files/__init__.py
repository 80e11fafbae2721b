"""Attachments of a case: uploads, inspection, quarantine, links."""
