"""Profile and settings of the caller (contract 2.2)."""
