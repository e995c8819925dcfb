"""Lambda functions, with calls of 90 days and memory use (lambda-unused, lambda-overmemory)."""

from __future__ import annotations

from typing import Any

from tidegate.discovery.collectors.base import (
    Collector,
    Draft,
    Page,
    Read,
    Reader,
    pick,
    read_tags,
)
from tidegate.discovery.collectors.metrics import GET_METRIC_DATA, Series, Wanted, measure

LIST = Read("lambda", "list_functions", "lambda:ListFunctions")
TAGS = Read("lambda", "list_tags", "lambda:ListTags")
_SERIES = (
    Series("invocations", "AWS/Lambda", "Invocations", "Sum", 90),
    Series("invocations_14d", "AWS/Lambda", "Invocations", "Sum", 14),
    Series("duration_ms_avg", "AWS/Lambda", "Duration", "Average", 14),
)
# Only where Lambda Insights is on; without it the memory in use is not measured.
_MEMORY = Series("memory_percent_max", "LambdaInsights", "memory_utilization", "Maximum", 14)
_PAGE_SIZE = 50


class LambdaFunctions(Collector):
    """lambda:function."""

    service = "lambda"
    types = ("lambda:function",)
    reads = (LIST, TAGS, GET_METRIC_DATA)

    def read_page(self, reader: Reader, token: str | None) -> Page:
        """One page of functions."""
        answer = reader.call(LIST, MaxItems=_PAGE_SIZE, Marker=token)
        drafts = [_draft(reader, function) for function in answer.get("Functions", [])]
        measure(reader, [wanted for draft in drafts for wanted in _wanted(draft)])
        return reader.page([draft.found() for draft in drafts], answer.get("NextMarker"))


def _wanted(draft: Draft) -> list[Wanted]:
    name = str(draft.name)
    return [
        *(Wanted(draft, series, {"FunctionName": name}) for series in _SERIES),
        Wanted(draft, _MEMORY, {"function_name": name}),
    ]


def _draft(reader: Reader, function: dict[str, Any]) -> Draft:
    name = function["FunctionName"]
    draft = Draft(
        arn=function.get("FunctionArn") or reader.target.arn("lambda", f"function:{name}"),
        type="lambda:function",
        region=reader.target.region,
        name=name,
        state=function.get("State"),
        attributes=pick(
            function,
            runtime="Runtime",
            memory_mb="MemorySize",
            timeout_seconds="Timeout",
            architectures="Architectures",
            package_type="PackageType",
            code_bytes="CodeSize",
            modified_at="LastModified",
        ),
    )
    storage = function.get("EphemeralStorage", {})
    draft.attributes.update(pick(storage, ephemeral_storage_mb="Size"))
    read_tags(reader, draft, TAGS, lambda data: data.get("Tags"), Resource=draft.arn)
    return draft
