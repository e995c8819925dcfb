"""What every route of the domain starts from."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends
from tidegate_kit.http import Call, PageParams

from tidegate.workflows.wiring import Services, services_of

Page = Annotated[PageParams, Depends()]


def services(call: Call) -> Services:
    """The services of the caller's tenant."""
    return services_of(call.principal.tenant, call.principal.user_id)
