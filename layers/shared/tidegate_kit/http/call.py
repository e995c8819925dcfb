"""What a route knows of the call it answers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Annotated, Any

from fastapi import Depends, Request

from tidegate_kit.auth.authenticate import Member
from tidegate_kit.auth.principal import Principal
from tidegate_kit.errors import Unauthenticated
from tidegate_kit.ratelimit import RateState
from tidegate_kit.settings import Settings


@dataclass
class Call:
    """One HTTP call: identity of the request, of the caller, and when it came."""

    request_id: str
    method: str
    client_ip: str
    user_agent: str
    headers: Mapping[str, str]
    cookies: Mapping[str, str]
    settings: Settings
    now: datetime
    route: str = ""
    member: Member | None = None
    rate: RateState | None = None
    error_code: str = ""
    known_principal: Principal | None = None
    cookies_out: list[str] = field(default_factory=list)
    # The bytes as received, for routes that sign or read them as they are (body="raw").
    body: bytes = field(default=b"", repr=False)
    # Same for every repetition under one Idempotency-Key: names the effect in a domain's own
    # records, so that a call that died after its effect does not repeat it (H1, H30).
    effect_key: str | None = None

    @property
    def principal(self) -> Principal:
        """The signed-in caller. Raises Unauthenticated on a public call without one."""
        if self.known_principal is None:
            raise Unauthenticated
        return self.known_principal


async def current_call(request: Request) -> Call:
    """FastAPI dependency. Async, because it only hands over an object: no thread hop."""
    call: Any = request.scope["tidegate.call"]
    assert isinstance(call, Call)  # noqa: S101 - set by the edge for every request
    return call


CurrentCall = Annotated[Call, Depends(current_call)]
