"""Integration accounts, communication targets, secrets, webhooks (contract 2.4)."""
