# SPDX-FileCopyrightText: 2026 The mcps.postgres authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""alembic_info and alembic_upgrade with real projects and a real server."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from ansible_collections.mcps.postgres.plugins.module_utils._alembic._client import Alembic, project_from_params
from support.alembic_project import (
    ASYNCHRONOUS,
    ENVIRONMENT_ONLY,
    INI_ONLY,
    AlembicProject,
)
from support.ansible_runs import COLLECTIONS, ROOT, ModuleRunner, PlaybookRunner
from support.server import Database, Server

PYTHON = os.environ.get("MCPS_ALEMBIC_PYTHON", sys.executable)
KINDS = {
    "ini": (INI_ONLY, "psycopg2"),
    "environment": (ENVIRONMENT_ONLY, "psycopg2"),
    "asynchronous": (ASYNCHRONOUS, "asyncpg"),
}


DEFAULTS = {"config_file": "alembic.ini", "driver": "psycopg2", "url_variable": "DATABASE_URL"}


class Result(dict[str, Any]):
    """A module's result; where it lacks what a test looks for, the test shows all of it."""

    def __missing__(self, name: str) -> Any:
        raise AssertionError(f"no {name} in {dict(self)}")


class Application:
    """A project and the database that it works on, with the modules to ask and to change it."""

    def __init__(self, project: AlembicProject, database: Database, run: ModuleRunner) -> None:
        self.project, self.database, self._run = project, database, run

    def info(self, **arguments: Any) -> dict[str, Any]:
        result = self._run("alembic_info", self.arguments(arguments))
        assert not result.get("changed"), result
        return Result(result)

    def move(self, *, check: bool = False, diff: bool = False, **arguments: Any) -> dict[str, Any]:
        return self._run("alembic_upgrade", self.arguments(arguments), check=check, diff=diff)

    def arguments(self, more: dict[str, Any]) -> dict[str, Any]:
        return self.project.arguments(self.database, **{"python": PYTHON, **more})

    def twice_checked(self, **arguments: Any) -> dict[str, Any]:
        """Check, apply, check, apply; returns what the first check said (which the application then did)."""
        before = self.tables()
        checked = done(self.move(check=True, diff=True, **arguments))
        assert self.tables() == before
        applied = done(self.move(diff=True, **arguments))
        assert facts(checked) == facts(applied)
        assert self.versions() == applied["after"]
        again = done(self.move(check=True, **arguments))
        assert facts(again) == facts(done(self.move(**arguments)))
        assert not again["changed"] and again["revisions"] == [] and again["before"] == applied["after"]
        return checked

    def as_planned(self, command: str = "upgrade", revision: str = "head") -> list[str]:
        """Plan and run without the module's layer, which others test; returns the heads that both agree on."""
        alembic = Alembic(project_from_params({"environment": {}, **DEFAULTS, **self.arguments({})}, os.environ))
        plan = alembic.plan(command, revision)
        assert alembic.execute(command, revision) == plan
        assert self.versions() == list(plan.after)
        return list(plan.after)

    def tables(self) -> list[str]:
        rows = self.database.query("SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY 1")
        return [name for (name,) in rows]

    def versions(self) -> list[str]:
        return [name for (name,) in self.database.query("SELECT version_num FROM alembic_version ORDER BY 1")]


def done(result: dict[str, Any]) -> dict[str, Any]:
    assert not result.get("failed"), f"{result['msg']}\n{result.get('traceback')}"
    return result


def failed(result: dict[str, Any], *words: str) -> dict[str, Any]:
    assert result.get("failed"), result
    assert result["error"] == "ApplicationError", result
    for word in words:
        assert word in result["msg"], result["msg"]
    assert result["advice"] and result["advice"] in result["msg"]
    return result


def facts(result: dict[str, Any]) -> dict[str, Any]:
    return {name: result.get(name) for name in ("changed", "command", "before", "after", "revisions", "diff")}


def names(revisions: list[dict[str, Any]]) -> list[str]:
    return [item["revision"] for item in revisions]


@pytest.fixture
def make(tmp_path: Path, database: Database, run_module: ModuleRunner) -> Any:
    """Call it with AlembicProject's arguments: a project in a folder whose name is hard to quote, and its database."""

    def create(*arguments: Any, **options: Any) -> Application:
        return Application(AlembicProject(tmp_path / 'an app\'s "folder"', *arguments, **options), database, run_module)

    return create


