"""Stored pipelines, executions and cost series."""

from tidegate.pipelines.repository.costs import CostSeries, DynamoCostSeries

__all__ = ["CostSeries", "DynamoCostSeries"]
