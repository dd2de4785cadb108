"""The metadata service of an EC2 instance, version 2 alone, as far as it gives out the credentials of a role.

https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/instancedata-data-retrieval.html
"""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

CREDENTIALS = "/latest/meta-data/iam/security-credentials/"
TOKEN = "a session of the metadata service"  # noqa: S105 -- it opens nothing


class _Handler(BaseHTTPRequestHandler):
    server: InstanceMetadata

    def do_PUT(self) -> None:
        lasts = self.headers.get("X-aws-ec2-metadata-token-ttl-seconds", "")
        right = self.path == "/latest/api/token" and lasts.isdecimal()
        self._answer(*((200, TOKEN) if right else (400, "")))

    def do_GET(self) -> None:
        if self.headers.get("X-aws-ec2-metadata-token") != TOKEN:
            self._answer(401, "")
        elif self.path == CREDENTIALS:
            self._answer(200, self.server.role)
        elif self.path == CREDENTIALS + self.server.role:
            self._answer(200, json.dumps(self.server.credentials))
        else:
            self._answer(404, "")

    def _answer(self, status: int, text: str) -> None:
        body = text.encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


class InstanceMetadata(ThreadingHTTPServer):
    """The service of an instance that has a role, with the role's credentials as `sts assume-role` gives them."""

    def __init__(self, role: str, credentials: Mapping[str, Any]) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.role = role
        self.credentials = {
            "Code": "Success",
            "Type": "AWS-HMAC",
            "AccessKeyId": credentials["AccessKeyId"],
            "SecretAccessKey": credentials["SecretAccessKey"],
            "Token": credentials["SessionToken"],
            "LastUpdated": "2026-01-01T00:00:00Z",
            "Expiration": "2099-01-01T00:00:00Z",
        }
        self.variables = {"AWS_EC2_METADATA_SERVICE_ENDPOINT": f"http://127.0.0.1:{self.server_port}"}
        threading.Thread(target=self.serve_forever, args=(0.05,)).start()

    def close(self) -> None:
        """Stop it."""
        self.shutdown()
        self.server_close()
