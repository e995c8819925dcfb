"""Servers that speak OpenAI's chat completions (OpenAI, vLLM, Ollama, llama.cpp and others)."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from tidegate_kit.errors import ServiceUnavailable
from tidegate_kit.outbound import OutboundAnswer, OutboundClient, OutboundFailed, OutboundRefused

from tidegate.ai.domain import Question, Reply, Usage
from tidegate.ai.providers.base import ProviderFailed

_MAX_ANSWER = 1024 * 1024
# Failures in which the question never reached the server.
_NOT_SENT = frozenset({"resolve", "connect", "tls"})


class OpenAiCompatibleProvider:
    """`base_url` ends before /chat/completions; `key` gives the bearer key, "" for none."""

    def __init__(self, client: OutboundClient, base_url: str, key: Callable[[], str]) -> None:
        self._client = client
        self._base_url = base_url
        self._key = key

    @property
    def available(self) -> bool:
        """True where a base URL is configured."""
        return bool(self._base_url)

    def ask(self, model_id: str, question: Question, timeout: float) -> Reply:
        """See ModelProvider."""
        return _reply(self._send(_body(model_id, question), timeout))

    def _send(self, body: bytes, timeout: float) -> OutboundAnswer:
        try:
            key = self._key()
            answer = self._client.request(
                "POST",
                f"{self._base_url}/chat/completions",
                headers={"Content-Type": "application/json"},
                secret_headers={"Authorization": f"Bearer {key}"} if key else {},
                body=body,
                timeout=timeout,
                max_bytes=_MAX_ANSWER,
                allow_local=True,
            )
        except OutboundFailed as error:
            if error.reason in _NOT_SENT:
                raise ProviderFailed("unavailable", error.reason) from error
            raise ProviderFailed("timeout", error.reason) from error
        except OutboundRefused as error:
            raise ProviderFailed("refused", f"address {error.reason}") from error
        except ServiceUnavailable as error:
            raise ProviderFailed("unavailable", "its key cannot be read") from error
        if answer.status == 429:
            raise ProviderFailed("rate_limited", "429")
        if answer.status >= 500:
            raise ProviderFailed("unavailable", str(answer.status))
        if answer.status != 200:
            raise ProviderFailed("refused", str(answer.status))
        return answer


def _body(model_id: str, question: Question) -> bytes:
    messages = [{"role": one.role, "content": one.content} for one in question.messages]
    if question.system:
        messages.insert(0, {"role": "system", "content": question.system})
    request = {
        "model": model_id,
        "messages": messages,
        "max_tokens": question.max_tokens,
        "temperature": question.temperature,
        "stream": False,
    }
    return json.dumps(request, ensure_ascii=False).encode()


def _reply(answer: OutboundAnswer) -> Reply:
    try:
        body = json.loads(answer.body)
        text = body["choices"][0]["message"]["content"]
        if not isinstance(text, str):
            raise TypeError("content")
        return Reply(text, _usage(body.get("usage")))
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
        raise ProviderFailed("unreadable", type(error).__name__) from error


def _usage(counted: Any) -> Usage | None:
    """The server's count; None where it gives none or nonsense."""
    if not isinstance(counted, dict):
        return None
    sent, given = counted.get("prompt_tokens"), counted.get("completion_tokens")
    if type(sent) is not int or type(given) is not int or min(sent, given) < 0:
        return None
    return Usage(sent, given)
