"""Requests and answers of contract part 3."""

from __future__ import annotations

from typing import Annotated

from pydantic import StringConstraints
from tidegate_kit.http import ApiModel, RequestModel, Timestamp

ClientId = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{1,64}$")]


class TicketRequest(RequestModel):
    """POST /realtime/ticket."""

    client_id: ClientId


class TicketAnswer(ApiModel):
    """A ticket for one handshake within 60 seconds."""

    ticket: str
    client_id: str
    ws_url: str
    expires_at: Timestamp
