"""Entry points without HTTP: erasing what was removed (ADM-1)."""

from __future__ import annotations

from typing import Any

from tidegate_kit.clock import system_clock
from tidegate_kit.observability import logger

from tidegate.admin import erasing
from tidegate.identity.public import erasures as identity


def erase(event: dict[str, Any], context: object) -> dict[str, int]:
    """Every five minutes, or asked by an operator: erase what is noted, each to its end.

    What was found keeps its note until a later round finds nothing more.

    {"tenant_id", "requested_by"} first notes that a tenant goes: it is switched off in the same
    step, for good. One that fails is told and stays noted; the others go on. Answers how many
    rounds were done and how many failed.
    """
    if event.get("tidegate_ping"):
        return {"done": 0, "left": 0}
    worker = erasing.start()
    if "tenant_id" in event:
        by = str(event.get("requested_by", "operator"))
        identity.begin_erasure(str(event["tenant_id"]), by, system_clock())
    done = left = 0
    for wanted in list(identity.erasures()):
        try:
            erased = worker.run(wanted)
        except Exception:
            # Whatever is wrong with one, the others are erased; the alarm on this line tells.
            logger.exception("erasing failed; it is begun again", tenant_id=wanted.tenant_id)
            left += 1
            continue
        if erased.rows == erased.objects == 0:
            # A whole round found nothing: what came late, from streams and the bus, is gone too.
            identity.finish_erasure(wanted)
        logger.info("erased", tenant_id=wanted.tenant_id, rows=erased.rows, objects=erased.objects)
        done += 1
    return {"done": done, "left": left}
