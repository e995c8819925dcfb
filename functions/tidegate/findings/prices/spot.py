"""Spot savings and interruption bands by instance type (AWS Spot Instance Advisor)."""

from __future__ import annotations

import json
from dataclasses import dataclass
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any

_DATA = Path(__file__).with_name("spot.json")


@dataclass(frozen=True)
class Spot:
    """What spot saves: percent of the on-demand price, and how often it is interrupted.

    `band` is the advisor's index (0 under 5 % a month ... 4 over 20 %), `band_label` its text.
    """

    percent: Decimal
    band: int
    band_label: str
    source: str
    date: str


@cache
def _data() -> Any:
    return json.loads(_DATA.read_text(encoding="utf-8"))


def spot(instance_type: str, region: str) -> Spot | None:
    """The advisor's line for Linux; None where it has none."""
    data = _data()
    line = data["regions"].get(region, {}).get(instance_type)
    if line is None:
        return None
    percent, band = line
    return Spot(Decimal(percent), band, data["bands"][str(band)], data["source"], data["version"])
