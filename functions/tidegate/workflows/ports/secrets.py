"""The tenant's secrets, as templates name them (WF-15)."""

from __future__ import annotations

from tidegate_kit.crypto import SealBroken
from tidegate_kit.errors import ServiceUnavailable
from tidegate_kit.observability import logger
from tidegate_kit.tenancy import TenantScope

from tidegate.integrations import public as integrations
from tidegate.workflows.nodes import StepError
from tidegate.workflows.templating import TemplateError


def tenant_secret(scope: TenantScope, name: str) -> str:
    """The plain value of a secret. Raises TemplateError for a name nobody has, StepError."""
    try:
        return integrations.secret(scope, name)
    except integrations.UnknownSecret as error:
        text = f"There is no secret '{name}'."
        raise TemplateError(text, "UNKNOWN_REFERENCE") from error
    except SealBroken as error:
        logger.error("a stored secret does not open", name=name)
        raise StepError("SECRET_BROKEN", f"The secret '{name}' does not open.") from error
    except ServiceUnavailable as error:
        raise StepError(error.code, error.message, retryable=True) from error
