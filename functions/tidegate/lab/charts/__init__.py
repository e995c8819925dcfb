"""Charts as self-contained SVG: a series with its anomalies, a forecast with its intervals."""

from tidegate.lab.charts.draw import dataset_chart, run_chart

__all__ = ["dataset_chart", "run_chart"]
