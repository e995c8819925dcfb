"""One API call as the strict layer sees it, and the errors it answers with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from botocore.exceptions import ClientError


@dataclass
class Call:
    """One call of a botocore client, after parameter transformation, before the wire."""

    service: str
    operation: str
    params: dict[str, Any]
    region: str
    access_key: str | None = None
    secret_key: str | None = None
    session_token: str | None = None
    signed: bool = True
    protocol: str = "json"
    account: str = "123456789012"
    client: Any = field(default=None, repr=False)

    def error(self, code: str, message: str, status: int = 400, **extra: Any) -> ClientError:
        """The ClientError that the service itself would raise for this call.

        It is of the client's own exception class where the service model knows the code, so
        ``except client.exceptions.GoneException`` works.
        """
        response: dict[str, Any] = {
            "Error": {"Code": code, "Message": message},
            "ResponseMetadata": {
                "RequestId": "00000000-0000-4000-8000-000000000000",
                "HTTPStatusCode": status,
                "HTTPHeaders": {},
                "RetryAttempts": 0,
            },
            **extra,
        }
        factory: Any = ClientError
        if self.client is not None:
            factory = self.client.exceptions.from_code(code)
        error = factory(response, self.operation)
        assert isinstance(error, ClientError)
        return error

    def validation_error(self, message: str) -> ClientError:
        """``ValidationException`` (query protocols: ``ValidationError``)."""
        code = "ValidationError" if self.protocol in ("query", "ec2") else "ValidationException"
        return self.error(code, message)

    def is_(self, service: str, *operations: str) -> bool:
        """Whether this is one of the operations of the service."""
        return self.service == service and self.operation in operations


class Rule(Protocol):
    """One family of facts that moto gets wrong."""

    def before(self, call: Call) -> Mapping[str, Any] | None:
        """Raises the service's error, answers instead of moto, or returns None."""

    def after(self, call: Call, response: Any) -> None:
        """Sees the answer of a call that succeeded."""


class BaseRule:
    """A rule that does nothing; the families override what they need."""

    def before(self, call: Call) -> Mapping[str, Any] | None:
        """See :class:`Rule`."""
        return None

    def after(self, call: Call, response: Any) -> None:
        """See :class:`Rule`."""


OK = {"ResponseMetadata": {"HTTPStatusCode": 200, "HTTPHeaders": {}, "RetryAttempts": 0}}
