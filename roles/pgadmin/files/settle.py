# SPDX-FileCopyrightText: 2026 The mcps.postgres authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Bring pgAdmin's administrator and registered servers to what is wanted, through pgAdmin's own code.

Run it with pgAdmin's Python, as pgAdmin's user. Standard input: a JSON object with C(email), C(password), C(Servers) (as
in the file that pgAdmin's load-servers reads) and C(check) (true: change nothing, only say what would be). Standard
output: {"changes": ["what was done", ...]}. What pgAdmin prints goes to standard error; the exit status is then not 0
where it failed.
"""

import contextlib
import importlib.util
import json
import os
import sqlite3
import sys
import tempfile
import urllib.parse
import uuid

IMAGE_FOLDER = "/pgadmin4"  # of the programs in the container image of pgAdmin's project


def main():
    wanted = json.load(sys.stdin)
    with contextlib.redirect_stdout(sys.stderr):
        changes = settle(wanted)
    json.dump({"changes": changes}, sys.stdout)


def settle(wanted):
    """What was changed, or would be, as a list of phrases."""
    package = importlib.util.find_spec("pgadmin4")
    sys.path.insert(0, next(iter(package.submodule_search_locations)) if package else IMAGE_FOLDER)
    import config

    if is_made(config.SQLITE_PATH):
        import setup  # noqa: F401 -- it prepares what pgAdmin's modules expect of their program
        from pgadmin import create_app

        changes, app = [], create_app(config.APP_NAME + "-cli")
    else:
        changes = ["database made"]
        if wanted["check"]:
            return changes
        app = made(wanted)
    with app.test_request_context():
        changes += settle_account(wanted)
        for server in wanted["Servers"].values():
            changes += settle_server(wanted, server)
    return changes


def is_made(path):
    """Whether pgAdmin's database is there with an account, so that no first set-up was interrupted."""
    query = "SELECT 1 FROM version WHERE name = 'ConfigDB' AND EXISTS (SELECT 1 FROM user)"
    try:
        with contextlib.closing(sqlite3.connect(f"file:{urllib.parse.quote(path)}?mode=ro", uri=True)) as connection:
            return connection.execute(query).fetchone() is not None
    except sqlite3.OperationalError:
        return False


def made(wanted):
    """pgAdmin's application with a new database; the account is in it."""
    os.environ["PGADMIN_SETUP_EMAIL"] = wanted["email"]
    os.environ["PGADMIN_SETUP_PASSWORD"] = wanted["password"]
    import setup
    from pgadmin import create_app

    app = create_app()
    setup.setup_db(app)
    return app


def find_account(email):
    from pgadmin.model import User
    from pgadmin.utils.constants import INTERNAL

    return User.query.filter_by(username=email, auth_source=INTERNAL).first()


def settle_account(wanted):
    from flask_security.utils import verify_password
    from pgadmin.model import Role, db
    from pgadmin.tools.user_management import create_user, normalise_password, update_user
    from pgadmin.utils.constants import INTERNAL

    password = {"newPassword": wanted["password"], "confirmPassword": wanted["password"]}
    account = find_account(wanted["email"])
    if account is None:
        if not wanted["check"]:
            role = Role.query.filter_by(name="Administrator").first().id
            succeed(
                create_user(
                    {"email": wanted["email"], "role": role, "active": True, "auth_source": INTERNAL, **password}
                )
            )
        return [f"account {wanted['email']} made"]
    if verify_password(normalise_password(wanted["password"]), account.password):
        return []
    if not wanted["check"]:
        succeed(update_user(account.id, {"locked": False, **password}))
        account.fs_uniquifier = uuid.uuid4().hex  # sessions carry it: those of the old password end
        db.session.commit()
    return [f"password of {wanted['email']} changed"]


def settle_server(wanted, server):
    from pgadmin.model import Server, ServerGroup, db
    from pgadmin.utils import load_database_servers

    account = find_account(wanted["email"])
    columns = {
        "host": server["Host"],
        "port": server["Port"],
        "maintenance_db": server["MaintenanceDB"],
        "username": server["Username"],
        "password": None,
        "save_password": 0,
    }
    registered = None
    if account is not None:
        registered = (
            Server.query.filter_by(user_id=account.id, name=server["Name"], is_adhoc=0)
            .join(ServerGroup, Server.servergroup_id == ServerGroup.id)
            .filter(ServerGroup.name == server["Group"])
            .first()
        )
    if registered is None:
        if not wanted["check"]:
            with tempfile.NamedTemporaryFile("w", suffix=".json", encoding="utf-8") as file:
                json.dump({"Servers": {"1": server}}, file)
                file.flush()
                succeed(load_database_servers(file.name, None, wanted["email"], True))
        return [f"server {server['Name']} registered"]

    parameters = {**(registered.connection_params or {}), **server["ConnectionParameters"]}
    if "sslrootcert" not in server["ConnectionParameters"]:
        parameters.pop("sslrootcert", None)
    columns["connection_params"] = parameters
    # No password is NULL, an empty one or 0, as it was made by load-servers or by hand.
    different = [name for name, value in columns.items() if (getattr(registered, name) or None) != (value or None)]
    if not different:
        return []
    if not wanted["check"]:
        for name in different:
            setattr(registered, name, columns[name])
        db.session.commit()
    return [f"server {server['Name']} changed"]


def succeed(result):
    """Stop where one of pgAdmin's functions says that it failed."""
    done, message = result
    if not done:
        sys.exit(f"pgAdmin: {message}")


if __name__ == "__main__":
    main()
