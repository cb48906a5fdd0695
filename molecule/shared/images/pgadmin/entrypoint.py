# SPDX-FileCopyrightText: 2026 The mcps.postgres authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Starts pgAdmin by the contract of docker.io/dpage/pgadmin4.

PGADMIN_DEFAULT_EMAIL and PGADMIN_DEFAULT_PASSWORD or PGADMIN_DEFAULT_PASSWORD_FILE make the first account, and the servers
of PGADMIN_SERVER_JSON_FILE are loaded, when there is no database yet. PGADMIN_ENABLE_TLS serves HTTPS with /certs/server.cert
and /certs/server.key. PGADMIN_LISTEN_ADDRESS, PGADMIN_LISTEN_PORT and GUNICORN_THREADS are heeded.
"""

import os
import subprocess
import sys
from pathlib import Path

PYTHON, PROGRAMS, DATABASE = "/venv/bin/python3", "/pgadmin4", Path("/var/lib/pgadmin/pgadmin4.db")


def main() -> None:
    environment = dict(os.environ)
    password, file = (environment.pop(f"PGADMIN_DEFAULT_PASSWORD{end}", "") for end in ("", "_FILE"))
    if password and file:
        sys.exit("PGADMIN_DEFAULT_PASSWORD and PGADMIN_DEFAULT_PASSWORD_FILE are both set: one of them is enough.")
    if not DATABASE.exists():
        set_up(environment, password or (Path(file).read_text().rstrip("\n") if file else ""))
    tls = bool(environment.get("PGADMIN_ENABLE_TLS"))
    address = environment.get("PGADMIN_LISTEN_ADDRESS", "[::]")
    port = environment.get("PGADMIN_LISTEN_PORT", "443" if tls else "80")
    command = ["/venv/bin/gunicorn", "--bind", f"{address}:{port}", "--workers", "1", "--timeout", "86400"]
    command += ["--threads", environment.get("GUNICORN_THREADS", "25"), "--access-logfile", "-", "--no-control-socket"]
    if tls:
        command += ["--certfile", "/certs/server.cert", "--keyfile", "/certs/server.key"]
    os.chdir(PROGRAMS)
    os.execve(command[0], [*command, "pgAdmin4:app"], environment)


def set_up(environment: dict[str, str], password: str) -> None:
    email = environment.get("PGADMIN_DEFAULT_EMAIL", "")
    if not email or not password:
        sys.exit("Set PGADMIN_DEFAULT_EMAIL, and PGADMIN_DEFAULT_PASSWORD or PGADMIN_DEFAULT_PASSWORD_FILE.")
    secret = {**environment, "PGADMIN_SETUP_EMAIL": email, "PGADMIN_SETUP_PASSWORD": password}
    subprocess.run([PYTHON, "setup.py", "setup-db"], cwd=PROGRAMS, env=secret, check=True)
    servers = environment.get("PGADMIN_SERVER_JSON_FILE", f"{PROGRAMS}/servers.json")
    if Path(servers).exists():
        load = [PYTHON, "setup.py", "load-servers", servers, "--user", email]
        subprocess.run(load, cwd=PROGRAMS, env=environment, check=True)


if __name__ == "__main__":
    main()
