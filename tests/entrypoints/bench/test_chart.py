from xml.etree import ElementTree as ET

import pytest

from cortex_entrypoints.bench.chart import Line, Panel, draw_svg

SVG = "{http://www.w3.org/2000/svg}"


def drawn(*values: float | None, label: str = "first", is_dashed: bool = False) -> ET.Element:
    lines = [Line(label=label, color=0, is_dashed=is_dashed, values=values)]
    positions = [str(number) for number in range(len(values))]
    panels = [Panel(title="tokens/s", lines=lines)]
    return ET.fromstring(draw_svg(title="a < b", subtitle="&", axis="clients", positions=positions, panels=panels))


def points(picture: ET.Element) -> list[tuple[float, float]]:
    return [(float(circle.attrib["cx"]), float(circle.attrib["cy"])) for circle in picture.iter(f"{SVG}circle")]


def texts(picture: ET.Element) -> list[str]:
    return [text.text or "" for text in picture.iter(f"{SVG}text")]


def test_a_higher_value_is_drawn_higher_and_a_later_one_further_right() -> None:
    (left, low), (middle, high), (right, between) = points(drawn(10, 30, 20))
    assert left < middle < right
    assert high < between < low  # in SVG, y grows downwards


def test_heights_are_in_proportion() -> None:
    (_, zero), (_, half), (_, whole) = points(drawn(0, 20, 40))
    assert zero - half == pytest.approx(half - whole, abs=0.1)


@pytest.mark.parametrize("highest", [0.003, 0.7, 1, 9, 10, 99.5, 4844, 1e6])
def test_the_scale_has_round_numbers_up_to_the_highest_value(highest: float) -> None:
    picture = drawn(0, highest)
    place = next(picture.iter(f"{SVG}g"))
    scale = [float(text.text or "") for text in place.iter(f"{SVG}text") if text.attrib["text-anchor"] == "end"]
    assert scale[0] == 0
    assert scale[-2] < highest <= scale[-1]
    assert 4 <= len(scale) <= 12
    assert f"{scale[1]:.2e}".partition("e")[0] in {"1.00", "2.00", "5.00"}


def test_a_figure_that_is_missing_leaves_a_hole() -> None:
    assert len(points(drawn(1, None, 3))) == 2


def test_nothing_measured_is_still_a_picture() -> None:
    assert points(drawn(None, None)) == []
    assert len(points(drawn(0, 0))) == 2


def test_titles_and_labels_are_escaped() -> None:
    assert {"a < b", "&", "<script>"} <= set(texts(drawn(1, label="<script>")))


def test_a_dashed_line_is_dashed_in_the_plot_and_in_the_legend() -> None:
    dashed = [line for line in drawn(1, 2, is_dashed=True).iter(f"{SVG}polyline") if "stroke-dasharray" in line.attrib]
    assert len(dashed) == 2
