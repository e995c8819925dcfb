"""Providers against servers on this machine: good answers, 429, 5xx, time-outs, wrong JSON."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from botocore.config import Config
from tidegate.ai import wiring
from tidegate.ai.domain import Message, Question, Usage
from tidegate.ai.providers import ProviderFailed
from tidegate.ai.providers.bedrock import BedrockProvider
from tidegate.ai.providers.openai_compatible import OpenAiCompatibleProvider
from tidegate.ai.settings import AiSettings
from tidegate_kit.errors import ServiceUnavailable
from tidegate_kit.outbound import OutboundClient, OutboundPolicy
from tidegate_kit.settings import Settings

from tests.builders.settings import REGION
from tests.builders.settings import settings as make_settings
from tests.fakes.openai_server import KEY, OpenAiServer, openai_server

pytestmark = pytest.mark.enable_socket
QUESTION = Question(
    (
        Message("system", "Be brief."),
        Message("user", "One?"),
        Message("assistant", "Two."),
        Message("user", "Three?"),
        Message("user", "Four?"),
    ),
    "You are a test.",
    100,
    1.5,
)


@pytest.fixture
def server() -> Iterator[OpenAiServer]:
    with openai_server() as running:
        yield running


def provider_at(server: OpenAiServer, key: str = KEY) -> OpenAiCompatibleProvider:
    client = OutboundClient(OutboundPolicy(development=True))
    return OpenAiCompatibleProvider(client, server.base_url, lambda: key)


def kind_of(provider: Any, timeout: float = 5.0) -> tuple[str, bool]:
    with pytest.raises(ProviderFailed) as failed:
        provider.ask("m", QUESTION, timeout)
    assert "canary" not in str(failed.value), "the provider's text is not ours to log"
    return failed.value.kind, failed.value.charged


def test_a_chat_completion_is_asked_whole_with_the_key(server: OpenAiServer) -> None:
    reply = provider_at(server).ask("m", QUESTION, 5)
    assert (reply.text, reply.usage) == ("hello from the server", Usage(12, 3))
    ((path, authorization, body),) = server.asked
    assert (path, authorization) == ("/v1/chat/completions", f"Bearer {KEY}")
    assert body == {
        "model": "m",
        "messages": [
            {"role": "system", "content": "You are a test."},
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": "One?"},
            {"role": "assistant", "content": "Two."},
            {"role": "user", "content": "Three?"},
            {"role": "user", "content": "Four?"},
        ],
        "max_tokens": 100,
        "temperature": 1.5,
        "stream": False,
    }
    provider_at(server, "").ask("m", QUESTION, 5)
    assert server.asked[-1][1] is None


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (429, "rate_limited"),
        (500, "unavailable"),
        (503, "unavailable"),
        (401, "refused"),
        (400, "refused"),
        (404, "refused"),
    ],
)
def test_a_refusal_is_not_charged(server: OpenAiServer, status: int, kind: str) -> None:
    server.status = status
    assert kind_of(provider_at(server)) == (kind, False)


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"not json",
        b"[]",
        b"{}",
        b'{"choices": []}',
        b'{"choices": [{"message": {"content": null}}]}',
        b'{"choices": [{"message": {"content": 7}}]}',
        b"[" * 100_000,
        b"\xff\xfe",
    ],
)
def test_an_answer_that_cannot_be_read_counts_as_its_worst_case(
    server: OpenAiServer, raw: bytes
) -> None:
    server.raw = raw
    assert kind_of(provider_at(server)) == ("unreadable", True)


def test_a_server_that_hangs_or_is_gone(server: OpenAiServer) -> None:
    server.hang = threading.Event()
    assert kind_of(provider_at(server), timeout=0.3) == ("timeout", True)
    gone = OpenAiServer(port=1)
    gone.port = server.port
    with openai_server() as other:
        gone.port = other.port
    assert kind_of(provider_at(gone)) == ("unavailable", False)


@pytest.mark.parametrize(
    "usage",
    [None, [], {}, {"prompt_tokens": -1, "completion_tokens": 1}, {"prompt_tokens": "7"}, 5],
)
def test_a_server_that_does_not_count_leaves_it_to_the_bound(
    server: OpenAiServer, usage: Any
) -> None:
    server.usage = usage
    assert provider_at(server).ask("m", QUESTION, 5).usage is None


def test_a_private_address_is_refused_in_production(server: OpenAiServer) -> None:
    client = OutboundClient(OutboundPolicy(development=False))
    provider = OpenAiCompatibleProvider(client, server.base_url, lambda: KEY)
    assert kind_of(provider) == ("refused", False)
    assert server.asked == []


def test_the_key_is_read_from_the_secret_and_kept(platform: Settings) -> None:
    secrets = boto3.client("secretsmanager", region_name=REGION)
    secrets.create_secret(Name="ai-key", SecretString=KEY)
    key = wiring.SecretKey(make_settings(AiSettings, ai_api_key_ref="ai-key"))
    assert key() == KEY
    secrets.delete_secret(SecretId="ai-key", ForceDeleteWithoutRecovery=True)
    assert key() == KEY
    with pytest.raises(ServiceUnavailable):
        wiring.SecretKey(make_settings(AiSettings, ai_api_key_ref="no-such"))()
    assert wiring.SecretKey(make_settings(AiSettings))() == ""


# ------------------------------------------------------------------ Bedrock, over the same server


def bedrock_at(server: OpenAiServer) -> BedrockProvider:
    def client_of(timeout: float) -> Any:
        return boto3.client(
            "bedrock-runtime",
            region_name=REGION,
            endpoint_url=f"http://127.0.0.1:{server.port}",
            aws_access_key_id="x",
            aws_secret_access_key="x",
            config=Config(
                read_timeout=timeout, connect_timeout=1, retries={"total_max_attempts": 1}
            ),
        )

    return BedrockProvider(client_of)


def test_converse_is_asked_in_turns(server: OpenAiServer) -> None:
    thought = {"reasoningContent": {"reasoningText": {"text": "hm"}}}
    content = [{"text": "two "}, thought, {"text": "parts"}]
    server.raw = json.dumps(
        {
            "output": {"message": {"role": "assistant", "content": content}},
            "stopReason": "end_turn",
            "usage": {"inputTokens": 9, "outputTokens": 2, "totalTokens": 11},
        }
    ).encode()
    reply = bedrock_at(server).ask("amazon.nova-lite-v1:0", QUESTION, 5)
    assert (reply.text, reply.usage) == ("two parts", Usage(9, 2))
    ((path, _, body),) = server.asked
    assert path == "/model/amazon.nova-lite-v1%3A0/converse"
    assert body == {
        "messages": [
            {"role": "user", "content": [{"text": "One?"}]},
            {"role": "assistant", "content": [{"text": "Two."}]},
            {"role": "user", "content": [{"text": "Three?"}, {"text": "Four?"}]},
        ],
        "system": [{"text": "You are a test."}, {"text": "Be brief."}],
        "inferenceConfig": {"maxTokens": 100, "temperature": 1.0},
    }


@pytest.mark.parametrize(
    ("status", "code", "expected"),
    [
        (429, "ThrottlingException", ("rate_limited", False)),
        (500, "InternalServerException", ("unavailable", False)),
        (503, "ServiceUnavailableException", ("unavailable", False)),
        (408, "ModelTimeoutException", ("timeout", True)),
        (403, "AccessDeniedException", ("refused", False)),
        (400, "ValidationException", ("refused", False)),
    ],
)
def test_bedrocks_errors(
    server: OpenAiServer, status: int, code: str, expected: tuple[str, bool]
) -> None:
    server.status = status
    server.raw = json.dumps({"__type": code, "message": "canary"}).encode()
    assert kind_of(bedrock_at(server)) == expected
    assert len(server.asked) == 1, "asking costs money, so the SDK does not ask again"


def test_bedrock_hangs_or_says_nothing(server: OpenAiServer) -> None:
    two = b'{"output": {"message": {"role": "assistant", "content": [{"x": 1, "y": 2}]}}}'
    for raw in (b"{}", b"not json", two):
        server.raw = raw
        assert kind_of(bedrock_at(server)) == ("unreadable", True)
    server.hang = threading.Event()
    assert kind_of(bedrock_at(server), timeout=0.3) == ("timeout", True)
