# SPDX-FileCopyrightText: 2026 The mcps.postgres authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""An interpreter for runs of ansible-playbook that has started already.

Of what a short module costs, more than half is a Python that starts and imports ansible.module_utils and psycopg2. Tests run
many thousands of modules. They name a script of ours as the interpreter (C(launcher)): it hands its standard streams, directory
and environment to a waiting process that has imported all that, which forks. So each module still is a process of its own, with
its own memory and session, and runs the very file that Ansible has packed. Where nobody waits (a host that was started again, or
another user of this machine), the script starts Python as ever. On the hosts of scenarios root waits for every user: the kernel
says who asks, and that user is who the fork becomes before it runs anything.

What is tested by killing or by measuring processes uses C(sys.executable). On the hosts of scenarios this file is run by itself
(molecule/shared/create.yml): C(quick_python.py wait SOCKET for-everybody) and C(quick_python.py launcher PYTHON SOCKET), which
prints one.
"""

from __future__ import annotations

import array
import atexit
import contextlib
import gc
import importlib
import marshal
import os
import runpy
import selectors
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import traceback
import types
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple, NoReturn

#: Nothing of this collection: that comes with each module.
IMPORTED = (
    *(
        "ansible.module_utils.basic",
        "ansible.module_utils.common.text.converters",
        "psycopg2",
        "psycopg2.extras",
        "sqlite3",
    ),
    *("ast", "base64", "concurrent.futures", "datetime", "decimal", "hashlib", "pathlib", "runpy", "ssl", "tempfile"),
    *("threading", "urllib.parse", "uuid", "zipfile", "zipimport"),
)
STREAMS = 3
#: Linux's number of the option that says which groups the peer of a socket is in. Python has no name for it.
SO_PEERGROUPS = 59

#: What stands for the interpreter. It imports only what is built in (json alone doubles the time that it takes), because it is
#: started for every module.
LAUNCHER = """#!{python} -IS
import marshal, posix, sys
from _socket import socket
try:
    connection = socket(1, 1)
    connection.connect({address!r})
    given = marshal.dumps([sys.argv[1:], posix.getcwd(), posix.environ])
    streams = b"".join(stream.to_bytes(4, sys.byteorder) for stream in (0, 1, 2))
    connection.sendmsg([len(given).to_bytes(4, "big")], [(1, 1, streams)])
    connection.sendall(given)
except OSError:
    posix.execv({python!r}, [{python!r}, *sys.argv[1:]])
status = int.from_bytes(connection.recv(4) or b"\\0\\0\\0\\1", "big", signed=True)
if status < 0:
    posix.kill(posix.getpid(), -status)
sys.exit(status)
"""


@contextlib.contextmanager
def launcher(
    environment: Mapping[str, str] | None = None, also: Sequence[str] = (), python: str = sys.executable
) -> Iterator[str]:
    """The path of an interpreter that need not start; it works until the context ends.

    It is I(python) with the modules I(also) imported too, and begins with this process's environment and I(environment). What
    of it matters to Python itself, as PYTHONPATH does, is not looked at again.
    """
    if not hasattr(os, "pidfd_open"):
        yield python
        return
    # Names of sockets are short: pytest's folders may be too deep.
    with tempfile.TemporaryDirectory(prefix="mcps-") as folder:
        address, path = os.path.join(folder, "socket"), Path(folder, "python")
        path.write_text(LAUNCHER.format(python=python, address=address), encoding="utf-8")
        # Other users' modules get this far, not to the socket, and start Python as ever.
        os.chmod(folder, 0o755)
        path.chmod(0o755)
        waiting = subprocess.Popen(
            [python, __file__, "wait", address, "while-stdin", *also],
            env={**os.environ, **(environment or {})},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        assert waiting.stdin and waiting.stdout
        try:
            assert waiting.stdout.readline() == b"ready\n", "it ended"
            yield str(path)
        finally:
            waiting.stdin.close()
            waiting.wait()


class PackedFirst(list[str]):
    """Where the parts of a package lie: first in the zip file that the module came in, once that is on the path."""

    def __init__(self, package: str, places: Iterable[str]) -> None:
        super().__init__(places)
        self._folder = package.replace(".", "/")

    def __iter__(self) -> Iterator[str]:
        for place in sys.path:
            if place.endswith("_payload.zip"):
                yield f"{place}/{self._folder}"
        yield from super().__iter__()


class Given(NamedTuple):
    """What a launcher was started with."""

    arguments: list[str]
    folder: str
    environment: dict[bytes, bytes]


class Asking(NamedTuple):
    """Who is at the other end of a socket, as the kernel says."""

    user: int
    group: int
    groups: list[int]

    @classmethod
    def of(cls, connection: socket.socket) -> Asking:
        _pid, user, group = struct.unpack("3i", connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
        groups = array.array("I")
        groups.frombytes(connection.getsockopt(socket.SOL_SOCKET, SO_PEERGROUPS, 4 << 8))
        return cls(user, group, list(groups))

    def become(self) -> None:
        """From here on this process is that user's; there is no way back."""
        if self.user != os.geteuid():
            os.setgroups(self.groups)
            os.setresgid(self.group, self.group, self.group)
            os.setresuid(self.user, self.user, self.user)


class Forked(NamedTuple):
    """A process that runs for a launcher. I(ended): a descriptor that can be read once it has ended."""

    pid: int
    ended: int
    launcher: socket.socket


