# SPDX-FileCopyrightText: 2026 The mcps.postgres authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Statements that Alembic's offline mode writes, and what the operator declares to be put in their place. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Any, FrozenSet, List, Mapping, Sequence, Tuple

from .._errors import ApplicationError

#: Alembic's own table, which an online run that failed may have left behind, empty.
_VERSION_TABLE = re.compile(r"\ACREATE TABLE (?=\S+ \(\s*version_num )")
_NOTHING = re.compile(r"\A[\s;]*\Z")


@dataclass(frozen=True)
class Rendered:
    """One statement or comment. I(revision), I(file) and I(line) say what wrote it; empty (0) outside of revisions."""

    revision: str
    text: str
    file: str = ""
    line: int = 0

    @property
    def comment(self) -> bool:
        return all(line.startswith("--") or not line.strip() for line in self.text.splitlines())


@dataclass(frozen=True)
class Script:
    """All of a command's statements in order. I(known): every revision that the application has."""

    statements: Tuple[Rendered, ...]
    known: FrozenSet[str]


@dataclass(frozen=True)
class Patch:
    """I(replace) for I(find), which stands exactly once in what I(revision) writes. Any space matches any other."""

    revision: str
    find: str
    replace: str = ""

    @property
    def pattern(self) -> Any:
        return re.compile(r"\s+".join(re.escape(word) for word in self.find.split()))

    def as_dict(self) -> Mapping[str, str]:
        return {"revision": self.revision, "find": self.find, "replace": self.replace}


def patches_from_params(declared: Sequence[Mapping[str, str]]) -> List[Patch]:
    """The module's argument C(patches). ApplicationError where one has nothing to find."""
    patches = [Patch(item["revision"], item["find"], item.get("replace") or "") for item in declared]
    for number, patch in enumerate(patches, 1):
        if not patch.find.strip():
            raise ApplicationError(
                f"Patch {number}, of revision {patch.revision}, has nothing to find.",
                advice="Set find to the statement, or the part of it, that is to be replaced.",
            )
    return patches


def patched(script: Script, patches: Sequence[Patch]) -> List[Rendered]:
    """The statements of I(script) with every patch applied; those that became empty are left out.

    Patches of revisions that are not to run (they have run already) do nothing. ApplicationError where a patch does not
    match exactly once, or names a revision that the application does not have.
    """
    statements = list(script.statements)
    running = {statement.revision for statement in statements}
    for patch in patches:
        if patch.revision not in script.known:
            raise ApplicationError(
                f"A patch names revision {patch.revision}, which the application does not have.",
                advice="Correct the patch's revision, or take the patch out.",
            )
        if patch.revision in running:
            _apply(statements, patch)
    return [
        replace(statement, text=_VERSION_TABLE.sub("CREATE TABLE IF NOT EXISTS ", statement.text))
        for statement in statements
        if not _NOTHING.match(statement.text)
    ]


def executable(statements: Sequence[Rendered]) -> List[Rendered]:
    """I(statements) without comments, which would be empty queries."""
    return [statement for statement in statements if not statement.comment]


def _apply(statements: List[Rendered], patch: Patch) -> None:
    places = [
        (number, match.span())
        for number, statement in enumerate(statements)
        if statement.revision == patch.revision and not statement.comment
        for match in patch.pattern.finditer(statement.text)
    ]
    if len(places) != 1:
        how = "nothing" if not places else f"{len(places)} places"
        raise ApplicationError(
            f"The patch of revision {patch.revision} that looks for '{_shown(patch.find)}' matches {how}; it has to match"
            " exactly one.",
            advice="Look at the revision's SQL (alembic upgrade --sql, or this module in check mode with --diff)"
            + (", and take more of the statement into find." if places else ": it may have changed since."),
            details={"patch": dict(patch.as_dict()), "matches": len(places)},
        )
    ((number, (begin, end)),) = places
    text = statements[number].text
    statements[number] = replace(statements[number], text=text[:begin] + patch.replace + text[end:])


def _shown(text: str) -> str:
    flat = " ".join(text.split())
    return flat if len(flat) <= 120 else flat[:120] + "..."
