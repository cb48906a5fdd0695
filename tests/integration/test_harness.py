# SPDX-FileCopyrightText: 2026 The mcps.postgres authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The fixtures hold what they promise."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import ansible.module_utils
import psycopg2
import pytest

import support.quick_python
from support.ansible_runs import ROOT, ModuleRunner, PlaybookRunner
from support.secrets_guard import AWKWARD, SecretsGuard
from support.server import Database, Server, running_server


def test_a_database_is_owned_by_an_ordinary_role(database: Database) -> None:
    assert set(AWKWARD) <= set(database.password)
    [(superuser, owner)] = database.query(
        "SELECT rolsuper OR rolcreatedb OR rolcreaterole, pg_get_userbyid(datdba)"
        " FROM pg_roles, pg_database WHERE rolname = current_user AND datname = current_database()"
    )
    assert (superuser, owner) == (False, database.user)
    database.query("CREATE TABLE kept (embedding vector(2), word text)")
    database.query("CREATE INDEX ON kept USING gin (word gin_trgm_ops)")
    assert database.query("SELECT '[1,2]'::vector <-> '[1,4]'::vector") == [(2.0,)]


def test_a_wrong_password_is_refused(database: Database) -> None:
    with pytest.raises(psycopg2.OperationalError, match="password authentication failed"):
        database.connect(password="wrong")


def test_databases_are_apart_and_can_be_dropped(postgres: Server) -> None:
    first, second = postgres.create_database(extensions=()), postgres.create_database(extensions=("pg_trgm",))
    first.query("CREATE TABLE only_here ()")
    assert second.query("SELECT to_regclass('only_here')") == [(None,)]
    assert second.query("SELECT extname FROM pg_extension ORDER BY 1") == [("pg_trgm",), ("plpgsql",)]
    with first.connect():
        postgres.drop(first)
    postgres.drop(second)
    assert postgres.admin.query("SELECT count(*) FROM pg_roles WHERE rolname = %s", [first.user]) == [(0,)]


def test_the_urls_carry_the_password(database: Database) -> None:
    with psycopg2.connect(database.url()) as connection:
        assert connection.info.dbname == database.name
    connection.close()
    assert database.url("asyncpg").startswith("postgresql+asyncpg://")


def test_a_server_is_gone_afterwards_even_after_an_error() -> None:
    with pytest.raises(KeyError), running_server(SecretsGuard()) as server:
        folder = server.folder
        pid = int((server.data / "postmaster.pid").read_text().split()[0])
        server.stop()
        server.start()
        raise KeyError
    assert not folder.exists()
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_a_leaked_secret_is_found_in_any_spelling(playbook: PlaybookRunner, secrets_guard: SecretsGuard) -> None:
    secret = secrets_guard.add("s3cr3t%@'x")
    for text in (f"x{secret}", "s3cr3t%25%40%27x", '"s3cr3t%@\'x"', "s3cr3t%%@'x"):
        with pytest.raises(AssertionError, match="A secret shows") as caught:
            secrets_guard.check(text, "a text")
        assert secret not in str(caught.value)
    with pytest.raises(AssertionError, match="A secret shows"):
        playbook([{"hosts": "all", "gather_facts": False, "tasks": [{"debug": {"msg": secret}}]}])


def test_a_playbook_is_run_and_counted(playbook: PlaybookRunner, tmp_path: Path) -> None:
    target = tmp_path / "made"
    plays = [
        {
            "hosts": "database",
            "gather_facts": False,
            "tasks": [{"name": "Make it", "ansible.builtin.file": {"path": "{{ where }}", "state": "directory"}}],
        }
    ]
    assert playbook(plays, variables={"where": str(target)}, check=True).succeeded(changed=True).count("ok") == 1
    assert not target.exists()
    playbook(plays, variables={"where": str(target)}).succeeded(changed=True)
    run = playbook(plays, variables={"where": str(target)}).succeeded(changed=False)
    assert run.recap["localhost"]["failed"] == 0
    playbook(plays).failed("where")


def test_a_module_is_run_in_any_mode(run_module: ModuleRunner, tmp_path: Path) -> None:
    arguments = {"path": str(tmp_path / ".env"), "values": {"WORD": "said"}}
    for mode in ({"check": True}, {"check": True, "diff": True}):
        result = run_module("environment_file", arguments, **mode)
        assert (result["changed"], "diff" in result, result["rc"]) == (True, "diff" in mode, 0), result
        assert not (tmp_path / ".env").exists()
    assert run_module("environment_file", arguments)["changed"] is True
    assert run_module("environment_file", arguments)["changed"] is False
    refused = run_module("environment_file", {"no_such_argument": 1})
    assert (refused["failed"], refused["rc"]) == (True, 1)


