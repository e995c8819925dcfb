"""Stored pipelines, executions and cost series."""

from tidegate.pipelines.repository.costs import CostSeries, DynamoCostSeries
from tidegate.pipelines.repository.executions import (
    DynamoExecutions,
    Executions,
    GlobalPipelines,
)

__all__ = [
    "CostSeries",
    "DynamoCostSeries",
    "DynamoExecutions",
    "Executions",
    "GlobalPipelines",
]
