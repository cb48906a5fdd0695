# SPDX-FileCopyrightText: 2026 The mcps.postgres authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Figures as Markdown. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from .figures import Line, Point, growth, inside_ratio, median, ratio, verdict

HEAD = [
    "| | median | from - to | ratio | aim | rows/s | memory | processor | loaded |",
    "|---|---:|---:|---|---|---:|---:|---:|---|",
]

#: So many of the things that went missing are named.
NAMED = 5


def page(lines: Sequence[Line], points: Sequence[Point], machine: Mapping[str, str], conditions: str) -> str:
    """Everything: what was measured, on what, and how it came out."""
    parts = [f"{conditions}\n\n" + "".join(f"- {name}: {fact}\n" for name, fact in machine.items())]
    for group in dict.fromkeys(line.group for line in lines):
        parts.append(f"### {group}\n\n" + table([line for line in lines if line.group == group]))
    if points:
        parts.append("### By size\n\n" + sizes(points))
    return "\n".join(parts)


def table(lines: Sequence[Line]) -> str:
    """The lines of one group, and their notes below."""
    text = "\n".join([*HEAD, *(_row(line, lines) for line in lines)]) + "\n"
    notes = [f"- {line.name}: {'; '.join(said)}\n" for line in lines if (said := _notes(line, lines))]
    return text + ("\n" + "".join(notes) if notes else "")


def _row(line: Line, lines: Sequence[Line]) -> str:
    if line.median is None:
        return f"| {line.name} | not measured | | | | | | | |"
    share = ratio(line, lines)
    cells = [
        line.name,
        f"{line.median:.2f} s",
        f"{min(line.taken):.2f} - {max(line.taken):.2f}",
        "" if share is None else f"{share:.2f} x {line.against}",
        _aim(line, lines),
        f"{line.rows / line.median:,.0f}" if line.expected else "",
        _memory(line),
        _processor(line),
        _loaded(line),
    ]
    return "| " + " | ".join(cells) + " |"


def _aim(line: Line, lines: Sequence[Line]) -> str:
    if line.aim is None or ratio(line, lines) is None:
        return ""
    said = {True: "met", False: "**missed**", None: "too short to say"}[verdict(line, lines)]
    return f"{line.aim}: {said}"


def _loaded(line: Line) -> str:
    if not line.expected:
        return ""
    return f"{line.rows:,}" if line.rows == line.expected else f"**{line.rows:,} of {line.expected:,}**"


def _notes(line: Line, lines: Sequence[Line]) -> list[str]:
    said = []
    inside, share = median(one for one in line.inside if one is not None), inside_ratio(line, lines)
    if inside is not None:
        said.append(f"{inside:.2f} s{f' ({share:.2f} x)' if share else ''} without the start of its process")
    if line.differing:
        said.append(f"**{line.differing:,} values are not those of the source**")
    if line.lost:
        more = f" and {len(line.lost) - NAMED} more" if len(line.lost) > NAMED else ""
        said.append(f"**missing: {', '.join(line.lost[:NAMED])}{more}**")
    return [*said, line.note] if line.note else said


def _memory(line: Line) -> str:
    share = max(line.share)
    said = memory(max(line.resident), share)
    if line.memory_aim is None:
        return said
    met = "met" if share <= line.memory_aim else "**missed**"
    return f"{said}, at most {line.memory_aim / 1e6:.0f}: {met}"


def _processor(line: Line) -> str:
    computed = median(line.processor)
    return "" if computed is None else f"{computed:.1f} s"


def memory(resident: int, share: int) -> str:
    """Both peaks, in millions of bytes."""
    return f"{resident / 1e6:.0f} MB ({share / 1e6:.0f})"


def sizes(points: Sequence[Point]) -> str:
    """Time and memory by size, a line per contender; columns are headed by the most rows that anyone loaded."""
    most: dict[int, int] = {}
    for point in points:
        most[point.servers] = max(most.get(point.servers, 0), point.rows)
    text = ["| | " + " | ".join(f"{rows:,} rows" for _, rows in sorted(most.items())) + " | time per row |"]
    text.append("|---|" + "---:|" * (len(most) + 1))
    for name in dict.fromkeys(point.name for point in points):
        found = {point.servers: point for point in points if point.name == name}
        cells = [_size(found.get(servers)) for servers in sorted(most)]
        grown = growth(points, name)
        text.append(f"| {name} | " + " | ".join(cells) + f" | {f'x {grown:.2f}' if grown else ''} |")
    return "\n".join(text) + "\n"


def _size(point: Point | None) -> str:
    return f"{point.seconds:.2f} s, {memory(point.resident, point.share)}" if point else ""
