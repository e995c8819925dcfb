"""Outbound webhooks: who is told of which events, and the delivery engine (INT-5 to INT-7)."""
