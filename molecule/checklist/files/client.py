# SPDX-FileCopyrightText: 2026 The mcps.postgres authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A client of the application on another machine: client.py URL NAME FILE

Writes a post five times a second until it is stopped, and notes of each what became of it, a line of JSON: its number, when it
began and ended, and the HTTP status, or none and the error.
"""

import json
import sys
import time
import urllib.error
import urllib.request


def main(url, name, file):
    number = 0
    with open(file, "a", encoding="utf-8", buffering=1) as log:
        while True:
            began = time.time()
            said = {"number": number, "began": began, **ask(url, f"{name}-{number}")}
            print(json.dumps({**said, "ended": time.time()}), file=log)
            number += 1
            time.sleep(max(0.0, began + 0.2 - time.time()))


def ask(url, identity):
    post = {
        "platform": "twitter",
        "post_id": identity,
        "content": "A client was here.",
        "url": f"https://client.example/{identity}",
        "published_at": "2020-01-01T00:00:00",
    }
    request = urllib.request.Request(f"{url}/posts", json.dumps(post).encode(), {"content-type": "application/json"})
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            answer.read()
            return {"status": answer.status, "error": None}
    except urllib.error.HTTPError as error:
        return {"status": error.code, "error": error.read().decode()}
    except OSError as error:
        return {"status": None, "error": str(error)}


if __name__ == "__main__":
    main(*sys.argv[1:])