@pytest.mark.parametrize("kind", KINDS)
def test_check_apply_check_apply(make: Any, kind: str) -> None:
    run, driver = KINDS[kind]
    application = make(run)
    before = application.info(driver=driver)
    assert (before["current"], before["heads"], before["at_head"]) == ([], ["0002"], False)
    assert names(before["pending"]) == ["0001", "0002"]
    assert application.tables() == []
    checked = application.twice_checked(driver=driver)
    assert checked["changed"] and names(checked["revisions"]) == ["0001", "0002"]
    assert checked["revisions"][1] == {
        "revision": "0002",
        "down_revision": ["0001"],
        "message": "Children.",
        "path": str(application.project.versions / "0002.py"),
    }
    assert "CREATE TABLE child" in checked["diff"]["prepared"]
    after = application.info(driver=driver)
    assert (after["current"], after["pending"], after["at_head"], after["drift"]) == (["0002"], [], True, [])
    assert not (application.project.folder / "own.db").exists()


def test_downgrade(make: Any) -> None:
    application = make()
    application.move()
    assert application.twice_checked(command="downgrade", revision="0001")["after"] == ["0001"]
    assert application.tables() == ["alembic_version", "parent"]
    assert application.twice_checked(command="downgrade", revision="base")["after"] == []
    assert application.tables() == ["alembic_version"]


def test_stamp(make: Any) -> None:
    application = make()
    assert application.twice_checked(command="stamp", revision="0001")["after"] == ["0001"]
    assert application.as_planned("stamp") == ["0002"]
    assert application.as_planned("stamp", "0001") == ["0001"]
    assert application.tables() == ["alembic_version"]


def test_a_downgrade_has_to_be_told_where_to(make: Any) -> None:
    failed(make().move(command="downgrade"), "where to")


def test_the_model_is_what_postgresql_would_have(make: Any) -> None:
    model = make().info()["model"]
    nothing = {"default": False, "generated": False, "identity": "", "expression": None}
    assert model["parent"] == {
        "columns": {
            "id": {"type": "INTEGER", "nullable": False, **nothing, "default": True},
            "name": {"type": "VARCHAR", "nullable": False, **nothing},
            "color": {"type": "color", "nullable": True, **nothing},
        },
        "primary_key": ["id"],
        "foreign_keys": [],
        "unique": [],
        "indexed": [["id"], ["name"]],
        "checks": [],
        "enums": {"color": ["RED", "GREEN"]},
    }
    [key] = model["child"]["foreign_keys"]
    assert (key["columns"], key["parent"], key["parent_columns"]) == (["parent_id"], "parent", ["id"])
    assert model["child"]["unique"] == [["parent_id"]]


def test_drift_is_found_at_head_only(make: Any) -> None:
    application = make(options="'compare_type': True")
    application.move(revision="0001")
    application.database.query(
        "ALTER TABLE parent ADD extra text, ALTER name DROP NOT NULL, ALTER name TYPE bigint USING 1"
    )
    assert application.info()["drift"] == []
    application.move()
    drift = application.info()["drift"]
    assert {(item["operation"], item["table"], item["column"]) for item in drift} == {
        ("remove_column", "parent", "extra"),
        ("modify_nullable", "parent", "name"),
        ("modify_type", "parent", "name"),
    }
    [detail] = [item["detail"] for item in drift if item["operation"] == "modify_type"]
    assert detail == "type is BIGINT in the database, VARCHAR in the application's model"
    application.database.query("DROP TABLE child")
    assert ("add_table", "child") in {(item["operation"], item["table"]) for item in application.info()["drift"]}


# --- failures


@pytest.mark.parametrize(("options", "current"), [("", []), ("'transaction_per_migration': True", ["0002"])])
@pytest.mark.parametrize("kind", ["ini", "asynchronous"])
def test_a_failing_revision_is_named_and_leaves_the_one_before(
    make: Any, kind: str, options: str, current: list[str]
) -> None:
    run, driver = KINDS[kind]
    application = make(run, options=options)
    path = application.project.revision(
        "0003", "0002", '    op.execute("CREATE TABLE half ()")\n    op.drop_table("parent")', message="Drops."
    )
    result = failed(application.move(driver=driver), "Revision 0003 (Drops.)", str(path), "DROP TABLE parent")
    assert result["line"] == path.read_text().splitlines().index('    op.drop_table("parent")') + 1
    assert (result["file"], result["sqlstate"]) == (str(path), "2BP01")
    assert result["statement"] == "DROP TABLE parent"
    assert "other objects depend on it" in result["reason"]
    assert "children first" in result["advice"]
    assert "in upgrade" in result["traceback"]
    assert result["current"] == current
    assert f"is at {current[0]} now" in result["msg"] if current else "at no revision now" in result["msg"]
    assert "half" not in application.tables()
    assert ("child" in application.tables()) == bool(current)
    assert application.info(driver=driver)["current"] == current


