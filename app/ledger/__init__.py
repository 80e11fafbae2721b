"""The ledger: commitments, logs with signed heads, proofs."""
