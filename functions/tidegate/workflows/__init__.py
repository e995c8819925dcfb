"""Workflows: node/edge graphs compiled to native Step Functions state machines."""
