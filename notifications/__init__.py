"""Messages and their channels: who hears of what, and how. Pure: standard library and requests."""
