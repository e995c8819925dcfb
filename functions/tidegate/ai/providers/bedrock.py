"""Amazon Bedrock by its Converse API."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectTimeoutError,
    EndpointConnectionError,
)
from botocore.parsers import ResponseParserError

from tidegate.ai.domain import Message, Question, Reply, Usage
from tidegate.ai.providers.base import FailureKind, ProviderFailed

_HOTTEST = 1.0  # Converse takes 0..1 where the contract offers 0..2
_KINDS: dict[str, FailureKind] = {
    "ThrottlingException": "rate_limited",
    "ServiceQuotaExceededException": "rate_limited",
    "ModelTimeoutException": "timeout",
    "InternalServerException": "unavailable",
    "ServiceUnavailableException": "unavailable",
    "ModelNotReadyException": "unavailable",
    "ModelErrorException": "unavailable",
}


class BedrockProvider:
    """`client_of(timeout)` makes a boto3 `bedrock-runtime` client that retries nothing itself."""

    available = True

    def __init__(self, client_of: Callable[[float], Any]) -> None:
        self._client_of = client_of

    def ask(self, model_id: str, question: Question, timeout: float) -> Reply:
        """See ModelProvider."""
        system = [m.content for m in question.messages if m.role == "system"]
        if question.system:
            system.insert(0, question.system)
        request: dict[str, Any] = {
            "modelId": model_id,
            "messages": turns(question.messages),
            "inferenceConfig": {
                "maxTokens": question.max_tokens,
                "temperature": min(question.temperature, _HOTTEST),
            },
        }
        if system:
            request["system"] = [{"text": text} for text in system]
        try:
            answer = self._client_of(timeout).converse(**request)
        except ClientError as error:
            code = str(error.response.get("Error", {}).get("Code", ""))
            raise ProviderFailed(_KINDS.get(code, "refused"), code) from error
        except (ConnectTimeoutError, EndpointConnectionError) as error:
            raise ProviderFailed("unavailable", type(error).__name__) from error
        except BotoCoreError as error:
            raise ProviderFailed("timeout", type(error).__name__) from error
        except ResponseParserError as error:
            raise ProviderFailed("unreadable", type(error).__name__) from error
        return _reply(answer)


def turns(messages: Iterable[Message]) -> list[dict[str, Any]]:
    """Converse's messages: roles take turns, so neighbours of one role are one message."""
    found: list[dict[str, Any]] = []
    for message in messages:
        if message.role == "system":
            continue
        if found and found[-1]["role"] == message.role:
            found[-1]["content"].append({"text": message.content})
        else:
            found.append({"role": message.role, "content": [{"text": message.content}]})
    return found


def _reply(answer: dict[str, Any]) -> Reply:
    try:
        blocks = answer["output"]["message"]["content"]
        text = "".join(block["text"] for block in blocks if "text" in block)
        counted = answer["usage"]
        usage = Usage(int(counted["inputTokens"]), int(counted["outputTokens"]))
    except (KeyError, TypeError, ValueError) as error:
        raise ProviderFailed("unreadable", type(error).__name__) from error
    return Reply(text, usage)
