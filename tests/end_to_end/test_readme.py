# SPDX-FileCopyrightText: 2026 The mcps.postgres authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the README promises, done as it says: the demo, the scenario for operators' CI, the installed collection."""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import sys
import tarfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import pytest
import yaml

from support.ansible_runs import ROOT
from support.secrets_guard import SecretsGuard
from support.server import free_port

BIN = Path(sys.executable).parent


def run(command: Sequence[str], environment: Mapping[str, str], timeout: float, folder: Path = ROOT) -> str:
    """All that the command printed; AssertionError with its end where it failed."""
    done = subprocess.run(
        command,
        cwd=folder,
        env={**os.environ, "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}", **environment},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=timeout,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-6000:]
    return done.stdout


def answers(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(2)
        return probe.connect_ex(("127.0.0.1", port)) == 0


@pytest.fixture
def demo_environment(tmp_path: Path) -> Iterator[dict[str, str]]:
    """A demo beside the one that the user may have; whatever happens, nothing of it stays."""
    environment = {"MCPS_LOCAL_DIR": str(tmp_path / "demo"), "PORT": str(free_port()), "SERVERS": "150"}
    try:
        yield environment
    finally:
        run(["make", "--no-print-directory", "demo-clean"], environment, timeout=120)


def test_the_demo_ends_migrated_verified_and_back(
    demo_environment: dict[str, str], secrets_guard: SecretsGuard
) -> None:
    folder, port = Path(demo_environment["MCPS_LOCAL_DIR"]), int(demo_environment["PORT"])
    output = run(["make", "--no-print-directory", "demo"], demo_environment, timeout=900)

    assert re.search(r"[\d,]+ rows and [\d,]+ values of 15 tables compared, 0 differences", output)
    report = json.loads((folder / "report" / "migrated.json").read_text())
    assert report["verification"]["equal"] is True
    assert sum(table["source_rows"] for table in report["verification"]["tables"]) == report["load"]["rows"] > 2000
    page = (folder / "report" / "migrated.html").read_text()
    assert "Migrated and verified" in page and "<svg" in page
    assert "USE_SQLITE=true" in (folder / ".env").read_text()
    assert answers(port)

    for secret in (folder / "secrets").iterdir():
        assert secret.stat().st_mode & 0o077 == 0
        secrets_guard.add(secret.read_text().strip())
    secrets_guard.check(output, "the output of make demo")
    for place in ("log", "report", "state"):
        for file in (folder / place).rglob("*"):
            if file.is_file() and file.suffix != ".before":
                secrets_guard.check(file.read_bytes().decode(errors="replace"), str(file))

    run(["make", "--no-print-directory", "demo-clean"], demo_environment, timeout=120)
    assert not folder.exists() and not answers(port)


def test_the_molecule_scenario_for_operators(tmp_path: Path) -> None:
    environment = {
        "PORT": str(free_port()),
        "MOLECULE_EPHEMERAL_DIRECTORY": str(tmp_path / "molecule"),
        "NO_COLOR": "1",
    }
    output = run([str(BIN / "molecule"), "test", "-s", "embedded"], environment, timeout=900)
    assert "failed=0" in output and not re.search(r"failed=[1-9]|unreachable=[1-9]", output)
    assert not answers(int(environment["PORT"]))


def test_the_built_collection_installs_and_documents_itself(tmp_path: Path) -> None:
    version = yaml.safe_load((ROOT / "galaxy.yml").read_text())["version"]
    run([str(BIN / "ansible-galaxy"), "collection", "build", "--output-path", str(tmp_path)], {}, timeout=300)
    archive = tmp_path / f"mcps-postgres-{version}.tar.gz"
    with tarfile.open(archive) as tar:
        names = tar.getnames()
    # Environments, caches and the report's template decide whether it is small and whether it works.
    built = {".venv", ".cache", ".git", "__pycache__", "node_modules", ".next"}
    assert not [name for name in names if built & set(name.split("/"))]
    assert "plugins/plugin_utils/_report/report.html.j2" in names
    assert archive.stat().st_size < 2_000_000

    # Away from the checkout, whose own settings would let Ansible find the checkout itself.
    place = tmp_path / "collections"
    (tmp_path / "ansible.cfg").write_text("[defaults]\n")
    environment = {"ANSIBLE_COLLECTIONS_PATH": str(place), "ANSIBLE_CONFIG": str(tmp_path / "ansible.cfg")}
    install = ["collection", "install", str(archive), "--no-deps", "--collections-path", str(place)]
    run([str(BIN / "ansible-galaxy"), *install], environment, 300, tmp_path)
    own = {path.stem for path in (ROOT / "plugins" / "modules").glob("*.py")}
    documented = [
        str(BIN / "ansible-doc"),
        "--json",
        "-t",
        "module",
        *[f"mcps.postgres.{name}" for name in sorted(own)],
    ]
    text = run(documented, environment, timeout=120, folder=tmp_path)
    documents = json.loads(text[text.index("{") :])
    assert set(documents) == {f"mcps.postgres.{name}" for name in own}
    roles = run([str(BIN / "ansible-doc"), "-t", "role", "mcps.postgres.migration"], environment, 120, tmp_path)
    assert "migration_source" in roles
