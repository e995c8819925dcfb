"""Messages on Instagram through the API with Instagram Login.

https://developers.facebook.com/docs/instagram-platform/instagram-api-with-instagram-login:
POST /me/messages, GET /me/conversations. Text is at most 1,000 octets; only somebody who has
written first can be written to, and is known by an id of the conversation, not by name. The API
has no idempotency key.
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

_HANDLE: Final = re.compile(r"@?([A-Za-z0-9._]{1,30})")
_MAX_PAGES: Final = 20
CLOCK_SKEW: Final = timedelta(seconds=60)
# Error codes of the Graph API: temporary, throttled, token.
_TEMPORARY: Final = frozenset({1, 2})
_THROTTLED: Final = frozenset({4, 17, 32, 613, 80006})
_TOKEN: Final = frozenset({102, 190})
_TIME_FORMAT: Final = "%Y-%m-%dT%H:%M:%S%z"


class Instagram:
    """Adapter of one Instagram professional account."""

    max_octets = 1_000

    def __init__(self, api: JsonApi) -> None:
        self._api = api

    def check(self) -> None:
        """Who the token belongs to."""
        _accept(self._api.get("/me", {"fields": "user_id,username"}))

    def resolve(self, handle: str) -> str:
        """The Instagram-scoped id of somebody we have a conversation with."""
        name = _HANDLE.fullmatch(handle)
        if name is None:
            raise ChannelError("RECIPIENT_UNKNOWN", "The handle is no instagram name.")
        wanted = name[1].lower()
        query = {"platform": "instagram", "fields": "participants", "limit": "50"}
        for _ in range(_MAX_PAGES):
            answer = self._api.get("/me/conversations", query)
            _accept(answer)
            for conversation in rows_at(answer.data, "data"):
                for person in rows_at(conversation, "participants", "data"):
                    if text_at(person, "username").lower() == wanted and text_at(person, "id"):
                        return text_at(person, "id")
            after = text_at(answer.data, "paging", "cursors", "after")
            if not after or not text_at(answer.data, "paging", "next"):
                break
            query = {**query, "after": after}
        text = "Nobody of that name has written to the account."
        raise ChannelError("RECIPIENT_UNKNOWN", text)

    def send(self, message: Message, key: str) -> str:
        """Send a text."""
        body = {"recipient": {"id": message.to}, "message": {"text": message.text}}
        answer = self._api.post("/me/messages", body)
        _accept(answer, change=True)
        message_id = text_at(answer.data, "message_id")
        if not message_id:
            text = "The provider's answer names no message."
            raise ChannelError("PROVIDER_UNAVAILABLE", text, retryable=True, uncertain=True)
        return message_id

    def find(self, message: Message, sending: Sending) -> Found:
        """Look through the newest messages of the conversation (the API shows twenty)."""
        query = {"platform": "instagram", "user_id": message.to}
        answer = self._api.get("/me/conversations", query)
        _accept(answer)
        for conversation in rows_at(answer.data, "data"):
            fields = {"fields": "messages{id,created_time,from,message}"}
            listed = self._api.get(f"/{text_at(conversation, 'id')}", fields)
            _accept(listed)
            for one in rows_at(listed.data, "messages", "data"):
                if (
                    text_at(one, "from", "id") != message.to
                    and text_at(one, "message") == message.text
                    and text_at(one, "id") not in sending.known_ids
                    and _moment(text_at(one, "created_time")) >= sending.since - CLOCK_SKEW
                ):
                    return Found("sent", text_at(one, "id"))
        return Found("absent")


def _moment(text: str) -> datetime:
    try:
        return datetime.strptime(text, _TIME_FORMAT)
    except ValueError as error:
        broken = "The provider's answer cannot be read."
        raise ChannelError("PROVIDER_UNAVAILABLE", broken, retryable=True) from error


def _accept(answer: Answer, *, change: bool = False) -> None:
    """Raise ChannelError for an answer that is no success."""
    if 200 <= answer.status < 300:
        return
    error = answer.data.get("error")
    code = error.get("code") if isinstance(error, dict) else None
    if code in _THROTTLED or answer.status == 429:
        raise ChannelError("PROVIDER_RATE_LIMITED", RATE_LIMITED, retryable=True)
    if code in _TOKEN or answer.status == 401:
        raise ChannelError("ACCOUNT_REFUSED", REFUSED_CREDENTIALS)
    if code in _TEMPORARY:
        text = "The provider failed for a moment."
        raise ChannelError("PROVIDER_UNAVAILABLE", text, retryable=True, uncertain=change)
    text = f"The provider refused the call with status {answer.status}."
    raise ChannelError("MESSAGE_REFUSED", text)
