"""A picture of the rooms of `saga_sr/` and of who imports whom, as SVG, from the imports."""

from __future__ import annotations

import ast
from html import escape

from generated.source_code import PACKAGE, modules, parsed

WIDTH, HEIGHT, GAP_X, GAP_Y, MARGIN = 112, 40, 22, 44, 16
STYLE = (
    "text{font:13px system-ui,sans-serif;text-anchor:middle;dominant-baseline:central;fill:#16324f}"
    "rect{fill:#e8f1fb;stroke:#4a7db5}path{fill:none;stroke:#7a828e;opacity:.65}"
)


def imports() -> dict[str, set[str]]:
    """The rooms that each room imports; a loose module is a room of its own."""
    found: dict[str, set[str]] = {}
    for path in modules():
        room = path.relative_to(PACKAGE).with_suffix("").parts[0]
        if room.startswith("__"):
            continue
        found.setdefault(room, set())
        for node in ast.walk(parsed(path)):
            names = [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            names += [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            for name in names:
                parts = name.split(".")
                if parts[0] == "saga_sr" and len(parts) > 1 and parts[1] not in (room, "__init__"):
                    found[room].add(parts[1])
    return found


def levels(arrows: dict[str, set[str]]) -> dict[str, int]:
    """How high a room stands: one above the highest that it imports."""
    found: dict[str, int] = {}

    def level(room: str) -> int:
        if room not in found:
            found[room] = 1 + max((level(other) for other in arrows[room]), default=-1)
        return found[room]

    for room in arrows:
        level(room)
    return found


def direct(arrows: dict[str, set[str]]) -> list[tuple[str, str]]:
    """The arrows that no way over other rooms makes up for; the picture would be full of lines else."""

    def reached(room: str) -> set[str]:
        return set().union(*({other} | reached(other) for other in arrows[room])) if arrows[room] else set()

    return [
        (room, other)
        for room in arrows
        for other in sorted(arrows[room])
        if not any(other in reached(between) for between in arrows[room] - {other})
    ]


def picture() -> str:
    """The picture; what is above imports what is below."""
    arrows = imports()
    height_of = levels(arrows)
    rows = [sorted(room for room in arrows if height_of[room] == level) for level in range(max(height_of.values()) + 1)]
    widest = max(map(len, rows))
    width = 2 * MARGIN + widest * (WIDTH + GAP_X) - GAP_X
    height = 2 * MARGIN + len(rows) * (HEIGHT + GAP_Y) - GAP_Y
    place = {}
    for level, row in enumerate(rows):
        begin = (width - len(row) * (WIDTH + GAP_X) + GAP_X) / 2
        for i, room in enumerate(row):
            place[room] = begin + i * (WIDTH + GAP_X), MARGIN + (len(rows) - 1 - level) * (HEIGHT + GAP_Y)
    lines = []
    for upper, lower in direct(arrows):
        (x, y), (u, v) = place[upper], place[lower]
        a, b, c, d = x + WIDTH / 2, y + HEIGHT, u + WIDTH / 2, v
        lines.append(f'<path d="M{a:g} {b:g}C{a:g} {b + 30:g} {c:g} {d - 30:g} {c:g} {d:g}"/>')
    boxes = [
        f'<rect x="{x:g}" y="{y:g}" width="{WIDTH}" height="{HEIGHT}" rx="7"/>'
        f'<text x="{x + WIDTH / 2:g}" y="{y + HEIGHT / 2:g}">{escape(room)}</text>'
        for room, (x, y) in place.items()
    ]
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:g} {height:g}" role="img">'
        f"<title>The rooms of saga_sr; what is above imports what is below</title><style>{STYLE}</style>"
        f'<rect width="{width:g}" height="{height:g}" style="fill:#fff;stroke:none"/>'
        f"{''.join(lines)}{''.join(boxes)}</svg>"
    )
