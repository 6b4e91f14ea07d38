"""Lines over axes, as SVG. Pure: figures in, text out.

Written here because it is a page of code, and every plotting library is larger than the rest of the command.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from xml.etree.ElementTree import Element, SubElement, indent, tostring

# Told apart by people who see colours differently: Okabe and Ito, https://jfly.uni-koeln.de/color/
_COLORS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000")
_PLOT_WIDTH, _PLOT_HEIGHT = 360, 240
_LEFT, _RIGHT, _TOP, _BOTTOM = 70, 30, 90, 50
_PANEL_WIDTH = _LEFT + _PLOT_WIDTH + _RIGHT
_LEGEND_LINE = 18
_FAINT = "#dddddd"


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """Figures that belong together.

    Attributes:
        label: What the legend says.
        color: Number of its colour; lines of one number look related.
        is_dashed: Whether it is dashed, to tell it from a line of the same colour.
        values: One for each position on the horizontal axis, at least 0; None where nothing was measured.
    """

    label: str
    color: int
    is_dashed: bool
    values: Sequence[float | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Panel:
    """One pair of axes.

    Attributes:
        title: What the vertical axis counts.
        lines: What is drawn; each has as many values as there are positions.
    """

    title: str
    lines: Sequence[Line]


def draw_svg(*, title: str, subtitle: str, axis: str, positions: Sequence[str], panels: Sequence[Panel]) -> str:
    """Draws panels side by side, with one legend for all.

    Args:
        title: Stands above.
        subtitle: Stands below the title.
        axis: What the horizontal axes count.
        positions: Names of the places on them, which are equally far apart; at least one.
        panels: At least one; all have the same lines by label, colour and dash.
    """
    lines = panels[0].lines
    width = _PANEL_WIDTH * len(panels)
    height = _TOP + _PLOT_HEIGHT + _BOTTOM + _LEGEND_LINE * (len(lines) + 1)
    root = Element("svg", xmlns="http://www.w3.org/2000/svg", viewBox=f"0 0 {width} {height}", width=str(width))
    root.set("font-family", "system-ui, sans-serif")
    root.set("font-size", "12")
    SubElement(root, "rect", width=str(width), height=str(height), fill="white")
    _text(root, 16, 24, title, weight="bold")
    _text(root, 16, 42, subtitle)
    for number, panel in enumerate(panels):
        place = SubElement(root, "g", transform=f"translate({number * _PANEL_WIDTH + _LEFT} {_TOP})")
        _draw_panel(place, panel, axis, positions)
    _draw_legend(root, lines)
    indent(root)
    return tostring(root, encoding="unicode") + "\n"


def _draw_panel(place: Element, panel: Panel, axis: str, positions: Sequence[str]) -> None:
    _text(place, 0, -14, panel.title)
    ticks = _ticks(max((value for line in panel.lines for value in line.values if value is not None), default=1.0))
    for tick in ticks:
        height = _height(tick, ticks[-1])
        _stroke(place, [(0, height), (_PLOT_WIDTH, height)], color=_FAINT)
        _text(place, -8, height + 4, f"{tick:g}", anchor="end")
    for number, name in enumerate(positions):
        _text(place, _across(number, len(positions)), _PLOT_HEIGHT + 18, name, anchor="middle")
    _text(place, _PLOT_WIDTH / 2, _PLOT_HEIGHT + 36, axis, anchor="middle")
    for line in panel.lines:
        _draw_line(place, line, ticks[-1])


def _draw_line(place: Element, line: Line, highest: float) -> None:
    points = [
        (_across(number, len(line.values)), _height(value, highest))
        for number, value in enumerate(line.values)
        if value is not None
    ]
    _stroke(place, points, color=_color(line), is_dashed=line.is_dashed, width=2)
    for x, y in points:
        SubElement(place, "circle", cx=f"{x:.1f}", cy=f"{y:.1f}", r="3.5", fill=_color(line))


def _draw_legend(root: Element, lines: Iterable[Line]) -> None:
    for number, line in enumerate(lines):
        y = _TOP + _PLOT_HEIGHT + _BOTTOM + _LEGEND_LINE * (number + 0.5)
        _stroke(root, [(_LEFT, y), (_LEFT + 30, y)], color=_color(line), is_dashed=line.is_dashed, width=2)
        _text(root, _LEFT + 38, y + 4, line.label)


def _text(place: Element, x: float, y: float, text: str, *, anchor: str = "start", weight: str = "normal") -> None:
    element = SubElement(place, "text", {"x": f"{x:.1f}", "y": f"{y:.1f}", "text-anchor": anchor})
    element.set("font-weight", weight)
    element.text = text


def _stroke(
    place: Element, points: Iterable[tuple[float, float]], *, color: str, is_dashed: bool = False, width: int = 1
) -> None:
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    element = SubElement(place, "polyline", {"points": path, "stroke": color, "stroke-width": str(width)})
    element.set("fill", "none")
    if is_dashed:
        element.set("stroke-dasharray", "6 4")


def _color(line: Line) -> str:
    return _COLORS[line.color % len(_COLORS)]


def _across(number: int, count: int) -> float:
    return (number + 0.5) / count * _PLOT_WIDTH


def _height(value: float, highest: float) -> float:
    return _PLOT_HEIGHT * (1 - value / highest)


def _ticks(highest: float) -> Sequence[float]:
    """Four to ten round numbers from 0 to at least the highest value."""
    rough = max(highest, 1e-9) / 4
    power = 10.0 ** math.floor(math.log10(rough))
    step = max(factor * power for factor in (1, 2, 5) if factor * power <= rough)
    return [number * step for number in range(math.ceil(highest / step) + 1)] if highest > 0 else [0.0, 1.0]
