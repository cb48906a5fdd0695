# SPDX-FileCopyrightText: 2026 The mcps.postgres authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Feeds of social platforms on this machine. Each grows by an item every second, from 20 at its start."""

import json
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlparse

STARTED = time.time() - 20


def item(platform, number):
    return {
        "id": f"{platform}-{number}",
        "title": f"Post {number} of {platform}",
        "content": f"What {platform} says about servers, part {number}",
        "author": "ann",
        "url": f"https://{platform}.example/{number}",
        "published_at": f"2026-01-{number % 28 + 1:02d}T10:00:00+02:00",
        "hashtags": ["mcp", platform],
        "score": number,
    }


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        url = urlparse(self.path)
        platform = url.path.strip("/")
        query = parse_qs(url.query, keep_blank_values=True)
        begin = int(query["after"][0].rpartition("-")[2] or -1) + 1
        end = min(begin + int(query["limit"][0]), int(time.time() - STARTED))
        items = [item(platform, number) for number in range(begin, end)]
        more = end < int(time.time() - STARTED)
        body = json.dumps({"items": items, "next": items[-1]["id"] if items and more else None}).encode()
        self.send_response(200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_arguments):
        pass


if __name__ == "__main__":
    sys.exit(ThreadingHTTPServer(("127.0.0.1", 8100), Handler).serve_forever())
