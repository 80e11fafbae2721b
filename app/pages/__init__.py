"""Server-rendered pages without script: the petitioner's, usable on an old phone, and the printed dossier."""