def test_the_collection_is_this_checkout() -> None:
    link = ROOT / ".cache" / "collections" / "ansible_collections" / "mcps" / "postgres"
    assert link.resolve() == ROOT


@pytest.mark.parametrize(
    "program",
    [
        "print(os.getcwd(), sys.argv, os.environ.get('SAID'), __name__, len(os.environ))",
        "print('out'); print('why', file=sys.stderr); sys.exit(3)",
        "sys.exit('why')",
        "atexit.register(print, 'the end')",
        "threading.Timer(0.2, print, ['late']).start()",
        "sys.stdout.flush(); os.kill(os.getpid(), 9)",
        "print(os.getpgid(0) == os.getpid(), os.umask(0o22))",
    ],
)
@pytest.mark.parametrize("as_file", [False, True])
def test_a_python_that_has_started_already_does_the_same(
    quick_python: str, program: str, as_file: bool, tmp_path: Path
) -> None:
    assert quick_python != sys.executable
    source = f"import atexit, os, sys, threading\n{program}\n"
    (tmp_path / "program.py").write_text(source)
    found = [
        subprocess.run(
            [python, *([str(tmp_path / "program.py"), "word"] if as_file else [])],
            input="" if as_file else source,
            capture_output=True,
            text=True,
            cwd=tmp_path,
            env={"SAID": "yes", "PYTHONDONTWRITEBYTECODE": "1"},
            start_new_session=True,
            check=False,
        )
        for python in (sys.executable, quick_python)
    ]
    one, other = ((done.returncode, done.stdout, done.stderr) for done in found)
    assert one == other


@pytest.mark.parametrize("kind", ["-c", "-m"])
def test_it_runs_what_stands_on_its_command_line(quick_python: str, kind: str, tmp_path: Path) -> None:
    program = (
        "import os, sys; print(sys.argv, sys.path[0], __name__, sys.dont_write_bytecode, sys.stdin.read()); sys.exit(4)"
    )
    (tmp_path / "named.py").write_text(program)
    for environment in ({}, {"PYTHONDONTWRITEBYTECODE": "1"}):
        one, other = (
            subprocess.run(
                [python, kind, "named" if kind == "-m" else program, "-x", "word"],
                input="said",
                capture_output=True,
                text=True,
                cwd=tmp_path,
                env=environment,
                check=False,
            )
            for python in (sys.executable, quick_python)
        )
        assert (one.returncode, one.stdout, one.stderr) == (other.returncode, other.stdout, other.stderr)


def test_a_module_ends_with_its_launcher(quick_python: str, tmp_path: Path) -> None:
    note = tmp_path / "pid"
    program = f"import os, time; open({str(note)!r}, 'w').write(str(os.getpid())); time.sleep(60)"
    launched = subprocess.Popen([quick_python], stdin=subprocess.PIPE, text=True)
    assert launched.stdin
    launched.stdin.write(program)
    launched.stdin.close()
    deadline = time.monotonic() + 20
    while not (note.exists() and note.read_text()):
        assert time.monotonic() < deadline, "it did not start"
        time.sleep(0.05)
    pid = int(note.read_text())
    assert pid != launched.pid
    launched.kill()
    launched.wait()
    while Path(f"/proc/{pid}").exists():
        assert time.monotonic() < deadline, "it goes on"
        time.sleep(0.05)


def launcher_in(folder: Path, address: Path) -> Path:
    """What has its programs run by a process that waits at I(address)."""
    path = folder / "python"
    path.write_text(support.quick_python.LAUNCHER.format(python=os.path.realpath(sys.executable), address=str(address)))
    path.chmod(0o755)
    return path


def test_a_python_can_wait_where_there_is_no_more_of_ansible_than_module_utils(tmp_path: Path) -> None:
    """As on the hosts of scenarios, where some of its modules ask for the package's file when they are imported."""
    (tmp_path / "lib" / "ansible").mkdir(parents=True)
    (tmp_path / "lib" / "ansible" / "module_utils").symlink_to(list(ansible.module_utils.__path__)[0])
    script, address = Path(support.quick_python.__file__), tmp_path / "socket"
    launcher = launcher_in(tmp_path, address)
    program = (
        "import ansible, sys; assert 'ansible.module_utils.basic' in sys.modules;"
        " from ansible.module_utils.basic import AnsibleModule; print(ansible.__file__)"
    )
    # -S: without the packages that are installed
    command = [sys.executable, "-S", str(script), "wait", str(address), "while-stdin"]
    environment = {"PYTHONPATH": str(tmp_path / "lib"), "PYTHONDONTWRITEBYTECODE": "1"}
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment) as waiting:
        assert waiting.stdin and waiting.stdout and waiting.stdout.readline() == b"ready\n"
        done = subprocess.run([launcher], input=program, capture_output=True, text=True, check=False)
        waiting.stdin.close()
    assert (done.stdout, done.stderr) == (f"{tmp_path}/lib/ansible/__init__.py\n", "")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
