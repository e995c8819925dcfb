"""Entry points without HTTP."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tidegate_kit.budgets import sweep
from tidegate_kit.clock import system_clock
from tidegate_kit.observability import logger

from tidegate.ai import wiring


def release_reservations(event: Mapping[str, Any], context: object) -> dict[str, Any]:
    """Every 5 minutes: give back what dead workers have left reserved (AI-2)."""
    if event.get("tidegate_ping"):
        return {"pong": True}
    wiring.start_task()
    released = sweep(wiring.reservations(), wiring.budgets_of, system_clock)
    logger.info("reservations swept", released=released)
    return {"released": released}
