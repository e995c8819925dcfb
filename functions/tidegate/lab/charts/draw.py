"""The two charts. All text is escaped; colour is never the only sign."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from html import escape

from tidegate.lab.anomalies import Anomaly
from tidegate.lab.charts.axes import FAINT, HEIGHT, INK, RIGHT, TOP, WIDTH, Frame, frame, grid
from tidegate.lab.domain import Dataset, Point, PredictedDay, Run

_SERIES, _FORECAST, _ALARM = "#1d4ed8", "#b45309", "#b91c1c"
_BAND_95, _BAND_80 = "#fde68a", "#fbbf24"
_MAX_DRAWN = 1500  # points of one line; more are thinned to the extremes of each stretch


def dataset_chart(dataset: Dataset, points: Sequence[Point], found: Sequence[Anomaly]) -> str:
    """A series with its anomalies marked."""
    shown = frame(points[0].date, points[-1].date, [point.value for point in points])
    note = f"{dataset.point_count} values, {len(found)} anomalies"
    legend = [("line", _SERIES, "value"), ("ring", _ALARM, "anomaly")]
    return _page(
        dataset.name, note, legend, [*grid(shown, dataset.unit), *_line(shown, points),
                                     *_marks(shown, found)],
    )  # fmt: skip


def run_chart(
    run: Run,
    dataset: Dataset,
    points: Sequence[Point],
    forecast: Sequence[PredictedDay],
    found: Sequence[Anomaly],
) -> str:
    """The last of the series, and the run's forecast with its 80 % and 95 % intervals.

    Without a forecast (the run is not completed) the series alone, saying so.
    """
    start = points[-1].date - timedelta(days=max(60, 4 * run.horizon))
    recent = [point for point in points if point.date >= start]
    values = [point.value for point in recent]
    for day in forecast:
        values += [day.lower_95, day.upper_95]
    last = forecast[-1].date if forecast else recent[-1].date
    shown = frame(recent[0].date, last, values)
    legend = [("line", _SERIES, "value"), ("ring", _ALARM, "anomaly")]
    drawn = grid(shown, dataset.unit)
    if forecast:
        legend += [("dash", _FORECAST, "forecast"), ("box", _BAND_80, "80 % interval"),
                   ("box", _BAND_95, "95 % interval")]  # fmt: skip
        drawn += [
            _band(shown, forecast, "lower_95", "upper_95", _BAND_95),
            _band(shown, forecast, "lower_80", "upper_80", _BAND_80),
        ]
    drawn += _line(shown, recent)
    drawn += _marks(shown, [one for one in found if one.date >= recent[0].date])
    drawn += _forecast_line(shown, recent[-1], forecast)
    return _page(f"{dataset.name}: {run.model_type}", _summary(run), legend, drawn)


def _summary(run: Run) -> str:
    if run.metrics is None:
        return f"{run.status}: no forecast"
    return (
        f"MASE {run.metrics.mase:.2f}, coverage of 80 %: {run.metrics.coverage_80:.0%}, "
        f"of 95 %: {run.metrics.coverage_95:.0%}"
    )


def _page(
    title: str, note: str, legend: Sequence[tuple[str, str, str]], drawn: Sequence[str]
) -> str:
    name = escape(title[:80])
    return "".join(
        (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" '
            f'width="{WIDTH}" height="{HEIGHT}" role="img" aria-label="{name}" '
            'font-family="sans-serif" font-size="12">',
            f'<title>{name}</title><rect width="{WIDTH}" height="{HEIGHT}" fill="#ffffff"/>',
            f'<text x="20" y="24" font-size="16" font-weight="bold" fill="{INK}">{name}</text>',
            f'<text x="20" y="44" fill="{FAINT}">{escape(note)}</text>',
            *_legend(legend),
            *drawn,
            "</svg>",
        )
    )


def _legend(entries: Sequence[tuple[str, str, str]]) -> list[str]:
    """Right-aligned on the second line of the head."""
    parts: list[str] = []
    x = WIDTH - RIGHT - sum(34 + 7 * len(text) for _, _, text in entries)
    y = TOP - 24
    for kind, colour, text in entries:
        if kind == "box":
            parts.append(f'<rect x="{x}" y="{y - 6}" width="18" height="12" fill="{colour}"/>')
        elif kind == "ring":
            parts.append(_ring(x + 9, y))
        else:
            dash = ' stroke-dasharray="5 3"' if kind == "dash" else ""
            parts.append(
                f'<path d="M{x} {y}h18" stroke="{colour}" stroke-width="2"{dash} fill="none"/>'
            )
        parts.append(f'<text x="{x + 23}" y="{y + 4}" fill="{FAINT}">{text}</text>')
        x += 34 + 7 * len(text)
    return parts


def _ring(x: float, y: float) -> str:
    return (
        f'<circle cx="{x:.1f}" cy="{y:.1f}" r="5" fill="none" stroke="{_ALARM}" stroke-width="2"/>'
    )


def _line(shown: Frame, points: Sequence[Point]) -> list[str]:
    """The series; a gap breaks the line, a value between gaps is a dot."""
    pieces: list[list[Point]] = []
    for point in points:
        if pieces and (point.date - pieces[-1][-1].date).days == 1:
            pieces[-1].append(point)
        else:
            pieces.append([point])
    share = max(1, len(points) // _MAX_DRAWN)
    parts = []
    for piece in pieces:
        if len(piece) == 1:
            x, y = shown.x(piece[0].date), shown.y(piece[0].value)
            parts.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="2" fill="{_SERIES}"/>')
            continue
        path = " ".join(
            f"{shown.x(p.date):.1f},{shown.y(p.value):.1f}" for p in _thinned(piece, share)
        )
        parts.append(
            f'<polyline points="{path}" fill="none" stroke="{_SERIES}" stroke-width="1.5"/>'
        )
    return parts


def _thinned(piece: Sequence[Point], share: int) -> list[Point]:
    """First, least, greatest and last of each stretch of 4 x `share` points."""
    if share == 1:
        return list(piece)
    kept: list[Point] = []
    for start in range(0, len(piece), 4 * share):
        part = piece[start : start + 4 * share]
        chosen = {part[0], part[-1], min(part, key=_value), max(part, key=_value)}
        kept += sorted(chosen, key=lambda point: point.date)
    return kept


def _value(point: Point) -> float:
    return point.value


def _marks(shown: Frame, found: Sequence[Anomaly]) -> list[str]:
    return [
        f"<g><title>{one.date.isoformat()}: {one.value:g}, expected {one.expected:g}, "
        f"score {one.score:.1f}</title>{_ring(shown.x(one.date), shown.y(one.value))}</g>"
        for one in found
    ]


def _band(shown: Frame, days: Sequence[PredictedDay], lower: str, upper: str, colour: str) -> str:
    up = [f"{shown.x(day.date):.1f},{shown.y(vars(day)[upper]):.1f}" for day in days]
    down = [f"{shown.x(day.date):.1f},{shown.y(vars(day)[lower]):.1f}" for day in reversed(days)]
    return f'<polygon points="{" ".join((*up, *down))}" fill="{colour}" fill-opacity="0.55"/>'


def _forecast_line(shown: Frame, last: Point, days: Sequence[PredictedDay]) -> list[str]:
    if not days:
        return []
    path = " ".join(
        f"{shown.x(day):.1f},{shown.y(value):.1f}"
        for day, value in ((last.date, last.value), *((one.date, one.mean) for one in days))
    )
    return [
        f'<polyline points="{path}" fill="none" stroke="{_FORECAST}" stroke-width="2" '
        'stroke-dasharray="5 3"/>'
    ]
