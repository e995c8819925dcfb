"""Integration accounts, communication targets, secrets (contract 2.4)."""