def test_a_revision_that_fails_at_commit(make: Any) -> None:
    application = make()
    application.project.revision(
        "0003",
        "0002",
        '    op.execute("ALTER TABLE child ADD CONSTRAINT late FOREIGN KEY (id) REFERENCES parent DEFERRABLE INITIALLY DEFERRED;'
        " INSERT INTO parent (name) VALUES ('x'); INSERT INTO child (id, parent_id) VALUES (99, 1)\")",
    )
    result = failed(application.move(), "refused to keep them", "late")
    assert (result["sqlstate"], result["current"]) == ("23503", [])


def test_an_error_of_python_in_a_revision(make: Any) -> None:
    application = make()
    path = application.project.revision("0003", "0002", "    raise KeyError('missing thing')")
    result = failed(application.move(), "Revision 0003", "missing thing")
    assert (result["file"], result["line"], result["statement"]) == (str(path), 13, "")


def test_tables_without_a_revision(make: Any) -> None:
    application = make()
    application.database.query("CREATE TABLE parent (id int); CREATE TABLE other ()")
    info = application.info()
    assert (info["unversioned"], info["existing_tables"], info["current"]) == (True, ["parent"], [])
    [warning] = done(application.move(check=True))["warnings"]
    assert "parent" in str(warning) and "stamp" in str(warning)
    result = failed(application.move(), "Revision 0001", 'relation "parent" already exists', "stamp")
    assert result["sqlstate"] == "42P07"
    done(application.move(command="stamp", revision="0001"))
    assert not application.info()["unversioned"]


def test_a_revision_that_the_project_does_not_hold(make: Any) -> None:
    application = make()
    application.move()
    application.database.query("UPDATE alembic_version SET version_num = 'later'")
    info = application.info()
    assert (info["unknown"], info["pending"], info["at_head"]) == (["later"], [], False)
    failed(application.move(), "later", "bring it to the version")
    application.database.query("UPDATE alembic_version SET version_num = '0002'")
    failed(application.move(command="stamp", revision="nowhere"), "nowhere")


def test_a_wrong_password_and_a_server_that_is_not_there(make: Any) -> None:
    application = make()
    for driver in ("psycopg2", "asyncpg"):
        if driver == "asyncpg":
            application.project.env.write_text(application.project.env.read_text().replace(INI_ONLY, ASYNCHRONOUS))
        failed(application.move(driver=driver, login_password="not@it%"), "cannot connect", "login_password")
        failed(application.info(driver=driver, login_port=1), "cannot connect", "login_port")
    failed(application.info(driver="asyncpg", login_db="nowhere"), "cannot connect", "Create the database")


def test_a_driver_that_env_py_is_not_written_for(make: Any) -> None:
    application = make(ASYNCHRONOUS)
    failed(application.info(driver="psycopg2"), "env.py failed", "asyncpg where it is asynchronous")
    failed(application.info(driver="nosuch"), "env.py failed")


@pytest.mark.parametrize(
    ("before", "words"),
    [
        ("import nothing_of_that_name", ("No module named", "prepend_sys_path")),
        ("raise SystemExit(4)", ("exit status 4",)),
        ("print('so long'); import sys; sys.stdout.flush(); os._exit(5)", ("exit status 5", "so long")),
        ("os.kill(os.getpid(), 9)", ("killed by signal 9",)),
        ("run = None; on = lambda connection: None", ("run_migrations",)),
        ("1 / 0", ("ZeroDivisionError", "env.py, line ")),
    ],
)
def test_an_env_py_that_does_not_work(make: Any, before: str, words: tuple[str, ...]) -> None:
    failed(make(before=before).info(), *words)


