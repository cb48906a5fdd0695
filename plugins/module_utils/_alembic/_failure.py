# SPDX-FileCopyrightText: 2026 The mcps.postgres authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the driver reports of a failure, as an error that says where it is and what to do. Pure."""

from __future__ import annotations

from typing import Any, Dict, Mapping, Optional, Sequence, Tuple

from .._errors import ApplicationError

#: By SQLSTATE (PostgreSQL, appendix A): what a failing revision usually comes from, and what to do.
BY_SQLSTATE: Dict[str, str] = {
    "42P07": "The object is there already. If the application made its tables itself and the database has no revision, "
    "either stamp it with the revision that the tables are at (command stamp), or empty the database first.",
    "42710": "An object of that name is there already, often an enum type that an earlier downgrade left behind. Drop it "
    "(DROP TYPE ...), or let the revision create it only if it is missing.",
    "2BP01": "Other objects depend on it; SQLite does not check that. Put the statements of the revision in an order that "
    "foreign keys allow (children first), or build the schema from the application's model and stamp it.",
    "42501": "Let login_user own the database, or grant it CREATE on the schema (PostgreSQL 15 and later do not by "
    "default). Extensions that need a superuser are created beforehand, by one.",
    "42704": "PostgreSQL does not know the name. SQLite's type names (DATETIME, BLOB ...) have to become SQLAlchemy's, and "
    "extensions have to be there before their types are used.",
    "42703": "PostgreSQL does not know the column. Compare the revision with the table as the revisions before it left it.",
    "42P01": "PostgreSQL does not know the table. Compare the revision with what the revisions before it created.",
    "58P01": "An extension is not installed on the server: install its package there, then run the same command again.",
    "0A000": "The server does not offer that: install what it lacks there (an extension's package), or change the revision.",
    "23502": "A row already there has no value for it. Mend the rows, or let the revision give a server default.",
    "23505": "Rows already there have the same key. Mend the rows first.",
    "23503": "Rows already there refer to rows that are not. Mend the rows first.",
    "55P03": "Somebody else holds a lock on the table: stop the application, then run the same command again.",
    "57014": "The statement was cancelled: raise statement_timeout or stop what blocks it, then run the command again.",
}
CONNECTION_ADVICE: Dict[str, str] = {
    "28P01": "Check login_user and login_password.",
    "28000": "Let the server's pg_hba.conf admit login_user from this host, with the TLS that ssl_mode asks for.",
    "3D000": "Create the database first, e.g. with community.postgresql.postgresql_db.",
    "53300": "Raise max_connections or stop what holds the connections.",
}
CREATE_ADVICE: Dict[str, str] = {
    "42P07": "Tables are there already. Where they are the application's, compare and stamp them (strategy existing); "
    "else empty the database or name another one.",
    "42710": "A type of that name is there already. Drop it (DROP TYPE ...), or empty the database.",
}
MODEL_ADVICE = "Correct the application's model, then run the same command again."
REVISION_ADVICE = "Correct the revision, then run the same command again."


def explained(failure: Mapping[str, Any], output: str, python: str, project_dir: str) -> ApplicationError:
    """The error for what the driver reports. I(failure) is masked already; I(output) is what the application printed."""
    kind = failure["kind"]
    message = one_line(failure["message"])
    where = place(failure)
    advice = ""
    if kind == "revision":
        text = f"{named(failure.get('revision'))} failed{where}: {message}"
        statement = one_line(failure.get("statement") or "", 400)
        if statement:
            text += f" Statement: {statement}"
        advice = BY_SQLSTATE.get(failure.get("sqlstate", ""), REVISION_ADVICE)
    elif kind == "create":
        text = f"The tables of the application's metadata could not be made{where}: {message}"
        statement = one_line(failure.get("statement") or "", 400)
        if statement:
            text += f" Statement: {statement}"
        advice = CREATE_ADVICE.get(failure.get("sqlstate", "")) or BY_SQLSTATE.get(
            failure.get("sqlstate", ""), MODEL_ADVICE
        )
    elif kind == "commit":
        text = f"The revisions ran, but the database refused to keep them{where}: {message}"
        advice = BY_SQLSTATE.get(failure.get("sqlstate", ""), REVISION_ADVICE)
    elif kind == "script":
        text = f"Alembic refused: {message}"
        advice = script_advice(message)
    elif kind == "config":
        text = f"Alembic's configuration cannot be used: {failure['type']}: {message}"
        advice = "Check config_file and its script_location, and that 'alembic heads' works in project_dir."
    elif kind == "connect":
        text = f"The application cannot connect to the database: {message}"
        advice = connection_advice(failure)
    elif kind == "no_alembic":
        text = f"{python} has no Alembic that can be imported: {message}"
        advice = "Set python to the interpreter of the application's virtual environment, and install Alembic there."
    elif kind == "wrong_database":
        text = f"Stopped before anything was run: {message}"
        advice = (
            "Tell the application its database by url_variable (a name that its settings read) or by environment; "
            "env.py may also read sqlalchemy.url of Alembic's configuration."
        )
    elif kind == "not_empty":
        text = f"Nothing was made: {message}"
        advice = "Bring the database up with the application's revisions (command upgrade), or name an empty one."
    elif kind == "no_metadata":
        text = f"Nothing was made: {message}"
        advice = "Let env.py set target_metadata to the application's MetaData, or use the application's revisions."
    elif kind == "env_idle":
        text = message
        advice = "Let env.py call context.run_migrations(), as the one that 'alembic init' writes does."
    elif kind == "exit":
        text = f"The application ended its process{where} (exit status {message})."
        advice = "Look at what it printed (output)."
    else:
        text = f"The application's env.py failed{where}: {failure['type']}: {message}"
        advice = application_advice(failure, python)
    details = {
        "kind": kind,
        "revision": failure.get("revision"),
        "file": failure.get("file") or "",
        "line": failure.get("line") or 0,
        "statement": failure.get("statement") or "",
        "sqlstate": failure.get("sqlstate") or "",
        "reason": failure["message"],
        "batch": bool(failure.get("batch")),
        "traceback": failure.get("traceback") or "",
        "output": output,
        "project_dir": project_dir,
    }
    return ApplicationError(ended(text), advice=advice, details=details)


