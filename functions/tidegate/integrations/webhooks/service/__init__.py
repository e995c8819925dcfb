"""Webhook management, the outbox, and the delivery engine."""
