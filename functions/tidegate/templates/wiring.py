"""Builds the service of one call."""

from __future__ import annotations

from tidegate_kit.clock import system_clock
from tidegate_kit.http import Call

from tidegate.templates.repository import DynamoTemplates
from tidegate.templates.service import TemplateService


def service_for(call: Call) -> TemplateService:
    """The service on the caller's tenant."""
    return TemplateService(
        DynamoTemplates(call.principal.tenant),
        system_clock,
        is_admin="admin:write" in call.principal.permissions,
    )
