"""Who must withdraw from a case, and how the case moves on."""
