"""The savings ledger: what executed actions really saved (FND-11)."""
