# SPDX-FileCopyrightText: 2026 The mcps.postgres authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a scan of the source found: one finding per table, column and kind, however many values it stands for."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Dict, List, Tuple

from ._values import KINDS

ERROR = "error"
WARNING = "warning"


@dataclass
class Finding:
    """Values of one column with one thing wrong. I(keys) and I(samples) are the first of them, in step."""

    table: str
    column: str
    kind: str
    severity: str
    reason: str
    advice: str
    count: int = 0
    keys: List[str] = field(default_factory=list)
    samples: List[str] = field(default_factory=list)

    def as_dict(self) -> Dict[str, Any]:
        return dict(vars(self))


class Findings:
    """All findings, in memory that depends on the number of columns, not on that of rows."""

    def __init__(self, shown: int) -> None:
        """I(shown): how many keys and samples each finding keeps."""
        self._shown = shown
        self._found: Dict[Tuple[str, str, str, str], Finding] = {}

    def add(
        self,
        table: str,
        column: str,
        kind: str,
        key: str,
        shown: str,
        reason: str,
        advice: str = "",
        severity: str = ERROR,
    ) -> None:
        """One more value. I(shown) is its picture; reason and advice are kept of the first one."""
        name = (table, column, kind, severity)
        finding = self._found.get(name)
        if finding is None:
            finding = Finding(table, column, kind, severity, reason, advice or KINDS[kind])
            self._found[name] = finding
        finding.count += 1
        if len(finding.keys) < self._shown:
            finding.keys.append(key)
            finding.samples.append(shown)

    @property
    def errors(self) -> int:
        """Number of values that the target would refuse."""
        return sum(finding.count for finding in self._found.values() if finding.severity == ERROR)

    def as_list(self) -> List[Dict[str, Any]]:
        """Errors before warnings, then by table, column and kind."""
        ordered = sorted(self._found.items(), key=lambda item: (item[0][3] != ERROR, item[0]))
        return [finding.as_dict() for _, finding in ordered]
