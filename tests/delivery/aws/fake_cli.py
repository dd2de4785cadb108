"""A stand-in for the program `aws`: it hands its arguments to the test, which answers as AWS does.

Its answers are held against AWS's own models, those of the aws CLI, wherever that is installed.
"""

from __future__ import annotations

import contextlib
import functools
import json
import shlex
import signal
import socketserver
import subprocess
import sys
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

Json = dict[str, Any]
Call = tuple[str, str]
RUN = subprocess.run
VERSION = "aws-cli/2.36.17 Python/3.14.8 a-fake\n"

# A shell starts it, for there may be a space in the path of the Python.
PROGRAM = """#!/bin/sh
'''exec' {python} -IS "$0" "$@"
' '''
import json, os, socket, sys
with socket.socket(socket.AF_UNIX) as connection:
    connection.connect({address!r})
    said = {{"arguments": sys.argv[1:], "environment": dict(os.environ), "process": os.getpid()}}
    connection.sendall(json.dumps(said).encode() + b"\\n")
    answer = json.loads(connection.makefile().readline())
sys.stdout.write(answer["output"])
sys.stderr.write(answer["errors"])
sys.exit(answer["code"])
"""


@dataclass
class Fault(Exception):
    """An answer that refuses: AWS's code and sentence."""

    code: str
    said: str = "it is so"


class Broken(Exception):
    """The CLI itself fails, before AWS says anything. The message is what it writes."""


def options(words: list[str]) -> Json:
    """Return the options of a command line: a string, a list of several, or True; the other words are under ""."""
    found: Json = {}
    name = ""
    for word in words:
        if word.startswith("--"):
            name = word[2:]
            found[name] = True
        else:
            known = found.get(name)
            found[name] = word if known in (None, True) else [*([known] if isinstance(known, str) else known), word]
    return found


def writes(call: str) -> bool:
    """Tell whether a call, as `service operation`, changes something."""
    return call.split()[1].startswith(("put-", "register-", "run-", "stop-", "update-"))


@dataclass(frozen=True)
class Fate:
    """The fate of a call: how often AWS receives it, whether its answer is lost, and what happens then.

    `then` is given the process of the command, None where there is none. The CLI repeats a call whose answer was lost,
    and returns the answer to the second.
    """

    received: int = 1
    lost: str = ""
    killed: bool = False
    then: Callable[[int | None], None] = lambda _: None


class Program:
    """The program `aws` in a folder. `answer` is called with a service, an operation and its options.

    `fates` are keyed by the number of the call, or by its operation.
    """

    def __init__(self, folder: Path, answer: Callable[[str, str, Json], Json | str | None]) -> None:
        self.calls: list[list[str]] = []
        self.fates: dict[int | str, Fate] = {}
        self.environments: list[dict[str, str]] = []
        self._answer = answer
        outer = self

        class Handler(socketserver.StreamRequestHandler):
            def handle(self) -> None:
                said = json.loads(self.rfile.readline())
                answer = outer.handle(said["arguments"], said["environment"], said["process"])
                with contextlib.suppress(BrokenPipeError):  # of a command that was killed meanwhile
                    self.wfile.write(json.dumps(answer).encode() + b"\n")

        address = str(folder / "socket")
        self._server = socketserver.ThreadingUnixStreamServer(address, Handler)
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        self.path = folder / "aws"
        self.path.write_text(PROGRAM.format(python=shlex.quote(sys.executable), address=address))
        self.path.chmod(0o755)

    def run(self, command: tuple[str, ...], **options: Any) -> subprocess.CompletedProcess[str]:
        """Run a command as subprocess.run does, but `aws` without a process of its own, which is slow."""
        if Path(command[0]).name != "aws":
            return RUN(command, **options)
        said = self.handle(list(command[1:]), options.get("env", {}))
        return subprocess.CompletedProcess(command, said["code"], said["output"], said["errors"])

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def handle(self, words: list[str], environment: dict[str, str], process: int | None = None) -> Json:
        """Return what the program writes and ends with."""
        if words == ["--version"]:
            return {"output": VERSION, "errors": "", "code": 0}
        fate = self.fates.get(len(self.calls)) or self.fates.pop(words[1], Fate())
        self.calls.append(words)
        self.environments.append(environment)
        said = {"output": "", "errors": "", "code": 0}
        for _ in range(fate.received):
            said = self._reply(words)
        fate.then(process)
        if fate.killed:
            return {"output": "", "errors": "", "code": -signal.SIGTERM}
        return {"output": "", "errors": f"\n{fate.lost}\n", "code": 255} if fate.lost else said

    def _reply(self, words: list[str]) -> Json:
        service, operation = words[0], words[1]
        try:
            said = self._answer(service, operation, options(words[2:]))
            if isinstance(said, dict):
                hold_against_model(service, operation, said)
        except Fault as fault:
            name = "".join(word.title() for word in operation.split("-"))
            text = f"\nAn error occurred ({fault.code}) when calling the {name} operation: {fault.said}\n"
            return {"output": "", "errors": text, "code": 254}
        except Broken as broken:
            return {"output": "", "errors": f"\n{broken}\n", "code": 255}
        except Exception as error:
            return {"output": "", "errors": f"the fake itself failed: {error!r}\n", "code": 99}
        output = "" if said is None else said if isinstance(said, str) else json.dumps(said)
        return {"output": output, "errors": "", "code": 0}


@functools.cache
def _loader() -> Any:
    try:
        from awscli.botocore.loaders import Loader
    except ImportError:
        return None
    return Loader()


@functools.cache
def model(service: str) -> Any:
    """Return AWS's own model of a service, None where the aws CLI is not installed."""
    if _loader() is None:
        return None
    from awscli.botocore.model import ServiceModel

    name = {"s3api": "s3"}.get(service, service)
    return ServiceModel(_loader().load_service_model(name, "service-2"), name)


@functools.cache
def _operations(service: str) -> dict[str, str]:
    from awscli.botocore import xform_name

    return {xform_name(name, "-"): name for name in model(service).operation_names}


def operation_model(service: str, operation: str) -> Any:
    """Return AWS's own model of an operation, by its name on the command line."""
    return model(service).operation_model(_operations(service)[operation])


def shape_errors(service: str, operation: str, said: Json, *, side: str = "output") -> str:
    """Return the differences of a request or an answer from the model, "" for none."""
    from awscli.botocore.validate import ParamValidator

    described = operation_model(service, operation)
    shape = described.output_shape if side == "output" else described.input_shape
    report = ParamValidator().validate(said, shape)
    return str(report.generate_report())


def hold_against_model(service: str, operation: str, said: Json, *, side: str = "output") -> None:
    """Raise ValueError for an answer that AWS could not give, or a request that it would not take."""
    if model(service) is not None and said:
        errors = shape_errors(service, operation, said, side=side)
        if errors:
            raise ValueError(f"{service} {operation}: {errors}")


def member_errors(service: str, shape: str, said: Json) -> str:
    """Return the differences of a part of an answer from the model, "" for none."""
    from awscli.botocore.validate import ParamValidator

    report = ParamValidator().validate(said, model(service).shape_for(shape))
    return str(report.generate_report())
