"""Pictures of a graph: Mermaid text and a plain SVG, with the states of an execution in colour."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from typing import Any, Final

from tidegate.workflows.graph import Graph
from tidegate.workflows.graph.algorithms import levels

# Fill and stroke per status; the text names the status as well, so colour is never the only sign.
_COLOURS: Final[dict[str, tuple[str, str]]] = {
    "running": ("#dbeafe", "#1d4ed8"),
    "waiting": ("#fef3c7", "#b45309"),
    "completed": ("#dcfce7", "#15803d"),
    "failed": ("#fee2e2", "#b91c1c"),
    "skipped": ("#f3f4f6", "#9ca3af"),
    "cancelled": ("#ede9fe", "#6d28d9"),
}
_PLAIN: Final = ("#ffffff", "#374151")
_MAX_LABEL: Final = 40
_WIDTH, _HEIGHT, _GAP_X, _GAP_Y, _MARGIN = 180, 48, 60, 32, 20


def mermaid(graph: Graph, status: Mapping[str, str] | None = None) -> str:
    """A Mermaid flowchart. `status` maps node ids to step statuses."""
    status = status or {}
    lines = ["flowchart TD"]
    for place, node in enumerate(graph.nodes):
        text = _mermaid_text(_label(node.data, node.id))
        state = status.get(node.id)
        note = f"<br/>{node.type}" + (f" · {state}" if state in _COLOURS else "")
        style = f":::{state}" if state in _COLOURS else ""
        lines.append(f'  n{place}["{text}{_mermaid_text(note, keep_break=True)}"]{style}')
    for source, target, edge in graph.arcs:
        label = f'|"{_mermaid_text(edge.handle[:_MAX_LABEL])}"|' if edge.handle else ""
        lines.append(f"  n{source} -->{label} n{target}")
    for name, (fill, stroke) in _COLOURS.items():
        lines.append(f"  classDef {name} fill:{fill},stroke:{stroke}")
    return "\n".join(lines) + "\n"


def svg(graph: Graph, status: Mapping[str, str] | None = None) -> str:
    """A top-down drawing in rows of topological level. Self-contained; all text is escaped."""
    status = status or {}
    place_of, width, height = _grid(graph)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" '
        f'width="{width}" height="{height}" role="img" font-family="sans-serif" font-size="12">',
        '<defs><marker id="tip" viewBox="0 0 8 8" refX="8" refY="4" markerWidth="8" '
        'markerHeight="8" orient="auto"><path d="M0 0 8 4 0 8z" fill="#374151"/></marker></defs>',
    ]
    for source, target, edge in graph.arcs:
        parts.append(_arrow(place_of[source], place_of[target], edge.handle))
    for place, node in enumerate(graph.nodes):
        state = status.get(node.id, "")
        parts.append(_box(place_of[place], _label(node.data, node.id), node.type, state))
    return "".join((*parts, "</svg>"))


def _label(data: Mapping[str, Any], node_id: str) -> str:
    label = data.get("label")
    text = label if isinstance(label, str) and label.strip() else node_id
    text = "".join(char if char.isprintable() else " " for char in text)
    return text if len(text) <= _MAX_LABEL else f"{text[: _MAX_LABEL - 1]}…"


def _mermaid_text(text: str, *, keep_break: bool = False) -> str:
    # Mermaid reads #name; as an entity and HTML inside quotes; neither may come from users.
    mark = "\ue000"
    if keep_break:
        text = text.replace("<br/>", mark)
    for char, entity in (("#", "#35;"), ("&", "#amp;"), ('"', "#quot;"), ("<", "#lt;")):
        text = text.replace(char, entity)
    text = text.replace(">", "#gt;").replace("`", "#96;")
    return text.replace(mark, "<br/>")


def _grid(graph: Graph) -> tuple[list[tuple[int, int]], int, int]:
    """(top left corner per node, width, height)."""
    _, level = levels([[target for target, _ in edges] for edges in graph.outgoing])
    deepest = max(level, default=0)
    used: dict[int, int] = {}
    corners: list[tuple[int, int]] = []
    for one in level:
        row = one if one >= 0 else deepest + 1  # on a cycle: below the rest
        column = used.get(row, 0)
        used[row] = column + 1
        x = _MARGIN + column * (_WIDTH + _GAP_X)
        corners.append((x, _MARGIN + row * (_HEIGHT + _GAP_Y)))
    width = 2 * _MARGIN + max(used.values(), default=1) * (_WIDTH + _GAP_X) - _GAP_X
    height = 2 * _MARGIN + (max(used, default=0) + 1) * (_HEIGHT + _GAP_Y) - _GAP_Y
    return corners, width, height


def _arrow(source: tuple[int, int], target: tuple[int, int], handle: str | None) -> str:
    x1, y1 = source[0] + _WIDTH // 2, source[1] + _HEIGHT
    x2, y2 = target[0] + _WIDTH // 2, target[1]
    line = (
        f'<path d="M{x1} {y1}C{x1} {y1 + _GAP_Y} {x2} {y2 - _GAP_Y} {x2} {y2}" fill="none" '
        'stroke="#374151" marker-end="url(#tip)"/>'
    )
    if not handle:
        return line
    text = escape(handle[:_MAX_LABEL])
    return f'{line}<text x="{(x1 + x2) // 2 + 4}" y="{(y1 + y2) // 2}">{text}</text>'


def _box(corner: tuple[int, int], label: str, kind: str, state: str) -> str:
    x, y = corner
    fill, stroke = _COLOURS.get(state, _PLAIN)
    note = f"{kind} · {state}" if state in _COLOURS else kind
    middle = x + _WIDTH // 2
    return (
        f'<rect x="{x}" y="{y}" width="{_WIDTH}" height="{_HEIGHT}" rx="6" fill="{fill}" '
        f'stroke="{stroke}"/><text x="{middle}" y="{y + 20}" text-anchor="middle">'
        f'{escape(label[:26])}</text><text x="{middle}" y="{y + 37}" text-anchor="middle" '
        f'font-size="10" fill="#4b5563">{escape(note)}</text>'
    )
