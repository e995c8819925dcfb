"""Stored tickets, connections and events."""
