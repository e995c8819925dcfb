"""Reads what the kit's logger writes, formatter and masking included."""

from __future__ import annotations

import io
import logging
from collections.abc import Iterator
from contextlib import contextmanager

from tidegate_kit.observability import logger


@contextmanager
def captured_logs() -> Iterator[io.StringIO]:
    """The logger's output inside the block, one JSON object a line."""
    stream = io.StringIO()
    handler = logger.registered_handler
    assert isinstance(handler, logging.StreamHandler)
    before = handler.setStream(stream)
    try:
        yield stream
    finally:
        if before is not None:
            handler.setStream(before)