def test_a_python_that_waits_for_everybody_is_who_asks(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    script, address = Path(support.quick_python.__file__), tmp_path / "socket"
    for folder in tmp_path.parents:
        if folder.name.startswith(("pytest-", "popen-")):
            folder.chmod(0o755)
    launcher = launcher_in(tmp_path, address)
    program = "import os; print(os.getresuid(), os.getresgid(), sorted(os.getgroups()), os.getppid())"
    command = [sys.executable, str(script), "wait", str(address), "while-stdin", "for-everybody"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as waiting:
        assert waiting.stdin and waiting.stdout and waiting.stdout.readline() == b"ready\n"
        who = {"user": 1234, "group": 2345, "extra_groups": [2345, 3456]}
        done = subprocess.run([launcher], input=program, capture_output=True, text=True, check=True, cwd="/", **who)
        waiting.stdin.close()
    assert done.stdout.split("\n")[0] == f"{(1234,) * 3} {(2345,) * 3} [2345, 3456] {waiting.pid}", done


SHORT_WAY = Path(__file__).resolve().parents[1] / "support" / "bin" / "docker"


def short_way(hosts: Path, *arguments: str, said: str = "") -> subprocess.CompletedProcess[str]:
    environment = {"MCPS_DOCKER": "/bin/echo", "MCPS_TEST_HOSTS": str(hosts), "PATH": os.environ["PATH"], "OWN": "1"}
    return subprocess.run(
        [SHORT_WAY, *arguments], env=environment, input=said, capture_output=True, text=True, check=False
    )


@pytest.fixture
def noted_host(tmp_path: Path) -> Iterator[Path]:
    """The folder of hosts, in which a process that lives is noted as that of the host C(here), and one as gone."""
    with subprocess.Popen(["sleep", "60"]) as process:
        cgroup = Path(f"/proc/{process.pid}/cgroup").read_text().split("\n")[0]
        (tmp_path / "here").write_text(f"{process.pid} {cgroup}\n")
        (tmp_path / "gone").write_text(f"{process.pid} {cgroup}-of-another\n")
        (tmp_path / ".version").write_text("Engine: all of it\n")
        (tmp_path / ".server-version").write_text("'1.2.3'\n")
        yield tmp_path
        process.kill()


@pytest.mark.parametrize(
    "arguments",
    [
        "ps --all",
        "exec other true",
        "exec gone true",
        "exec --tty here true",
        "exec -u nobody-at-all here true",
        "run here",
    ],
)
def test_what_the_short_way_to_hosts_does_not_know_goes_to_docker(noted_host: Path, arguments: str) -> None:
    done = short_way(noted_host, *arguments.split())
    assert (done.returncode, done.stdout, done.stderr) == (0, f"{arguments}\n", "")


def test_the_short_way_to_hosts_knows_the_engine_s_version(noted_host: Path) -> None:
    assert short_way(noted_host, "version").stdout == "Engine: all of it\n"
    assert short_way(noted_host, "version", "--format", "'{{.Server.Version}}'").stdout == "'1.2.3'\n"
    assert short_way(noted_host / "none", "version").stdout == "version\n"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can enter a host")
@pytest.mark.parametrize(("user", "number", "home"), [("root", 0, "/root"), ("nobody", 65534, "/nonexistent")])
def test_the_short_way_to_hosts_runs_what_docker_would(noted_host: Path, user: str, number: int, home: str) -> None:
    """As that user, with the environment and the capabilities of the engine, input and exit status as they are."""
    program = "id -u; env | sort | grep -v ^_= | grep -v ^PWD; grep CapBnd /proc/self/status; cat; exit 7"
    done = short_way(noted_host, "exec", "-u", user, "-i", "here", "sh", "-c", program, said="said\n")
    path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
    assert done.stdout.splitlines() == [
        *(str(number), f"HOME={home}", "HOSTNAME=here", f"PATH={path}", "CapBnd:\t00000000a80425fb", "said")
    ]
    assert (done.returncode, done.stderr) == (7, "")
    # Without -i there is nothing to read.
    assert short_way(noted_host, "exec", "here", "cat", said="said").stdout == ""
