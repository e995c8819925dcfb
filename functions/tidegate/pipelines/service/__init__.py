"""Decisions of pipelines."""