def no_answer(status: int, output: str, python: str) -> ApplicationError:
    """The application's process ended without an answer: killed, crashed, or not a Python that can run it."""
    how = f"was killed by signal {-status}" if status < 0 else f"ended with exit status {status}"
    last = one_line(output[-400:])
    return ApplicationError(
        ended(f"{python} {how} before Alembic had finished{': ' + last if last else ''}"),
        advice="Check that it is Python 3.7 or later and that the application starts with it, then run the command again.",
        details={"kind": "no_answer", "status": status, "output": output},
    )


def with_position(error: ApplicationError, current: Optional[Sequence[str]]) -> ApplicationError:
    """I(error) of a run that changes something, with the revision that the database is at now."""
    if current is None:
        position = "At which revision the database is now cannot be found out."
    elif current:
        position = f"The database is at {', '.join(current)} now."
    else:
        position = "The database is at no revision now."
    details = {**error.details, "current": None if current is None else list(current)}
    return ApplicationError(f"{error.message} {position}", advice=error.advice, details=details)


def not_kept(answer: Mapping[str, Any], current: Optional[Tuple[str, ...]]) -> ApplicationError:
    """Alembic ran revisions and said nothing, and yet the database is not where they lead to."""
    ran = ", ".join(item["revision"] for item in answer["revisions"]) or "none"
    wanted = ", ".join(answer["after"]) or "no revision"
    error = ApplicationError(
        f"Revisions ran ({ran}) but the database is not at {wanted} afterwards: env.py did not commit them.",
        advice="Let env.py run context.run_migrations() within context.begin_transaction(), on a connection on which "
        "nothing was executed before context.configure() (or commit that first).",
        details={"kind": "not_kept", "before": answer["before"], "revisions": answer["revisions"]},
    )
    return with_position(error, current)


def named(revision: Optional[Mapping[str, Any]]) -> str:
    if not revision:
        return "A revision"
    return f"Revision {revision['revision']}" + (f" ({revision['message']})" if revision["message"] else "")


def place(failure: Mapping[str, Any]) -> str:
    return f" in {failure['file']}, line {failure['line']}" if failure.get("file") else ""


def script_advice(message: str) -> str:
    if "Multiple head" in message:
        return "Name the head as revision, use revision 'heads' for all of them, or merge them (alembic merge heads)."
    if "locate revision" in message:
        return (
            "The project on this host does not hold that revision: bring it to the version that the database was migrated "
            "with, or check the argument revision."
        )
    return "Check command and revision, and the files in the project's versions folder."


def connection_advice(failure: Mapping[str, Any]) -> str:
    message, code = failure["message"], failure.get("sqlstate", "")
    if code in CONNECTION_ADVICE:
        return CONNECTION_ADVICE[code]
    if code[:2] not in ("", "08", "57"):
        return BY_SQLSTATE.get(code, "Correct what env.py asks of the database before it runs the revisions.")
    for sign, code in (
        ("password authentication failed", "28P01"),
        ("no password supplied", "28P01"),
        ("no pg_hba.conf", "28000"),
    ):
        if sign in message:
            return CONNECTION_ADVICE[code]
    if 'database "' in message and "does not exist" in message:
        return CONNECTION_ADVICE["3D000"]
    if "certificate" in message or "SSL" in message:
        return "Give ca_cert the certificate of the server's authority, or choose ssl_mode deliberately."
    return "Check login_host and login_port, and that the server runs and admits this host."


def application_advice(failure: Mapping[str, Any], python: str) -> str:
    if failure.get("missing"):
        return (
            f"Install what the application needs for {python}, or put the folder that holds '{failure['missing']}' into "
            "prepend_sys_path of Alembic's configuration or into PYTHONPATH (argument environment). If it is a database "
            "driver, argument driver must name the one that the application uses."
        )
    if failure.get("type") in ("InvalidRequestError", "NoSuchModuleError", "MissingGreenlet"):
        return "Set driver to the database driver that env.py is written for: asyncpg where it is asynchronous."
    return "Give the application the variables that it needs (argument environment), and see traceback and output."


def one_line(text: str, length: int = 1000) -> str:
    flat = " ".join(text.split())
    return flat if len(flat) <= length else flat[:length] + "..."


def ended(text: str) -> str:
    """A sentence that ends."""
    return text if text.endswith((".", "...", "!", "?")) else text + "."
