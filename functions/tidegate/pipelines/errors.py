"""Errors of pipelines."""

from __future__ import annotations


class AccountGone(Exception):
    """The account was disconnected while its costs were read: nothing of it is kept."""


class TooManyLines(Exception):
    """A day has more services and usage types than one item holds."""
