"""HTTP of every domain: routing, the guard pipeline, errors, paging (contract part 1)."""

from tidegate_kit.http.lean import import_fastapi

# ruff: noqa: E402 - before anything below imports it the ordinary way
import_fastapi()

from tidegate_kit.http.app import lambda_app
from tidegate_kit.http.call import Call, CurrentCall
from tidegate_kit.http.paging import PageFields, PageParams, Paging
from tidegate_kit.http.routing import Router
from tidegate_kit.http.schema import ApiModel, PathId, RequestModel, Text, Timestamp

__all__ = [
    "ApiModel",
    "Call",
    "CurrentCall",
    "PageFields",
    "PageParams",
    "Paging",
    "PathId",
    "RequestModel",
    "Router",
    "Text",
    "Timestamp",
    "lambda_app",
]
