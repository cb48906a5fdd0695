# SPDX-FileCopyrightText: 2026 The mcps.postgres authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Environment files (C(KEY=value) lines) as text: read a key, set some, remove others, touch nothing else.

Read the way that python-dotenv, systemd's EnvironmentFile and a shell agree on: C(export) in front, single
quotes literal, double quotes with backslash escapes and over several lines, C( #) begins a comment behind an
unquoted value, the last line of a key wins.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Dict, List, Mapping, Optional, Sequence

from ._errors import MigrationError

KEY = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")

_LINE = re.compile(
    r"""(?P<lead>[ \t]*(?:export[ \t]+)?)
        (?:(?P<key>[A-Za-z_][A-Za-z0-9_.]*)[ \t]*=[ \t]*
           (?:'(?P<single>(?:[^'\\]|\\.)*)'(?=[ \t]*(?:\#|\r?\n|\Z))
             |"(?P<double>(?:[^"\\]|\\.)*)"(?=[ \t]*(?:\#|\r?\n|\Z))
             |(?P<plain>[^\r\n]*)))?
        (?P<rest>[^\n]*)(?:\n|\Z)""",
    re.VERBOSE | re.DOTALL,
)
_PLAIN = re.compile(r"[A-Za-z0-9_./:@%+,=?\-\[\]^]*\Z")
_ESCAPE = re.compile(r"\\(.)", re.DOTALL)
_COMMENT = re.compile(r"(?:^|[ \t])#.*\Z")


@dataclass(frozen=True)
class Line:
    """A stretch of the file, usually one line; I(key) is None for comments, blanks and what is no assignment."""

    text: str
    lead: str = ""
    key: Optional[str] = None
    value: str = ""


def parse(text: str) -> List[Line]:
    """The file in stretches whose texts join to exactly I(text)."""
    lines: List[Line] = []
    position = 0
    while position < len(text):
        match = _LINE.match(text, position)
        if match is None or match.end() == position:
            raise AssertionError("every text has a next line")
        lines.append(Line(match.group(0), match.group("lead"), match.group("key"), _value(match)))
        position = match.end()
    return lines


def values(text: str) -> Dict[str, str]:
    """What a reader of the file sees: the last value of every key."""
    return {line.key: line.value for line in parse(text) if line.key is not None}


def edited(text: str, wanted: Mapping[str, str], absent: Sequence[str] = ()) -> str:
    """I(text) with every key of I(wanted) standing once and the keys of I(absent) gone.

    A key keeps the place and the C(export) of its last line and earlier lines of it go; keys that are new come
    at the end in the order given. A file in which nothing has to change comes back as it is.
    MigrationError for a key or value that no environment file can hold.
    """
    for key, value in wanted.items():
        check(key, value)
    lines = parse(text)
    ending = "\r\n" if "\r\n" in text else "\n"
    last = {line.key: number for number, line in enumerate(lines) if line.key is not None}
    parts: List[str] = []
    for number, line in enumerate(lines):
        if line.key is None or (line.key not in wanted and line.key not in absent):
            parts.append(line.text)
        elif line.key in wanted and last[line.key] == number:
            same = line.value == wanted[line.key]
            parts.append(line.text if same else f"{line.lead}{line.key}={quoted(wanted[line.key])}{ending}")
    for key, value in wanted.items():
        if key not in last:
            if parts and not parts[-1].endswith("\n"):
                parts[-1] += ending
            parts.append(f"{key}={quoted(value)}{ending}")
    return "".join(parts)


def check(key: str, value: str) -> None:
    """MigrationError, which never shows the value, for what cannot stand on one line of an environment file."""
    if not KEY.match(key):
        raise MigrationError(
            f"{key!r} is no name of an environment variable.",
            advice="Use letters, digits and underscores, with no digit in front.",
        )
    if re.search(r"[\r\n\0]", value):
        raise MigrationError(
            f"The value for {key} holds a line break or a NUL, which environment files cannot carry.",
            advice="Percent-encode it in a URL, or give the application a file to read it from.",
        )
    if "${" in value or (re.search(r"['\\]", value) and re.search(r"[$`]", value)):
        raise MigrationError(
            f"The value for {key} holds a dollar sign or a backquote in a way which readers of environment files "
            "do not agree about (before a brace, or together with a single quote or a backslash).",
            advice="Percent-encode it in a URL (filter mcps.postgres.postgres_url), or choose another value.",
        )


def quoted(value: str) -> str:
    """I(value) as it stands behind C(KEY=): bare where that is safe, else in quotes."""
    if _PLAIN.match(value):
        return value
    if "'" not in value and "\\" not in value:
        return f"'{value}'"
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _value(match: re.Match[str]) -> str:
    if match.group("single") is not None:
        return match.group("single")
    if match.group("double") is not None:
        return _ESCAPE.sub(r"\1", match.group("double"))
    return _COMMENT.sub("", match.group("plain") or "").strip(" \t")
