"""Back-up and restore. What a case says is sealed in a back-up under a key of that case, so that erasing it reaches the back-ups."""


class BackupError(Exception):
    """The back-up or restore did not happen; the text says why, and holds no content."""
