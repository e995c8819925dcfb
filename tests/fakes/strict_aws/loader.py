"""One botocore data loader for all sessions of a test run.

A new boto3 session reads and parses its service models again, which takes longer than most
tests.  The models are read-only, so one loader can serve every session.
"""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Iterator
from typing import Any
from unittest.mock import patch

from botocore import loaders
from botocore import session as botocore_session

_create = loaders.create_loader


class _Paths(list[Any]):
    """Search paths: each boto3 session appends its own, always the same one."""

    def append(self, item: Any) -> None:
        """Appends once."""
        if item not in self:
            super().append(item)


@functools.cache
def _shared(search_path: str | None) -> Any:
    loader: Any = _create(search_path)
    loader._search_paths = _Paths(loader._search_paths)
    return loader


@contextlib.contextmanager
def shared_loader() -> Iterator[None]:
    """Sessions created in the context share one loader."""
    with patch.object(botocore_session, "create_loader", _shared):
        yield