def test_missing_files(make: Any, tmp_path: Path) -> None:
    application = make()
    failed(application.info(project_dir=str(tmp_path / "none")), "project_dir")
    failed(application.info(config_file="other.ini"), "other.ini", "config_file")
    failed(application.info(python=str(tmp_path / "python")), "interpreter")
    (tmp_path / "python").write_text("#!/nowhere/python\n")
    (tmp_path / "python").chmod(0o755)
    failed(application.info(python=str(tmp_path / "python")), "cannot be started")


def test_an_interpreter_without_alembic(make: Any, tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", tmp_path / "empty"], check=True)
    failed(make().info(python=str(tmp_path / "empty" / "bin" / "python")), "no Alembic", "virtual environment")


# --- branches


def test_branches(make: Any) -> None:
    application = make()
    application.project.revision("0003a", "0002", '    op.execute("CREATE TABLE a ()")', '    op.drop_table("a")')
    application.project.revision("0003b", "0002", '    op.execute("CREATE TABLE b ()")', '    op.drop_table("b")')
    info = application.info()
    assert (info["heads"], info["branches"]) == (["0003a", "0003b"], ["0002"])
    assert sorted(names(info["pending"])) == ["0001", "0002", "0003a", "0003b"]
    failed(application.move(), "heads")
    assert application.tables() == []
    assert application.as_planned(revision="0003a") == ["0003a"]
    assert not application.info()["at_head"]
    assert application.as_planned(revision="heads") == ["0003a", "0003b"]
    assert application.info()["at_head"]
    application.project.revision("0004", ("0003a", "0003b"))
    checked = application.twice_checked()
    assert (checked["before"], checked["after"]) == (["0003a", "0003b"], ["0004"])
    assert checked["revisions"][0]["down_revision"] == ["0003a", "0003b"]
    assert application.as_planned("downgrade", "0003b") == ["0003a", "0003b"]
    assert application.as_planned("stamp", "heads") == ["0004"]


def test_a_dependency_between_branches(make: Any) -> None:
    application = make(revisions=False)
    application.project.revision("a1", None)
    application.project.revision("a2", "a1")
    application.project.revision("b1", None, depends_on="a2")
    assert names(application.info()["pending"]) == ["a1", "a2", "b1"]
    application.as_planned(revision="b1")
    application.as_planned("downgrade", "b1@base")
    application.as_planned(revision="heads")


def test_one_step_at_a_time(make: Any) -> None:
    application = make()
    assert application.as_planned(revision="+1") == ["0001"]
    assert application.as_planned(revision="+1") == ["0002"]
    assert application.as_planned("downgrade", "-1") == ["0001"]


# --- which database


def test_another_database_is_never_touched(make: Any, postgres: Server) -> None:
    own = "with create_engine('sqlite:///own.db').connect() as connection:\n    on(connection)"
    application = make(own)
    result = failed(application.move(), "before anything was run", "sqlite", "url_variable")
    assert result["kind"] == "wrong_database"
    other = postgres.create_database()
    try:
        application.project.env.write_text(
            application.project.env.read_text().replace("'sqlite:///own.db'", "os.environ['OTHER']")
        )
        failed(application.move(environment={"OTHER": other.url("psycopg2")}), f"'{other.name}'")
        assert other.query("SELECT to_regclass('alembic_version')") == [(None,)]
    finally:
        postgres.drop(other)


def test_another_server_with_a_database_of_the_same_name_is_noticed(make: Any) -> None:
    application = make(
        ENVIRONMENT_ONLY.replace("create_engine(os.environ", "create_engine(os.environ['X'] or os.environ")
    )
    url = application.database.url("psycopg2")
    failed(
        application.move(login_host="localhost.localdomain", ssl_mode="disable", environment={"X": url}),
        "not to localhost.localdomain",
    )


def test_the_variable_is_the_one_that_the_application_reads(make: Any) -> None:
    application = make(ENVIRONMENT_ONLY.replace("DATABASE_URL", "SQLALCHEMY_URL"))
    failed(application.info(), "SQLALCHEMY_URL")
    assert done(application.move(url_variable="SQLALCHEMY_URL"))["after"] == ["0002"]


@pytest.mark.parametrize("kind", KINDS)
def test_the_socket(make: Any, kind: str, postgres: Server) -> None:
    run, driver = KINDS[kind]
    application = make(run)
    assert done(application.move(driver=driver, login_host=str(postgres.socket_dir)))["after"] == ["0002"]


def test_the_client_library_decides_where_nothing_is_given(
    make: Any, database: Database, run_module: ModuleRunner
) -> None:
    project = make().project
    arguments = {
        "project_dir": str(project.folder),
        "python": PYTHON,
        "login_db": database.name,
        "login_port": database.port,
    }
    environment = {name: database.environment[name] for name in ("PGHOST", "PGUSER", "PGPASSWORD")}
    result = run_module("alembic_upgrade", arguments, environment=environment)
    assert done(result)["after"] == ["0002"]


# --- what only looks does not touch


def test_what_env_py_itself_does_is_not_kept_in_check_mode(make: Any) -> None:
    run = INI_ONLY.replace(
        "        on(",
        "        connection.execute(text('CREATE TABLE IF NOT EXISTS mine ()')); connection.commit(); on(",
    )
    application = make(run)
    done(application.info())
    done(application.move(check=True))
    assert application.tables() == []
    done(application.move())
    assert application.tables() == ["alembic_version", "child", "mine", "parent"]


def test_revisions_that_were_not_committed_are_no_success(make: Any) -> None:
    run = INI_ONLY.replace("        on(", "        connection.execute(text('SELECT 1')); on(")
    result = failed(make(run).move(), "0001, 0002", "did not commit", "begin_transaction")
    assert (result["kind"], result["current"]) == ("not_kept", [])


def test_revisions_that_do_not_run_offline_are_listed(make: Any) -> None:
    application = make()
    application.project.revision("0003", "0002", "    sa.inspect(op.get_bind()).get_table_names()", message="Looks.")
    checked = application.twice_checked()
    assert "-- 0003 Looks." in checked["diff"]["prepared"]
    assert "do not run offline" in str(checked["warnings"])


# --- secrets


DUMP = """\
import json
import subprocess
with open("seen.json", "w") as seen:
    json.dump(
        {
            "cmdline": open("/proc/self/cmdline").read(),
            "parent": open("/proc/%d/cmdline" % os.getppid()).read(),
            "environment": dict(os.environ),
            "input": subprocess.run(["cat"], stdout=subprocess.PIPE).stdout.decode(),
        },
        seen,
    )
print("on stdout", os.environ["DATABASE_URL"], flush=True)
print("once more", repr(os.environ["PASSWORD_COPY"]))
"""


def test_the_password_stays_secret(make: Any, database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """The module runner holds every output against every spelling of the password."""
    monkeypatch.setenv("DATABASE_URL_OF_ANOTHER", "forgotten")
    application = make(before=DUMP)
    ini = application.project.ini.read_text()
    path = application.project.revision(
        "0003",
        "0002",
        "    import os\n    op.execute(\"COMMENT ON TABLE child IS '%s'\" % os.environ['PASSWORD_COPY'].replace(\"'\", \"''\").replace(':', r'\\:'))\n"
        "    print(op.get_context().as_sql)",
    )
    environment = {"PASSWORD_COPY": database.password, "MODE": "production", "COUNT": 1, "ON": True}
    checked = done(application.move(check=True, diff=True, environment=environment))
    assert "COMMENT ON TABLE child IS '********'" in checked["diff"]["prepared"]
    path.write_text(
        path.read_text().replace(
            "    print(", "    raise ValueError(os.environ['DATABASE_URL'] + os.environ['PASSWORD_COPY'], "
        )
    )
    result = failed(application.move(environment=environment), "Revision 0003", "********")
    assert "on stdout ********" in result["output"]
    seen = json.loads((application.project.folder / "seen.json").read_text())
    for where in ("cmdline", "parent"):
        for spelling in (database.password, quote(database.password, safe=""), quote(database.password)):
            assert spelling not in seen[where]
    assert seen["cmdline"].split("\0")[1] == "-c"
    assert seen["input"] == ""
    assert quote(database.password, safe="") in seen["environment"]["DATABASE_URL"]
    assert {name: seen["environment"][name] for name in ("MODE", "COUNT", "ON")} == {
        "MODE": "production",
        "COUNT": "1",
        "ON": "true",
    }
    assert seen["environment"]["PGSSLMODE"] == "prefer"
    assert "DATABASE_URL_OF_ANOTHER" not in seen["environment"] and "PYTHONPATH" not in seen["environment"]
    assert application.project.ini.read_text() == ini
    for file in application.project.folder.rglob("*"):
        if file.is_file() and file.name != "seen.json":
            assert quote(database.password, safe="") not in file.read_text(), file


def test_plain_words_in_the_environment_do_not_spoil_the_result(make: Any) -> None:
    info = make().info(environment={"LEVEL": "0001", "MODE": "parent", "COUNT": 1})
    assert names(info["pending"]) == ["0001", "0002"]
    assert "parent" in info["model"]


def test_through_ansible(make: Any, playbook: PlaybookRunner) -> None:
    """The driver's source is found in the archive that Ansible ships, too."""
    application = make()
    arguments = application.arguments({"login_password": "{{ secret }}", "environment": {"MODE": "production"}})
    tasks = [{"mcps.postgres.alembic_upgrade": arguments}, {"mcps.postgres.alembic_info": arguments}]
    plays = [{"hosts": "database", "gather_facts": False, "tasks": tasks}]
    variables = {"secret": application.database.password}
    shown = playbook(plays, variables=variables, check=True, diff=True, extra_args=["-vvv"]).succeeded(changed=True)
    assert "CREATE TABLE child" in shown.output
    playbook(plays, variables=variables, diff=True).succeeded(changed=True)
    assert application.versions() == ["0002"]
    playbook(plays, variables=variables).succeeded(changed=False)


# --- a run that is killed


def test_a_killed_module_takes_its_transaction_along(make: Any, tmp_path: Path) -> None:
    application = make()
    application.project.revision(
        "0003",
        "0002",
        "    import os\n    open('pid', 'w').write(str(os.getpid()))\n    op.execute('SELECT pg_sleep(120)')",
    )
    arguments = {**application.arguments({}), "_ansible_remote_tmp": str(tmp_path)}
    module = subprocess.Popen(
        [sys.executable, "-m", "ansible_collections.mcps.postgres.plugins.modules.alembic_upgrade"],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        env={**os.environ, "PYTHONPATH": str(COLLECTIONS)},
    )
    assert module.stdin
    module.stdin.write(json.dumps({"ANSIBLE_MODULE_ARGS": arguments}).encode())
    module.stdin.close()
    pid = application.project.folder / "pid"
    wait(lambda: pid.exists() and pid.read_text() != "")
    module.send_signal(signal.SIGKILL)
    module.wait()
    wait(
        lambda: (
            not Path(f"/proc/{pid.read_text()}/cmdline").exists()
            or b"mcps" not in Path(f"/proc/{pid.read_text()}/cmdline").read_bytes()
        )
    )
    application.database.query(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE 'SELECT pg_sleep%' AND pid <> pg_backend_pid()"
    )
    application.project.revision("0003", "0002")
    assert done(application.move())["before"] == []


def wait(condition: Any, seconds: float = 20) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.05)


# --- the reference application


@pytest.fixture(scope="session")
def application_python() -> str:
    """The reference application's own interpreter (make venv-app)."""
    python = os.environ.get("MCPS_APPLICATION_PYTHON", str(ROOT / ".cache" / "venv-mcps" / "bin" / "python"))
    assert Path(python).exists(), "run: make venv-app"
    return python


def test_the_reference_application(database: Database, run_module: ModuleRunner, application_python: str) -> None:
    arguments = {"project_dir": str(ROOT / "examples" / "mcps"), "python": application_python, **database.login}
    before = run_module("alembic_info", arguments)
    assert done(before)["current"] == [] and before["pending"]
    checked = done(run_module("alembic_upgrade", arguments, check=True, diff=True))
    assert database.query("SELECT to_regclass('alembic_version')") == [(None,)]
    assert "CREATE TABLE server" in checked["diff"]["prepared"] or checked["warnings"]
    applied = done(run_module("alembic_upgrade", arguments, diff=True))
    assert facts(checked) == facts(applied)
    assert names(applied["revisions"]) == names(before["pending"])
    assert not done(run_module("alembic_upgrade", arguments, check=True))["changed"]
    assert not done(run_module("alembic_upgrade", arguments))["changed"]
    after = done(run_module("alembic_info", arguments))
    assert (after["at_head"], after["drift"], after["pending"]) == (True, [], [])
    assert len(after["model"]) == 15
    enums = {name for table in after["model"].values() for name in table["enums"]}
    types = database.query("SELECT typname FROM pg_type WHERE typtype = 'e'")
    assert enums == {name for (name,) in types} and len(enums) == 8
