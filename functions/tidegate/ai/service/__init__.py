"""Decisions of AI."""
