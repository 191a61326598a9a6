"""Plots as pictures: clean SVG for a page, and SVG, PNG and PDF files for a paper."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree

from harness.errors import UserError
from harness.records.jsonlines import write_atomically
from harness.report.content import Content
from harness.report.drawn import figures_of
from harness.report.plots import Figure

SVG = "http://www.w3.org/2000/svg"
DRAWN = {"svg", "g", "path", "rect", "line", "text", "tspan", "defs", "clipPath", "circle"}
TAKEN = {
    "class", "d", "fill", "fill-opacity", "stroke", "stroke-width", "stroke-opacity", "stroke-miterlimit",
    "stroke-dasharray", "opacity", "transform", "x", "y", "x1", "x2", "y1", "y2", "dx", "dy", "r", "cx", "cy",
    "width", "height", "viewBox", "text-anchor", "font-size", "font-weight", "font-family", "id", "clip-path",
}  # fmt: skip
POINTS = 72  # an inch
WIDTH = 234  # points: 3.25 inches, a column of the usual two-column paper
DOTS = 300  # an inch, of PNG


def picture(figure: Figure, name: str) -> str:
    """Return a figure as SVG to put into a page; `name` is new on that page. Only shapes and text are kept of
    what the plotting library wrote, and what a pointer is told becomes the mark's `<title>`.
    """
    import vl_convert

    root = ElementTree.fromstring(vl_convert.vegalite_to_svg(dict(figure.spec)))
    ElementTree.register_namespace("", SVG)
    _clean(root, name)
    root.set("role", "img")
    root.set("aria-labelledby", f"{name}-title")
    return ElementTree.tostring(root, encoding="unicode")


def write_figures(content: Content, folder: Path) -> list[Path]:
    """Write every figure as SVG, PNG and PDF, one column of a paper wide; return the files."""
    import vl_convert

    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"--figures {str(folder)!r} cannot be made: {error.strerror}.") from error
    ElementTree.register_namespace("", SVG)
    written = []
    for name, figure in _named(content):
        root = ElementTree.fromstring(vl_convert.vegalite_to_svg(dict(figure.spec)))
        height = float(root.get("height", "1")) * WIDTH / float(root.get("width", "1"))
        files = {}
        for suffix, unit in (("svg", "pt"), ("pdf", "px")):  # the PDF writer takes a pixel as a point
            root.set("width", f"{WIDTH}{unit}")
            root.set("height", f"{height:.2f}{unit}")
            files[suffix] = ElementTree.tostring(root, encoding="unicode")
        for suffix, found in (
            ("svg", files["svg"]),
            ("pdf", vl_convert.svg_to_pdf(files["pdf"])),
            ("png", vl_convert.svg_to_png(files["pdf"], scale=DOTS / POINTS, ppi=DOTS)),
        ):
            path = folder / f"{name}.{suffix}"
            write_atomically(path, found)
            written.append(path)
    return written


def _named(content: Content) -> Iterator[tuple[str, Figure]]:
    """Yield every figure under the name of its file: the task, the set of puzzles if there are several, the
    plot.
    """
    for section in content.sections:
        task = re.sub(r"[^A-Za-z0-9]+", "-", section.task).strip("-") or "task"
        for figure in figures_of(section, None):
            yield f"{task}-{figure.name}", figure
        for place, block in enumerate(section.sets, start=1):
            part = f"-set-{place}" if len(section.sets) > 1 else ""
            for figure in figures_of(section, block):
                yield f"{task}{part}-{figure.name}", figure


def _clean(element: ElementTree.Element, name: str) -> None:
    told = element.get("aria-label")
    for attribute in list(element.attrib):
        if attribute not in TAKEN:
            del element.attrib[attribute]
    if "id" in element.attrib:
        element.set("id", f"{name}-{element.get('id')}")
    if "clip-path" in element.attrib:
        element.set(
            "clip-path", re.sub(r"url\(#([\w-]+)\)", rf"url(#{name}-\1)", element.get("clip-path", ""))
        )
    for child in list(element):
        if child.tag.removeprefix(f"{{{SVG}}}") in DRAWN:
            _clean(child, name)
        else:
            element.remove(child)
    if told and element.tag in (f"{{{SVG}}}path", f"{{{SVG}}}text", f"{{{SVG}}}line", f"{{{SVG}}}rect"):
        title = ElementTree.Element(f"{{{SVG}}}title")
        title.text = told
        element.insert(0, title)
