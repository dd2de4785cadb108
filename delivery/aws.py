"""Calls to AWS by its own command line: printed before they are made, answered in JSON."""

from __future__ import annotations

import json
from typing import Any

from . import shell


def call(service: str, action: str, *arguments: str, quiet: bool = False) -> Any:
    """Return AWS's answer to a call, None when it says nothing. Raises shell.CommandError.

    A `quiet` one, such as a question that is asked over and over, is not printed.
    """
    answer = shell.output(
        *("aws", service, action, *arguments, "--output", "json"),
        env={"AWS_PAGER": ""},  # version 2 of the command line would show long answers in one
        quiet=quiet,
    )
    return json.loads(answer) if answer.strip() else None
