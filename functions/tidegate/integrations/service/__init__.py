"""Decisions of the integrations domain, one module per kind of record."""
