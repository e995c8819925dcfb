"""Plans over findings: approval, execution, undo (contract 2.10, FND-5 to FND-10)."""
