"""Decisions of the calendar domain."""
