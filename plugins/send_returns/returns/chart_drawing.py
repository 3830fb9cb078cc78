"""Control charts as SVG for a page, the same bytes on every machine.

Vega-Lite lays out axes by the widths of its texts, which hang on the fonts that a machine has. So the space around a
chart is fixed, titles are no part of it, and the browser brings the font. Its time scale is UTC, whatever the zone.
"""

import json
import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from send_returns.returns.control_chart import Chart, Point

INK, MUTED, TARGET = "#14213d", "#5b6b85", "#1b6e3c"
# Colour and shape say the same, for those who see no colours.
SIGNALS: Mapping[str, tuple[str, str]] = {
    "common_cause": (MUTED, "circle"),
    "improving": ("#0b4f9e", "triangle-up"),
    "concerning": ("#b04a00", "square"),
    "neutral": ("#6a2c91", "diamond"),
}
# Natural size: at 400 wide its letters can be read on a phone, and are not coarse on a screen.
_WIDTH, _HEIGHT = 300, 150
_PADDING = {"left": 48, "right": 52, "top": 10, "bottom": 24}
_LETTERS = 14  # between two labels, so that neither covers the other

_LINES = (("mean", (1, 0)), ("lower", (5, 3)), ("upper", (5, 3)))

Json = dict[str, Any]


def svg(chart: Chart, target: Decimal | None) -> str:
    """A chart of its points, with mean, limits and target where it has them. It has a point at least."""
    return drawn(_specification(chart, target))


def drawn(specification: Json) -> str:
    """The SVG of a Vega-Lite specification, to stand in a page."""
    import vl_convert  # a second to load, which no other command should wait for

    picture = vl_convert.vegalite_to_svg(json.dumps(specification, sort_keys=True))
    # The figure around it has the words; roles of its own would be read out again.
    return re.sub(r' (?:role|aria-\w+|class|pointer-events)="[^"]*"', "", picture)


def _specification(chart: Chart, target: Decimal | None) -> Json:
    latest = chart.points[-1]
    rows = [
        {
            "on": point.to_on.isoformat(),
            "value": float(point.value),
            "mean": _float(point.mean),
            "lower": _float(point.lower_limit),
            "upper": _float(point.upper_limit),
            "kind": _kind(point.variation),
            "baseline": str(point.mean),
        }
        for point in chart.points
    ]
    # A figure that is hidden breaks the line.
    rows += [{"on": on.isoformat(), "value": None, "kind": "common_cause"} for on in chart.hidden_on]
    rows.sort(key=lambda row: str(row["on"]))
    layers = [_line("value", MUTED)]
    ends: list[tuple[Decimal, str, str]] = []
    if latest.mean is not None and latest.lower_limit is not None and latest.upper_limit is not None:
        layers += [_line(name, INK, dash, detail=True) for name, dash in _LINES]
        ends = [(latest.mean, "mean", INK), (latest.lower_limit, "lower", INK), (latest.upper_limit, "upper", INK)]
    if target is not None:
        layers.append(
            {
                "data": {"values": [{"target": float(target)}]},
                "mark": {"type": "rule", "color": TARGET, "strokeWidth": 1.5, "strokeDash": [2, 2]},
                "encoding": {"y": {"field": "target", "type": "quantitative"}},
            }
        )
        ends.append((target, "target", TARGET))
    layers += _labels(latest, ends, [float(point.value) for point in chart.points])
    layers.append(
        {
            "mark": {"type": "point", "filled": True, "size": 36, "opacity": 1},
            "encoding": {
                "x": _ON,
                "y": _y("value"),
                "color": _by_kind([colour for colour, _ in SIGNALS.values()]),
                "shape": _by_kind([shape for _, shape in SIGNALS.values()]),
            },
        }
    )
    return {
        "data": {"values": rows},
        "width": _WIDTH,
        "height": _HEIGHT,
        "padding": _PADDING,
        "autosize": {"type": "none"},
        "layer": layers,
        "config": {
            "aria": False,
            "font": "Arial, Helvetica, Liberation Sans, sans-serif",
            "axis": {
                "labelFontSize": 12, "labelColor": INK, "gridColor": "#dde3ec",
                "domainColor": MUTED, "tickColor": MUTED,
                "title": None, "tickCount": 5, "labelOverlap": False, "labelFlush": False,
            },
            "axisX": {"grid": False, "format": "%b %y"},
            "view": {"stroke": None},
        },
    }  # fmt: skip


_ON: Json = {"field": "on", "type": "temporal", "scale": {"type": "utc"}}


def _y(field: str) -> Json:
    return {"field": field, "type": "quantitative", "scale": {"zero": False, "nice": True}}


def _line(field: str, colour: str, dash: tuple[int, int] = (1, 0), *, detail: bool = False) -> Json:
    """A line of a field; with `detail`, one for each baseline."""
    own = {"detail": {"field": "baseline", "type": "nominal"}} if detail else {}
    return {
        "mark": {"type": "line", "color": colour, "strokeWidth": 1, "strokeDash": list(dash)},
        "encoding": {"x": _ON, "y": _y(field), **own},
    }


def _by_kind(values: list[str]) -> Json:
    return {"field": "kind", "type": "nominal", "legend": None, "scale": {"domain": list(SIGNALS), "range": values}}


def _labels(latest: Point, ends: list[tuple[Decimal, str, str]], values: list[float]) -> list[Json]:
    """The names of lines at their right ends, moved apart where they would cover one another."""
    if not ends:
        return []
    heights = [*values, *(float(value) for value, _, _ in ends)]
    per_unit = _HEIGHT / ((max(heights) - min(heights)) or 1)
    layers, above = [], float("-inf")
    for value, text, colour in sorted(ends, reverse=True):
        wanted = (max(heights) - float(value)) * per_unit
        placed = max(wanted, above + _LETTERS)
        above = placed
        layers.append(
            {
                "data": {"values": [{"on": latest.to_on.isoformat(), "value": float(value), "text": text}]},
                "mark": {
                    "type": "text",
                    "align": "left",
                    "dx": 7,
                    "dy": placed - wanted,
                    "fontSize": 12,
                    "color": colour,
                },
                "encoding": {"x": _ON, "y": _y("value"), "text": {"field": "text", "type": "nominal"}},
            }
        )
    return layers


def _kind(variation: str) -> str:
    """The kind of signal that a variation is: a key of `SIGNALS`."""
    start = variation.partition("_")[0]
    return start if start in SIGNALS else "common_cause"


def _float(value: Decimal | None) -> float | None:
    return None if value is None else float(value)
