"""Cost Explorer in customer accounts. Each request costs USD 0.01: the caller reserves it first."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any, Final

from botocore.exceptions import BotoCoreError, ClientError
from tidegate_kit.aws_session import AccessDeniedByAccount, is_denied, session_policy
from tidegate_kit.errors import NotFound, ServiceUnavailable

from tidegate.pipelines.domain import CostLine
from tidegate.pipelines.errors import (
    AccountDenied,
    NotReadable,
    ProviderThrottled,
    ProviderUnavailable,
)
from tidegate.pipelines.service.ports import Account, CostPage

ACTION: Final = "ce:GetCostAndUsage"
_REGION: Final = "us-east-1"  # the service has one endpoint
_METRIC: Final = "UnblendedCost"
_THROTTLED: Final = frozenset(
    {"LimitExceededException", "ThrottlingException", "Throttling", "TooManyRequestsException"}
)
# Answers that no later try changes today.
_NO_DATA: Final = frozenset({"DataUnavailableException", "BillExpirationException"})

# Gives a boto3 client of a service in the account, cut down to a policy.
OpenClient = Callable[[Account, str, str, str], Any]


@dataclass(frozen=True)
class SessionCostExplorer:
    """CostExplorer by sessions in the accounts."""

    open_client: OpenClient

    def page(self, account: Account, start: date, end: date, token: str | None) -> CostPage:
        """See ports.CostExplorer."""
        client = self._client(account)
        request: dict[str, Any] = {
            "TimePeriod": {"Start": start.isoformat(), "End": end.isoformat()},
            "Granularity": "DAILY",
            "Metrics": [_METRIC],
            "GroupBy": [
                {"Type": "DIMENSION", "Key": "SERVICE"},
                {"Type": "DIMENSION", "Key": "USAGE_TYPE"},
            ],
        }
        if token is not None:
            request["NextPageToken"] = token
        try:
            answer = client.get_cost_and_usage(**request)
        except ClientError as error:
            raise _failure(error) from error
        except BotoCoreError as error:
            raise ProviderUnavailable(type(error).__name__) from error
        days = {_day(one): _lines(one) for one in answer["ResultsByTime"]}
        return CostPage(days, answer.get("NextPageToken"))

    def _client(self, account: Account) -> Any:
        try:
            return self.open_client(account, session_policy((ACTION,)), "ce", _REGION)
        except (AccessDeniedByAccount, NotFound) as error:
            raise AccountDenied("sts:AssumeRole") from error
        except ServiceUnavailable as error:
            # Nothing was asked yet, so nothing is paid.
            raise ProviderThrottled(error.log) from error


def _failure(error: ClientError) -> Exception:
    if is_denied(error):
        return AccountDenied(ACTION)
    code = str(error.response.get("Error", {}).get("Code", ""))
    if code in _THROTTLED:
        return ProviderThrottled(code)
    if code in _NO_DATA:
        return NotReadable("Cost Explorer has no data yet")
    return ProviderUnavailable(code)


def _day(result: Mapping[str, Any]) -> date:
    return date.fromisoformat(result["TimePeriod"]["Start"][:10])


def _lines(result: Mapping[str, Any]) -> dict[CostLine, Decimal]:
    lines: dict[CostLine, Decimal] = {}
    for group in result.get("Groups", []):
        service, usage_type = group["Keys"]
        cost = group["Metrics"][_METRIC]
        if cost.get("Unit", "USD") != "USD":
            raise NotReadable("the account is billed in another currency than USD")
        line = CostLine(service, usage_type)
        lines[line] = lines.get(line, Decimal(0)) + Decimal(cost["Amount"])
    return lines
