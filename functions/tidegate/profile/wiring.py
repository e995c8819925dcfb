"""Builds the service of one call."""

from __future__ import annotations

from tidegate_kit.clock import system_clock
from tidegate_kit.http import Call

from tidegate.profile.repository import DynamoUserDocuments
from tidegate.profile.service import ProfileService


def service_for(call: Call) -> ProfileService:
    """The service on the caller's own record."""
    return ProfileService(DynamoUserDocuments(call.principal.user), system_clock)
