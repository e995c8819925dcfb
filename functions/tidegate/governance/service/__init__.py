"""Decisions of governance: policies, evaluation, approvals, audit."""