def wait(address: str, while_stdin: bool, for_everybody: bool, also: Sequence[str]) -> None:
    """Wait for launchers, with the modules I(also) imported as well.

    If I(while_stdin), until standard input ends; if I(for_everybody), for those of other users too.
    """
    del sys.path[0]  # this script's folder
    if not _import(["ansible"]):
        package = sys.modules["ansible"]
        if not package.__file__:  # there is no more of it than module_utils, some of which ask for it
            package.__file__ = os.path.join(package.__path__[0], "__init__.py")
    lacking = _import([*IMPORTED, *also])
    if "ansible.module_utils" in sys.modules:  # not in an application's interpreter
        for name in ("ansible", "ansible.module_utils"):
            sys.modules[name].__path__ = PackedFirst(name, sys.modules[name].__path__)
    gc.collect()
    gc.freeze()
    listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    os.umask(0 if for_everybody else 0o077)
    listening.bind(address)
    os.umask(0o022)
    listening.listen(64)
    print("ready", flush=True)
    selector = selectors.DefaultSelector()
    selector.register(listening, selectors.EVENT_READ)
    if while_stdin:
        selector.register(0, selectors.EVENT_READ)
    while True:
        for key, _events in selector.select():
            if key.fileobj == 0:
                return
            if key.fileobj is listening:
                lacking = _import(lacking)  # what a package has brought since
                _begin(listening, selector)
            elif key.fd in selector.get_map():
                _end(key.data, selector)


def _import(names: Iterable[str]) -> list[str]:
    """Import them; those that are not there."""
    lacking = []
    for name in names:
        try:
            importlib.import_module(name)
        except ImportError:
            lacking.append(name)
    return lacking


def _begin(listening: socket.socket, selector: selectors.BaseSelector) -> None:
    """Fork for the next launcher."""
    connection, _ = listening.accept()
    size, ancillary, _flags, _address = connection.recvmsg(4, socket.CMSG_SPACE(STREAMS * 4))
    streams = array.array("i")
    for _level, _type, data in ancillary:
        streams.frombytes(data)
    text = bytearray()
    while len(text) < int.from_bytes(size, "big"):
        piece = connection.recv(1 << 20)
        if not piece:  # the launcher was killed meanwhile
            break
        text += piece
    if len(streams) < STREAMS or len(text) < int.from_bytes(size, "big"):
        for stream in streams:
            os.close(stream)
        connection.close()
        return
    asking = Asking.of(connection)
    pid = os.fork()
    if pid == 0:
        for place, stream in enumerate(streams):
            os.dup2(stream, place)
        # None of the objects that they belong to is ever closed: this process ends without that.
        connection.detach()
        os.closerange(STREAMS, max(streams) + max(selector.get_map()) + 2)
        _run(Given(*marshal.loads(text)), asking)
    for stream in streams:
        os.close(stream)
    forked = Forked(pid, os.pidfd_open(pid), connection)
    selector.register(forked.ended, selectors.EVENT_READ, forked)
    selector.register(forked.launcher, selectors.EVENT_READ, forked)


def _end(forked: Forked, selector: selectors.BaseSelector) -> None:
    """The process has ended; or its launcher has, and without that it may not go on."""
    pid, status = os.waitpid(forked.pid, os.WNOHANG)
    if not pid:
        os.kill(forked.pid, signal.SIGKILL)
        _, status = os.waitpid(forked.pid, 0)
    with contextlib.suppress(OSError):
        forked.launcher.sendall(os.waitstatus_to_exitcode(status).to_bytes(4, "big", signed=True))
    for watched in (forked.ended, forked.launcher):
        selector.unregister(watched)
    os.close(forked.ended)
    forked.launcher.close()


def _run(given: Given, asking: Asking) -> NoReturn:
    """Do in this process what Python does when it is started so, by that user."""
    os.setsid()
    os.environ.clear()
    os.environb.update(given.environment)
    os.chdir(given.folder)
    asking.become()
    sys.dont_write_bytecode = bool(given.environment.get(b"PYTHONDONTWRITEBYTECODE"))
    if given.arguments and given.arguments[0].startswith("-") and given.arguments[0] not in ("-c", "-m"):
        os.execv(sys.executable, [sys.executable, *given.arguments])
    status = 1
    try:
        _execute(given.arguments)
        status = 0
    except SystemExit as exit_:
        status = exit_.code if isinstance(exit_.code, int) else int(exit_.code is not None)
        if not isinstance(exit_.code, (int, type(None))):
            print(exit_.code, file=sys.stderr)
    except BaseException:
        traceback.print_exc()
    finally:
        threading._shutdown()  # type: ignore[attr-defined]
        atexit._run_exitfuncs()
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(OSError, ValueError):
                stream.flush()
        os._exit(status)


def _execute(arguments: list[str]) -> None:
    """Run what Python does with these arguments: a module, a file, or the program that it is given."""
    if arguments[:1] == ["-m"]:
        sys.argv = arguments[1:]
        sys.path.insert(0, os.getcwd())
        runpy.run_module(arguments[1], run_name="__main__", alter_sys=True)
        return
    program = types.ModuleType("__main__")
    sys.argv = arguments or [""]
    if not arguments:
        place, source = "<stdin>", sys.stdin.buffer.read()
    elif arguments[0] == "-c":
        sys.argv = ["-c", *arguments[2:]]
        place, source = "<string>", arguments[1].encode()
    else:
        place = program.__file__ = arguments[0]
        source = Path(place).read_bytes()
    sys.path.insert(0, os.path.dirname(place))
    sys.modules["__main__"] = program
    exec(compile(source, place, "exec"), program.__dict__)


def main(command: str, *arguments: str) -> None:
    if command == "wait":
        address, *words = arguments
        also = [word for word in words if word not in ("while-stdin", "for-everybody")]
        wait(address, "while-stdin" in words, "for-everybody" in words, also)
    elif command == "launcher":
        python, address = arguments
        print(LAUNCHER.format(python=python, address=address), end="")
    else:
        sys.exit(f"wait or launcher, not {command}")


if __name__ == "__main__":
    main(*sys.argv[1:])
