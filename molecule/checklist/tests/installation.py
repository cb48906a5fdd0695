# SPDX-FileCopyrightText: 2026 The mcps.postgres authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The application's host and the database's, as the checklist looks at them. Moments are seconds since 1970."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from support.machines import Machine

NAME = "hub"
SERVICES = ("api", "harvester", "web")
SOURCE = "/var/lib/hub/mcps.db"
STATE = "/var/lib/mcps-migration"
#: Run on the application's host: the rows of a query as JSON, from the SQLite file as it is.
QUERY = """
import json, sqlite3, sys
with sqlite3.connect(f"file:{sys.argv[1]}?mode=ro", uri=True) as connection:
    print(json.dumps(connection.execute(sys.argv[2]).fetchall()))
"""


@dataclass(frozen=True)
class Job:
    """Something that systemd has done: I(action) is C(start) or C(stop)."""

    moment: float
    action: str
    unit: str


@dataclass(frozen=True)
class Request:
    """What a client on another machine asked for, and the status that it got; None where nobody answered."""

    number: int
    began: float
    ended: float
    status: int | None
    error: str | None


@dataclass(frozen=True)
class Installation:
    """The application's host, and the database's."""

    host: Machine
    database: Machine

    def run(self, service: str, *arguments: str) -> str:
        """What the application's Python prints when it is run as I(service) is: its user, its folder, its environment."""
        return self.host.execute(
            [
                *("systemd-run", "--quiet", "--pipe", "--wait", "--collect", f"--uid={NAME}"),
                f"--property=EnvironmentFile=/etc/{NAME}/{service}/environment",
                f"--property=WorkingDirectory=/srv/{NAME}",
                *(f"/srv/{NAME}-venv/bin/python", *arguments),
            ]
        )

    def state(self, unit: str) -> str:
        """C(active), C(inactive), C(failed)."""
        return str(self.host.host.run(f"systemctl is-active {unit}").stdout).strip()

    def running_environment(self, service: str) -> dict[str, str]:
        """What the process that runs was started with."""
        process = self.host.execute(["systemctl", "show", "-P", "MainPID", f"{NAME}-{service}.service"]).strip()
        # Not even root may read that of another's process without a privilege that the container has not got.
        said = self.host.execute(["runuser", "-u", NAME, "--", "cat", f"/proc/{process}/environ"])
        return dict(line.split("=", 1) for line in said.split("\0") if line)

    def rows(self, side: str, query: str) -> list[list[Any]]:
        """Rows of I(query), which both databases understand; of PostgreSQL every value is a text."""
        if side == "postgresql":
            return self.database.admin(query, "mcps")
        found: list[list[Any]] = json.loads(self.host.execute(["python3", "-c", QUERY, SOURCE, query]))
        return found

    def harvested(self, side: str) -> list[float]:
        """When the pages of the feeds were read that I(side) knows of."""
        rows = self.rows(side, "SELECT started_at FROM processinglog WHERE url LIKE 'feed:%' ORDER BY id")
        return [datetime.fromisoformat(row[0]).replace(tzinfo=UTC).timestamp() for row in rows]

    def jobs(self, begin: float, end: float) -> list[Job]:
        """What systemd has started and stopped on the application's host from I(begin) to I(end), in its order."""
        entries = self._log(begin, end, "_PID=1", "JOB_RESULT=done")
        return [Job(_noted(entry), entry["JOB_TYPE"], entry["UNIT"]) for entry in entries if "UNIT" in entry]

    def calls(self, module: str, *arguments: str) -> list[float]:
        """When Ansible has run a module of the collection with these arguments (C(name=value)) on the application's host."""
        entries = self._log(0, 4e9, f"SYSLOG_IDENTIFIER=ansible-mcps.postgres.{module}")
        return [_noted(entry) for entry in entries if {*arguments} <= {*str(entry["MESSAGE"]).split()}]

    def commands(self, begin: float, end: float) -> list[list[str]]:
        """The commands that Ansible has run on the application's host from I(begin) to I(end), in their order."""
        entries = self._log(begin, end, "SYSLOG_IDENTIFIER=ansible-ansible.legacy.command")
        found = [re.search(r"argv=(\[.*?\]) _uses_shell", str(entry["MESSAGE"])) for entry in entries]
        return [ast.literal_eval(match.group(1)) for match in found if match]

    def _log(self, begin: float, end: float, *matches: str) -> list[Any]:
        period = [f"--since=@{begin:.6f}", f"--until=@{end:.6f}"]
        said = self.host.execute(["journalctl", "--no-pager", "--all", "--output=json", *period, *matches])
        return [json.loads(line) for line in said.splitlines()]

    def journal(self) -> Any:
        """The migration's own record."""
        return json.loads(self.host.read(f"{STATE}/journal.json"))

    def requests(self, name: str) -> list[Request]:
        """What the client of that name has asked for."""
        lines = self.database.read(f"/srv/client-{name}.jsonl").splitlines()
        return [Request(**json.loads(line)) for line in lines]

    def posts_of_client(self, side: str, name: str) -> set[int]:
        """The numbers of those of its posts that I(side) has."""
        rows = self.rows(side, f"SELECT post_id FROM social_posts WHERE post_id LIKE '{name}-%'")
        return {int(row[0].rpartition("-")[2]) for row in rows}


@dataclass(frozen=True)
class Passage:
    """A way from one database to the other: I(begun) and I(ended) are the moments of its first and its last phase, I(fenced) is
    when SQLite began to refuse writes, or took them again."""

    name: str
    old: str
    new: str
    begun: float
    ended: float
    fenced: float
    jobs: Sequence[Job]

    def moments(self, action: str, prefix: str) -> list[float]:
        """When units whose names begin so were started, or stopped."""
        return [job.moment for job in self.jobs if job.action == action and job.unit.startswith(prefix)]

    @property
    def closed(self) -> float:
        """When no client could come in any more."""
        return max(self.moments("stop", "entry-"))

    @property
    def opened(self) -> float:
        """When clients of the API could come in again."""
        return min(moment for moment in self.moments("start", "entry-api.socket") if moment > self.closed)


def passage(installation: Installation, name: str) -> Passage:
    """The passage C(there) or C(back) as journals tell of it."""
    first, last = ("fence", "switch") if name == "there" else ("rollback", "rollback")
    old, new = ("sqlite", "postgresql") if name == "there" else ("postgresql", "sqlite")
    # The migration's own journal has the phase's beginning anew where it went on after late writes were taken over.
    begun = installation.calls("migration_journal", f"phase={first}", "state=started")[0]
    ended = datetime.fromisoformat(installation.journal()["phases"][last]["finished"]).timestamp()
    (fenced,) = installation.calls("sqlite_fence", f"state={'present' if name == 'there' else 'absent'}")
    return Passage(name, old, new, begun, ended, fenced, installation.jobs(begun, ended))


def _noted(entry: Any) -> float:
    return int(entry["__REALTIME_TIMESTAMP"]) / 1e6
