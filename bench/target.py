# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""Runs on the lab's host: a target with one metric on the loopback port that is the only argument."""

import sys
from http.server import BaseHTTPRequestHandler, HTTPServer


class Handler(BaseHTTPRequestHandler):
    """Answers every request with one sample."""

    def do_GET(self) -> None:
        """Prometheus' text format."""
        self.send_response(200)
        self.send_header("Content-Type", "text/plain; version=0.0.4")
        self.end_headers()
        self.wfile.write(b"bench_target 1\n")

    def log_message(self, *_: object) -> None:
        """Nothing in the journal."""


HTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
