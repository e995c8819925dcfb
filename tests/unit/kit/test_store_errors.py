"""What the store's failures become: a lost condition, or 503, also without any answer."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.client import BaseClient
from botocore.exceptions import ConnectionClosedError, ReadTimeoutError
from tidegate_kit.dynamo import Transaction, store_errors
from tidegate_kit.errors import ServiceUnavailable
from tidegate_kit.ratelimit import RateCounterItem
from tidegate_kit.settings import Settings


@pytest.mark.parametrize("kind", [ConnectionClosedError, ReadTimeoutError])
def test_a_broken_connection_is_503(
    platform: Settings, monkeypatch: pytest.MonkeyPatch, kind: Any
) -> None:
    def broken(client: Any, operation: str, params: Any) -> Any:
        raise kind(endpoint_url="https://dynamodb")

    item = RateCounterItem("a", "b", expires=1)
    tx = Transaction()
    tx.delete(item)
    monkeypatch.setattr(BaseClient, "_make_api_call", broken)
    with pytest.raises(ServiceUnavailable):
        tx.commit()
    with pytest.raises(ServiceUnavailable), store_errors():
        item.delete()
