"""One botocore data loader for all sessions of a test run.

A new boto3 session reads and parses its service models again, which takes longer than most
tests.  The models are read-only, so one loader can serve every session, and every client of a
service can have the same model and the same methods (700 of EC2), which are made of nothing else.
"""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Iterator
from typing import Any
from unittest.mock import patch

from botocore import loaders
from botocore import session as botocore_session
from botocore.client import ClientCreator

_create = loaders.create_loader
_creator: Any = ClientCreator
_make_methods = _creator._create_methods
_load_model = _creator._load_service_model
_models: dict[tuple[str, str | None], Any] = {}
_methods: dict[tuple[str, str], dict[str, Any]] = {}


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


def _shared_model(creator: Any, service_name: str, api_version: str | None = None) -> Any:
    kept = service_name, api_version
    if kept not in _models:
        _models[kept] = _load_model(creator, service_name, api_version=api_version)
    return _models[kept]


def _shared_methods(creator: Any, service_model: Any) -> dict[str, Any]:
    kept = service_model.service_name, service_model.api_version
    if kept not in _methods:
        _methods[kept] = _make_methods(creator, service_model)
    return dict(_methods[kept])


@contextlib.contextmanager
def shared_loader() -> Iterator[None]:
    """Sessions created in the context share one loader, and clients of a service their methods."""
    with (
        patch.object(botocore_session, "create_loader", _shared),
        patch.object(ClientCreator, "_load_service_model", _shared_model),
        patch.object(ClientCreator, "_create_methods", _shared_methods),
    ):
        yield
