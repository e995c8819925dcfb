"""Answers CloudFormation, at its own S3 host and nowhere else (EVT-1, G34)."""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import Protocol

from tidegate_kit.errors import ServiceUnavailable
from tidegate_kit.outbound import (
    OutboundClient,
    OutboundPolicy,
    OutboundRefused,
    parse_target,
)

_SECONDS = 10.0


class ResponseSender(Protocol):
    """Sends answers to stacks."""

    def allowed(self, url: str) -> bool:
        """Whether an answer may go to this address at all."""

    def send(self, url: str, body: bytes) -> None:
        """PUT the answer. Raises ServiceUnavailable, so that the message comes again."""


def response_hosts(region: str) -> re.Pattern[str]:
    """CloudFormation's response buckets of one region, in S3's spellings of a host.

    CloudFormation takes a topic of the stack's own region only, so an honest message names the
    bucket of the topic's region; bucket names of that form could be registered by anybody.
    """
    bucket = f"cloudformation-custom-resource-response-{region.replace('-', '')}"
    return re.compile(
        rf"{re.escape(bucket)}\.s3(?:[.-]{re.escape(region)})?\.amazonaws\.com(?:\.cn)?"
    )


class HttpResponseSender:
    """ResponseSender on the outbound client: no redirect, no other host, one try."""

    def __init__(
        self,
        client: OutboundClient,
        policy: OutboundPolicy,
        region: str,
        local_hosts: Collection[str] = (),
    ) -> None:
        """local_hosts: `host:port` on loopback, heeded in development only (local cloud)."""
        self._client = client
        self._policy = policy
        self._hosts = response_hosts(region)
        self._local_hosts = tuple(local_hosts)

    def allowed(self, url: str) -> bool:
        try:
            target = parse_target(url, self._policy, local_hosts=self._local_hosts)
        except OutboundRefused:
            return False
        if target.local:
            return f"{target.host}:{target.port}" in self._local_hosts
        return target.port == 443 and self._hosts.fullmatch(target.host) is not None

    def send(self, url: str, body: bytes) -> None:
        answer = self._client.request(
            "PUT",
            url,
            body=body,
            timeout=_SECONDS,
            excess="cut",
            allow_hosts=self._hosts,
            local_hosts=self._local_hosts,
        )
        if not 200 <= answer.status < 300:
            raise ServiceUnavailable(log=f"CloudFormation's answer bucket said {answer.status}")
