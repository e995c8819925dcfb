"""Approvals (contract 2.11)."""
