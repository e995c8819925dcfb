"""What every route of the domain starts from."""

from __future__ import annotations

import contextlib
from typing import Annotated, Any

from fastapi import Depends
from tidegate_kit.errors import ApiError
from tidegate_kit.http import Call, PageParams
from tidegate_kit.http.body import parse_json

from tidegate.workflows import wiring
from tidegate.workflows.repository.triggers import GlobalHooks, Triggers
from tidegate.workflows.service.hooks import HookParts, HookService, Inbound, Received, receive
from tidegate.workflows.service.schedules import ScheduleService
from tidegate.workflows.wiring import Services, services_of

Page = Annotated[PageParams, Depends()]


def services(call: Call) -> Services:
    """The services of the caller's tenant."""
    return services_of(call.principal.tenant, call.principal.user_id)


def schedules(call: Call) -> tuple[ScheduleService, Triggers]:
    """The schedules of the caller's tenant."""
    return wiring.schedules_of(call.principal.tenant)


def hooks(call: Call) -> tuple[HookService, Triggers]:
    """The hooks of the caller's tenant."""
    parts: HookParts = wiring.hook_parts(call.principal.tenant)
    return parts.hooks, parts.triggers


def receive_hook(hook_id: str, call: Call) -> Received:
    """An inbound call: verified over its raw bytes, then read."""
    inbound = Inbound(hook_id, call.headers, call.body, _content(call.body), call.request_id)
    return receive(
        GlobalHooks(), lambda scope, _: wiring.hook_parts(scope), inbound, lambda: call.now
    )


def _content(body: bytes) -> Any:
    """JSON data where the body is JSON, else its text."""
    with contextlib.suppress(ApiError):
        return parse_json(body)
    return body.decode("utf-8", "replace")
