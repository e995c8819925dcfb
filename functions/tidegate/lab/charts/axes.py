"""Scales, ticks and grid of a chart over days."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import date, timedelta
from html import escape

WIDTH, HEIGHT = 880, 400
LEFT, RIGHT, TOP, BOTTOM = 84, 24, 64, 56
INK, FAINT, GRID = "#1f2937", "#4b5563", "#e5e7eb"
_DAY_STEPS = (1, 2, 7, 14)
_MONTH_STEPS = (1, 2, 3, 6, 12, 24, 60, 120)
_MAX_DATES = 9


@dataclass(frozen=True)
class Frame:
    """Days and values to pixels."""

    first: date
    last: date
    low: float
    high: float

    def x(self, day: date) -> float:
        """Pixels from the left."""
        span = max((self.last - self.first).days, 1)
        return LEFT + (WIDTH - LEFT - RIGHT) * (day - self.first).days / span

    def y(self, value: float) -> float:
        """Pixels from the top."""
        share = (value - self.low) / (self.high - self.low)
        return HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * share


def frame(first: date, last: date, values: list[float]) -> Frame:
    """A frame that holds all values between round ticks."""
    low, high = min(values), max(values)
    if low == high:
        low, high = low - (abs(low) or 1.0) * 0.1, high + (abs(high) or 1.0) * 0.1
    step = _step(high - low)
    return Frame(first, last, math.floor(low / step) * step, math.ceil(high / step) * step)


def _step(span: float) -> float:
    """A round distance that gives four to eight ticks: 1, 2, 2.5 or 5 times a power of ten."""
    rough = span / 5
    power = 10.0 ** math.floor(math.log10(rough))
    return next((m * power for m in (1.0, 2.0, 2.5, 5.0) if m * power >= rough), 10 * power)


def grid(shown: Frame, unit: str | None) -> list[str]:
    """Grid lines, tick labels and axis titles."""
    bottom, right = HEIGHT - BOTTOM, WIDTH - RIGHT
    parts: list[str] = []
    step = _step(shown.high - shown.low)
    for number in range(round((shown.high - shown.low) / step) + 1):
        value = shown.low + number * step
        y = shown.y(value)
        parts.append(f'<line x1="{LEFT}" y1="{y:.1f}" x2="{right}" y2="{y:.1f}" stroke="{GRID}"/>')
        parts.append(_text(LEFT - 8, y + 4, number_text(value, step), "end"))
    for day in dates(shown.first, shown.last):
        x = shown.x(day)
        parts.append(f'<line x1="{x:.1f}" y1="{TOP}" x2="{x:.1f}" y2="{bottom}" stroke="{GRID}"/>')
        parts.append(_text(x, bottom + 18, day.isoformat(), "middle"))
    parts.append(
        f'<path d="M{LEFT} {TOP}V{bottom}H{right}" fill="none" stroke="{FAINT}" stroke-width="1"/>'
    )
    middle = (TOP + bottom) / 2
    parts.append(
        f'<text x="18" y="{middle:.0f}" text-anchor="middle" fill="{FAINT}" '
        f'transform="rotate(-90 18 {middle:.0f})">{escape(unit or "value")[:40]}</text>'
    )
    parts.append(_text((LEFT + right) / 2, HEIGHT - 10, "date", "middle"))
    return parts


def _text(x: float, y: float, text: str, anchor: str) -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" fill="{FAINT}">{text}</text>'


def number_text(value: float, step: float) -> str:
    """A tick's number with as many decimals as the step needs."""
    if value and (abs(value) >= 1e9 or step < 1e-4):
        return f"{value:.3g}"
    decimals = max(0, -math.floor(math.log10(step))) + (1 if f"{step:e}".startswith("2.5") else 0)
    if step >= 1 and step == int(step):
        decimals = 0
    return f"{value + 0.0:,.{decimals}f}"


def dates(first: date, last: date) -> list[date]:
    """At most nine round days: every n days, else first days of months."""
    days = (last - first).days
    for step in _DAY_STEPS:
        if days / step < _MAX_DATES:
            start = first + timedelta(days=-first.toordinal() % step)
            return [start + timedelta(days=n) for n in range(0, (last - start).days + 1, step)]
    for step in _MONTH_STEPS:
        months = range(first.year * 12 + first.month - 1, last.year * 12 + last.month)
        found = [date(m // 12, m % 12 + 1, 1) for m in months if m % step == 0]
        found = [day for day in found if first <= day <= last]
        if len(found) <= _MAX_DATES:
            return found
    return [first, last]
