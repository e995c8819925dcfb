"""The stages of the five pipelines, by name (executions.STAGES)."""

from __future__ import annotations

from collections.abc import Mapping

from tidegate.pipelines.service.work import StageWork
from tidegate.pipelines.stages.cost_explorer import ReadCostExplorer
from tidegate.pipelines.stages.discover import Discover, RefreshFindings
from tidegate.pipelines.stages.focus_files import ReadFocusFiles
from tidegate.pipelines.stages.others import Evaluate, Measure, Retrain

WORKS: Mapping[str, StageWork] = {
    "discover": Discover(),
    "refresh-findings": RefreshFindings(),
    "cost-explorer": ReadCostExplorer(),
    "focus-files": ReadFocusFiles(),
    "evaluate": Evaluate(),
    "retrain": Retrain(),
    "measure": Measure(),
}
