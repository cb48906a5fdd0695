# SPDX-FileCopyrightText: 2026 The mcps.postgres authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The PostgreSQL database that a module works with; mirrors target_spec of module_utils/_argspec.py."""

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  login_host:
    description:
      - Host name or address of the PostgreSQL server, or the folder of its Unix socket (a path that begins with V(/)).
      - Empty means the client library's own default, usually the local Unix socket.
    type: str
    default: ""
  login_port:
    description:
      - Port of the PostgreSQL server. With a Unix socket it is part of the socket's name.
    type: int
    default: 5432
  login_user:
    description:
      - Role to log in as. Without it the client library decides, usually by the name of the operating system's user.
    type: str
  login_password:
    description:
      - Password of O(login_user). Any character is allowed; it is never written to a log, a diff, a command line or
        a file.
      - Without it the client library decides, by C(PGPASSWORD) or the password file.
    type: str
  login_db:
    description:
      - Name of the database.
    type: str
    required: true
  ssl_mode:
    description:
      - How the connection is encrypted and the server checked, in libpq's words.
      - When it is not given, V(verify-full) is used for every host but the local ones. V(prefer) is used when
        O(login_host) is empty, a socket folder or a loopback address.
    type: str
    choices:
      - disable
      - allow
      - prefer
      - require
      - verify-ca
      - verify-full
  ca_cert:
    description:
      - File with the certificates of the authorities that may have signed the server's certificate (PEM).
      - Needed by V(verify-ca) and V(verify-full) of O(ssl_mode), unless libpq's own default file is there.
    type: path
  ssl_cert:
    description:
      - File with the client's certificate (PEM), for servers that ask for one.
    type: path
  ssl_key:
    description:
      - File with the private key that belongs to O(ssl_cert) (PEM).
    type: path
  target_schema:
    description:
      - Schema that holds the application's tables.
    type: str
    default: public
"""

    # Used after the standard fragment by modules which can do without a database.
    OPTIONAL = r"""
options:
  login_db:
    description:
      - Name of the database. Without it no target is contacted.
    type: str
    required: false
"""
