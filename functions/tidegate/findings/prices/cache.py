"""Loaded figures in the data bucket: `prices/<region>.json`, shared by all tenants."""

from __future__ import annotations

import json
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError
from tidegate_kit.clients import platform_client
from tidegate_kit.errors import ServiceUnavailable

from tidegate.findings.prices.book import Figure


class GlobalPriceCache:
    """Figures that the loader stored."""

    def __init__(self, bucket: str, region: str) -> None:
        self._bucket = bucket
        self._region = region

    @property
    def _s3(self) -> Any:
        return platform_client("s3", self._region)

    def get(self, region: str) -> list[Figure]:
        """The figures of a region; none where none was loaded."""
        try:
            answer = self._s3.get_object(Bucket=self._bucket, Key=_name(region))
            document = json.loads(answer["Body"].read())
        except ClientError as error:
            if error.response.get("Error", {}).get("Code") == "NoSuchKey":
                return []
            raise ServiceUnavailable(log=f"s3: {error}") from error
        except BotoCoreError as error:
            raise ServiceUnavailable(log=f"s3: {error}") from error
        return [
            Figure(key, region, unit, Decimal(price), source, date)
            for key, unit, price, source, date in document
        ]

    def put(self, region: str, figures: Sequence[Figure]) -> None:
        """Replace the figures of a region."""
        document = [[f.key, f.unit, str(f.unit_price), f.source, f.date] for f in figures]
        try:
            self._s3.put_object(
                Bucket=self._bucket, Key=_name(region), Body=json.dumps(document).encode()
            )
        except (ClientError, BotoCoreError) as error:
            raise ServiceUnavailable(log=f"s3: {error}") from error


def _name(region: str) -> str:
    return f"prices/{region}.json"
