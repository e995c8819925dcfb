"""Handshakes, delivery, frames, feeding and sweeping."""
