"""Onboarding: connect customer accounts, prove the connection by attacking it, keep it proven."""
