"""Start the emulator. It prints its URL when it is ready, and removes all that it made when it ends."""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
import re
import signal
import socket
import sys
import threading
from urllib.parse import urlsplit

from . import upstream
from .interface import WRONG_ANSWERS


def main() -> int:
    """Serve until SIGTERM or Ctrl-C. Return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m tests.emulator", description=__doc__)
    parser.add_argument("--port", type=int, default=0, help="of the API; by default a free one")
    parser.add_argument("--region", default="eu-central-1", help="which is of a partition, as cn-north-1 of aws-cn")
    parser.add_argument("--account", default="123456789012", type=_account)
    parser.add_argument("--awkward", nargs="+", default=[], metavar="FAULT", help="of AWS itself: README.md lists them")
    parser.add_argument("--scripted", action="store_true", help="tasks are no containers, and need no engine")
    parser.add_argument("--pace", type=_pace, default=10.0, help="how many times faster AWS's own waits pass (10)")
    parser.add_argument("--database", type=_database, help="URL of a PostgreSQL server that stands for RDS's")
    parser.add_argument("--until-input-ends", action="store_true", help="end with the standard input")
    wanted = parser.parse_args()
    logging.basicConfig(level=logging.WARNING, format="%(name)s: %(message)s", stream=sys.stderr)
    port = _port(wanted.port)
    if port is None:
        print(f"Port {wanted.port} of 127.0.0.1 is taken.", file=sys.stderr)
        return 2
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    if wanted.until_input_ends:
        threading.Thread(target=_end_with_input, daemon=True).start()
    try:
        upstream.check()
        upstream.settle(port, wanted.region, wanted.account)
        from .awkward import UnknownKindError
        from .engine import Engine, EngineError
        from .scripted_engine import ScriptedEngine
        from .server import Server
    except upstream.VersionError as error:
        print(error, file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 0
    try:
        engine = ScriptedEngine() if wanted.scripted else Engine(str(port))
    except EngineError as error:
        print(f"The emulator runs tasks as containers, and {error}", file=sys.stderr)
        return 2
    server = None
    try:
        server = Server(engine, port, wanted.region, wanted.pace, wanted.database)
        server.awkward.set(frozenset(wanted.awkward))
        asyncio.run(server.serve())
    except UnknownKindError as error:
        print(error, file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        pass
    finally:
        for name in (signal.SIGINT, signal.SIGTERM):  # clean up, however many signals come
            signal.signal(name, signal.SIG_IGN)
        if server:
            server.end()
        engine.clean(f"127.0.0.1:{port}")
    return WRONG_ANSWERS if server and server.judge.wrong else 0


def _end_with_input() -> None:
    sys.stdin.read()
    os.kill(os.getpid(), signal.SIGTERM)


def _port(wanted: int) -> int | None:
    """Return the wanted port, or any free one for 0; None when it is taken."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", wanted))
        except OSError:
            return None
        return int(probe.getsockname()[1])


def _pace(text: str) -> float:
    pace = float(text)
    if pace < 1:
        raise argparse.ArgumentTypeError("1 is AWS's own pace, and the slowest")
    return pace


def _account(text: str) -> str:
    if not re.fullmatch(r"\d{12}", text):
        raise argparse.ArgumentTypeError("an account is twelve digits")
    return text


def _database(text: str) -> str:
    if not urlsplit(text).hostname or not text.startswith("postgresql://"):
        raise argparse.ArgumentTypeError("must be a URL such as postgresql://user:password@host:5432/database")
    return text


if __name__ == "__main__":
    sys.exit(main())
