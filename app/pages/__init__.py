"""Server-rendered plain pages for the petitioner: no script, usable on an old phone."""
