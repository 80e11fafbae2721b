"""Rules: their life from draft to retirement, their trials and their runs over the records."""
