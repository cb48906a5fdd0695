# SPDX-FileCopyrightText: 2026 The mcps.postgres authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every module's documentation is complete and says the same as the arguments that it really takes."""

from __future__ import annotations

import ast
import importlib
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible.module_utils import basic

ROOT = Path(__file__).resolve().parents[2]
PLUGINS = ROOT / "plugins"
MODULES = sorted(path.stem for path in (PLUGINS / "modules").glob("*.py") if path.stem != "__init__")
ACTIONS = yaml.safe_load((ROOT / "meta" / "runtime.yml").read_text(encoding="utf-8"))["action_groups"]["all"]

pytestmark = pytest.mark.skipif(not MODULES, reason="there is no module yet")


def texts(path: Path) -> dict[str, str]:
    """The string constants that a file (or the class in it) assigns: DOCUMENTATION, EXAMPLES, RETURN ..."""
    found = {}
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
            found.update({target.id: node.value.value for target in node.targets if isinstance(target, ast.Name)})
    return found


def documentation(module: str) -> dict[str, Any]:
    """DOCUMENTATION with this collection's fragments merged in, the module's own words winning."""
    document = yaml.safe_load(texts(PLUGINS / "modules" / f"{module}.py")["DOCUMENTATION"])
    options: dict[str, Any] = {}
    attributes: dict[str, Any] = {}
    for name in document.get("extends_documentation_fragment", []):
        file, _, variable = name.removeprefix("mcps.postgres.").partition(".")
        fragment = yaml.safe_load(
            texts(PLUGINS / "doc_fragments" / f"{file}.py")[variable.upper() if variable else "DOCUMENTATION"]
        )
        options.update(fragment.get("options", {}))
        merge(attributes, fragment)
    options.update(document.get("options", {}))
    merge(attributes, document)
    return {**document, "options": options, "attributes": attributes}


def merge(attributes: dict[str, Any], document: dict[str, Any]) -> None:
    """Add what a document says of each attribute to what is known of it, as Ansible does with fragments."""
    for name, attribute in document.get("attributes", {}).items():
        attributes[name] = {**attributes.get(name, {}), **attribute}


class Captured(Exception):
    """Carries what a module gave to AnsibleModule."""

    def __init__(self, arguments: dict[str, Any]) -> None:
        super().__init__()
        self.arguments = arguments


def module_arguments(module: str, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What the module's main() makes its AnsibleModule with."""

    def capture(self: Any, argument_spec: dict[str, Any], **others: Any) -> None:
        raise Captured({"argument_spec": argument_spec, **others})

    monkeypatch.setattr(basic.AnsibleModule, "__init__", capture)
    with pytest.raises(Captured) as caught:
        importlib.import_module(f"ansible_collections.mcps.postgres.plugins.modules.{module}").main()
    return caught.value.arguments


def essence(options: dict[str, Any], nested: str) -> dict[str, Any]:
    """The part of an argument spec (or of documented options) that both must agree on."""
    return {
        name: {
            "type": option.get("type", "str"),
            "required": option.get("required", False),
            "default": option.get("default"),
            "elements": option.get("elements"),
            "choices": list(option["choices"]) if option.get("choices") else None,
            "aliases": sorted(option.get("aliases", [])),
            "options": essence(option.get(nested) or {}, nested),
        }
        for name, option in options.items()
    }


def test_the_action_group_names_no_module_twice() -> None:
    assert sorted(set(ACTIONS)) == ACTIONS


@pytest.mark.parametrize("module", MODULES)
def test_it_is_in_the_action_group(module: str) -> None:
    assert module in ACTIONS


@pytest.mark.parametrize("module", MODULES)
def test_all_parts_are_there(module: str) -> None:
    parts = texts(PLUGINS / "modules" / f"{module}.py")
    document = documentation(module)
    assert document["module"] == module
    assert {"short_description", "description", "version_added", "author"} <= document.keys()
    for name in ("check_mode", "diff_mode", "idempotent"):
        assert document["attributes"][name]["support"] in ("full", "partial", "none", "N/A"), name
        assert document["attributes"][name]["description"], name
    examples = yaml.safe_load(parts["EXAMPLES"])
    assert any(f"mcps.postgres.{module}" in task for task in examples)
    for name, value in yaml.safe_load(parts["RETURN"]).items():
        assert {"description", "returned", "type"} <= value.keys(), name


@pytest.mark.parametrize("module", MODULES)
def test_documentation_and_arguments_agree(module: str, monkeypatch: pytest.MonkeyPatch) -> None:
    arguments = module_arguments(module, monkeypatch)
    document = documentation(module)
    assert essence(document["options"], "suboptions") == essence(arguments["argument_spec"], "options")
    supported = document["attributes"]["check_mode"]["support"] in ("full", "partial")
    assert bool(arguments.get("supports_check_mode")) == supported
