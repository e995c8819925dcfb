"""Workflow templates with typed parameters (contract 2.6)."""
