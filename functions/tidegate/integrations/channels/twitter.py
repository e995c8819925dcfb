"""Direct messages on X (twitter), API v2 with an OAuth 2.0 user token.

https://docs.x.com/x-api/direct-messages: POST /2/dm_conversations/with/:participant_id/messages
(200 in 15 minutes), GET .../dm_events to see what was sent. The API has no idempotency key.
"""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from typing import Final

from tidegate.integrations.channels.api import (
    RATE_LIMITED,
    REFUSED_CREDENTIALS,
    Answer,
    JsonApi,
    rows_at,
    text_at,
)
from tidegate.integrations.channels.base import ChannelError, Found, Message, Sending

_HANDLE: Final = re.compile(r"@?([A-Za-z0-9_]{1,15})")
_ID: Final = re.compile(r"[0-9]{1,19}")
# Their clock against ours.
CLOCK_SKEW: Final = timedelta(seconds=60)


class Twitter:
    """Adapter of one X account."""

    max_octets = 10_000

    def __init__(self, api: JsonApi) -> None:
        self._api = api

    def check(self) -> None:
        """Who the token belongs to."""
        self._me()

    def resolve(self, handle: str) -> str:
        """The user id of a handle."""
        found = _HANDLE.fullmatch(handle)
        if found is None:
            raise ChannelError("RECIPIENT_UNKNOWN", "The handle is no twitter name.")
        answer = self._api.get(f"/2/users/by/username/{found[1]}")
        _accept(answer, missing="RECIPIENT_UNKNOWN")
        user_id = text_at(answer.data, "data", "id")
        if _ID.fullmatch(user_id) is None:
            raise ChannelError("RECIPIENT_UNKNOWN", "Nobody on twitter has that name.")
        return user_id

    def send(self, message: Message, key: str) -> str:
        """Create a direct message."""
        path = f"/2/dm_conversations/with/{message.to}/messages"
        answer = self._api.post(path, {"text": message.text})
        _accept(answer, missing="RECIPIENT_UNKNOWN")
        event_id = text_at(answer.data, "data", "dm_event_id")
        if not event_id:
            text = "The provider's answer names no message."
            raise ChannelError("PROVIDER_UNAVAILABLE", text, retryable=True, uncertain=True)
        return event_id

    def find(self, message: Message, sending: Sending) -> Found:
        """Look through the conversation, newest first (at most 100 events)."""
        me = self._me()
        query = {
            "dm_event.fields": "id,text,created_at,sender_id",
            "event_types": "MessageCreate",
            "max_results": "100",
        }
        answer = self._api.get(f"/2/dm_conversations/with/{message.to}/dm_events", query)
        _accept(answer, missing="RECIPIENT_UNKNOWN")
        for event in rows_at(answer.data, "data"):
            event_id = text_at(event, "id")
            if (
                text_at(event, "sender_id") == me
                and text_at(event, "text") == message.text
                and event_id not in sending.known_ids
                and _moment(text_at(event, "created_at")) >= sending.since - CLOCK_SKEW
            ):
                return Found("sent", event_id)
        return Found("absent")

    def _me(self) -> str:
        answer = self._api.get("/2/users/me")
        _accept(answer, missing="ACCOUNT_REFUSED")
        return text_at(answer.data, "data", "id")


def _moment(text: str) -> datetime:
    try:
        return datetime.fromisoformat(text)
    except ValueError as error:
        broken = "The provider's answer cannot be read."
        raise ChannelError("PROVIDER_UNAVAILABLE", broken, retryable=True) from error


def _accept(answer: Answer, *, missing: str) -> None:
    """Raise ChannelError for an answer that is no success."""
    status = answer.status
    if 200 <= status < 300:
        return
    if status == 429:
        raise ChannelError("PROVIDER_RATE_LIMITED", RATE_LIMITED, retryable=True)
    if status == 401:
        raise ChannelError("ACCOUNT_REFUSED", REFUSED_CREDENTIALS)
    if status == 404:
        raise ChannelError(missing, "The provider knows no such user.")
    raise ChannelError("MESSAGE_REFUSED", f"The provider refused the call with status {status}.")
