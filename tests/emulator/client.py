"""A program that calls AWS's API for tests: a line of JSON in, a line of JSON out. It needs botocore.

[SERVICE, OPERATION, ARGUMENTS, CREDENTIALS]  ->  {"answer": …} or {"error": CODE, "message": …}
"""

from __future__ import annotations

import base64
import json
import sys
from functools import cache
from typing import TYPE_CHECKING, Any

import botocore.session
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from botocore.response import StreamingBody

if TYPE_CHECKING:
    from collections.abc import Callable


@cache
def client(service: str, credentials: tuple[str, ...]) -> Any:
    names = ("aws_access_key_id", "aws_secret_access_key", "aws_session_token")
    keys = {name: value or None for name, value in zip(names, credentials, strict=True)}
    config = Config(retries={"max_attempts": 0}, parameter_validation=True)
    return botocore.session.get_session().create_client(service, config=config, **keys)


def plain(value: Any) -> Any:
    """Return a value of an answer as JSON can hold it."""
    if isinstance(value, StreamingBody):
        return value.read().decode()
    return base64.b64encode(value).decode() if isinstance(value, bytes) else value.timestamp()


def answered(line: str) -> dict[str, Any]:
    """Return the line that answers one, as a mapping."""
    service, operation, arguments, credentials = json.loads(line)
    try:
        answer = getattr(client(service, tuple(credentials)), operation)(**arguments)
    except ClientError as error:
        return {"error": error.response["Error"]["Code"], "message": error.response["Error"]["Message"]}
    except BotoCoreError as error:
        return {"error": type(error).__name__, "message": str(error)}
    answer.pop("ResponseMetadata", None)
    return {"answer": answer}


def main(answer: Callable[[str], dict[str, Any]] = answered) -> None:
    """Answer each line of the input."""
    for line in sys.stdin:
        print(json.dumps(answer(line), default=plain), flush=True)


if __name__ == "__main__":
    main()
