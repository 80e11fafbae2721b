"""What is handed out on paper: the receipt with its code, the recovery slip, and the statutory papers of a case."""
