"""The client's view of connected accounts, inventory and savings (contract 2.8)."""
