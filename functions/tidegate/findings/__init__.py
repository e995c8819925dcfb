"""Findings with prices, and the plans that act on them (contract 2.10)."""
