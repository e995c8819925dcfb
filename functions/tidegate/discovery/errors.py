"""Errors of discovery."""

from __future__ import annotations

from tidegate_kit.errors import Conflict


class DiscoveryRunning(Conflict):
    """Another run of this account is going on."""

    code = "DISCOVERY_RUNNING"
    message = "A discovery of this account is running. Wait for it to end."


class UnknownService(LookupError):
    """A unit names a service that no collector is registered for."""


class RunGone(LookupError):
    """A task names a run that this tenant does not have: a foreign or forged message (G21)."""


class ProviderThrottled(Exception):
    """AWS throttles us in the customer's account: the state machine tries again later (G17)."""


class ProviderUnavailable(Exception):
    """AWS does not answer or fails: the state machine tries again later (G16)."""


class Superseded(Exception):
    """Another worker has written this step: read again and go on from there."""
