# SPDX-FileCopyrightText: 2026 The mcps.postgres authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads the imports under plugins/ and says which of them reach up or sideways (docs/architecture.md, "Layers")."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

COLLECTION = "ansible_collections.mcps.postgres."
MODULE_UTILS = "plugins.module_utils."
ADAPTERS = ("_sqlite", "_postgres", "_alembic")
BASE = "base"
#: What each layer of module_utils may import of module_utils, beside itself.
ALLOWED = {
    BASE: {BASE},
    "_transfer": {BASE},
    **{adapter: {BASE, "_transfer"} for adapter in ADAPTERS},
    "_workload": {BASE, "_transfer", "_sqlite", "_postgres"},
    "_module": {BASE, "_transfer", "_workload", *ADAPTERS},
}
#: What modules/*.py may import of module_utils.
OF_MODULES = {"_module", "_argspec", "_deps"}
#: The files of the planning layers that carry plans out; all others only plan.
EXECUTORS = {
    "_transfer": {"_load.py", "_load_tables.py", "_compare.py", "_crew.py"},
    "_workload": {
        "_clients.py",
        "_copy.py",
        "_disk.py",
        "_driver.py",
        "_measure.py",
        "_read.py",
        "_scratch.py",
        "_slow.py",
        "_tune.py",
    },
}
#: What planning has no business with: Python's own, and the base files that do input and output.
INPUT_OUTPUT = {
    *("asyncio", "ftplib", "glob", "http", "io", "multiprocessing", "os", "pathlib", "select", "shutil", "signal"),
    *("socket", "sqlite3", "ssl", "subprocess", "tempfile", "threading", "urllib", "psycopg", "psycopg2"),
}
INPUT_OUTPUT_BASE = {"_deps", "_files"}


@dataclass(frozen=True)
class Import:
    """One imported name. I(target): dotted, relative to the collection for its own files (plugins.module_utils.x)."""

    target: str
    line: int

    @property
    def unit(self) -> str:
        """The first name under module_utils, or nothing for an import from elsewhere."""
        return self.target[len(MODULE_UTILS) :].partition(".")[0] if self.target.startswith(MODULE_UTILS) else ""


def imports_of(path: Path, root: Path) -> Iterator[Import]:
    """Every import of a file, wherever it stands in it, relative ones resolved. I(root) is the collection's folder."""
    package = path.relative_to(root).parent.parts
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"), str(path))):
        if isinstance(node, ast.Import):
            for name in node.names:
                yield Import(name.name.removeprefix(COLLECTION), node.lineno)
        elif isinstance(node, ast.ImportFrom):
            base = ".".join(package[: len(package) - node.level + 1]) if node.level else ""
            source = ".".join(part for part in (base, node.module or "") if part).removeprefix(COLLECTION)
            for name in node.names:
                yield Import(f"{source}.{name.name}", node.lineno)


def violations(root: Path) -> list[str]:
    """What breaks the layering under I(root)/plugins, as "file:line: what", sorted; nothing where all is well."""
    found = []
    for path in sorted((root / "plugins").rglob("*.py")):
        for item in imports_of(path, root):
            problem = _problem(path, root, item)
            if problem:
                found.append(f"{path.relative_to(root)}:{item.line}: {problem}")
        found += [f"{path.relative_to(root)}:{line}: planning opens a file" for line in _opens(path, root)]
    return found


def layer_of(path: Path, root: Path) -> str:
    """V(modules), a layer of module_utils, or nothing for a plugin of another kind."""
    parts = path.relative_to(root / "plugins").parts
    if parts[0] == "modules":
        return "modules"
    if parts[0] != "module_utils":
        return ""
    return parts[1] if len(parts) > 2 else BASE


def _plans(path: Path, root: Path) -> bool:
    layer = layer_of(path, root)
    return layer in EXECUTORS and path.name not in EXECUTORS[layer]


def _problem(path: Path, root: Path, item: Import) -> str:
    layer = layer_of(path, root)
    if not layer:
        return ""
    if item.target.startswith("ansible.") and layer not in ("modules", "_module"):
        return f"only modules and _module know Ansible, yet {layer} imports {item.target}"
    if item.target.startswith("plugins.") and not item.unit:
        return f"{layer} imports {item.target}, which a managed node does not get"
    if layer == "modules":
        allowed = not item.unit or item.unit in OF_MODULES
        return "" if allowed else f"modules go through _module, not straight to {item.unit}"
    if _plans(path, root) and (item.target.partition(".")[0] in INPUT_OUTPUT or item.unit in INPUT_OUTPUT_BASE):
        return f"planning does no input or output, yet imports {item.target}"
    if not item.unit:
        return ""
    if layer not in ALLOWED:
        return f"{layer} is no layer of the architecture"
    target = item.unit if item.unit in ALLOWED else BASE
    if target == layer or target in ALLOWED[layer]:
        return ""
    return f"{layer} may not import {item.unit}"


def _opens(path: Path, root: Path) -> list[int]:
    if not _plans(path, root):
        return []
    return [
        node.lineno
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"), str(path)))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "open"
    ]
