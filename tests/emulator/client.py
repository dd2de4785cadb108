"""Calls AWS's API for the tests: a line of JSON in, a line of JSON out. It runs beside the emulator, where botocore is
installed.

[SERVICE, OPERATION, ARGUMENTS, CREDENTIALS or null]  ->  {"answer": …} or {"error": CODE, "message": …}
"""

from __future__ import annotations

import base64
import json
import sys
from functools import cache
from typing import Any

import botocore.session
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from botocore.response import StreamingBody


@cache
def client(service: str, credentials: tuple[str, ...]) -> Any:
    session = botocore.session.get_session()
    key, secret, token = credentials
    return session.create_client(
        service,
        aws_access_key_id=key,
        aws_secret_access_key=secret,
        aws_session_token=token or None,
        config=Config(retries={"max_attempts": 0}, parameter_validation=True),
    )


def plain(value: Any) -> Any:
    if isinstance(value, StreamingBody):
        return value.read().decode()
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    return value.timestamp()


def main() -> None:
    for line in sys.stdin:
        service, operation, arguments, credentials = json.loads(line)
        try:
            answer = getattr(client(service, tuple(credentials)), operation)(**arguments)
            answer.pop("ResponseMetadata", None)
            result = {"answer": answer}
        except ClientError as error:
            result = {"error": error.response["Error"]["Code"], "message": error.response["Error"]["Message"]}
        except BotoCoreError as error:
            result = {"error": type(error).__name__, "message": str(error)}
        print(json.dumps(result, default=plain), flush=True)


if __name__ == "__main__":
    main()
