"""A command of the delivery or of the pipeline, from its start to its result."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from contextlib import suppress
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

from delivery.deployment.outcomes import Outcome

if TYPE_CHECKING:
    from collections.abc import Mapping

LONGEST = 900.0  # seconds that a command may take


@dataclass(frozen=True)
class Ended:
    """A command that has ended: its exit code, its output, and its receipt when it wrote one."""

    code: int
    said: str
    receipt: dict[str, Any] | None

    @property
    def diagnosis(self) -> str | None:
        """The one cause that it named, None for none."""
        if self.receipt and self.receipt["diagnosis"]:
            return str(self.receipt["diagnosis"]["sentence"])
        outcome = next((outcome for outcome in Outcome if outcome.code == self.code), None)
        if outcome in (None, Outcome.LIVE):
            return None
        lines = self.said.splitlines()
        heading = f"{outcome.title.capitalize()}: {outcome.meaning}."
        return next((below for line, below in pairwise(lines) if line == heading), None)

    @property
    def seconds(self) -> float | None:
        """The time from the call that changes the service to the proof or the rollback; None without such a call."""
        steps = self.receipt["seconds"] if self.receipt else {}
        return round(steps["rollout"] + steps.get("proof", 0.0), 1) if "rollout" in steps else None


class Command:
    """A command that runs. Its output goes to a file."""

    def __init__(self, words: tuple[str, ...], folder: Path, variables: Mapping[str, str], log: Path) -> None:
        self._receipt, self._log = folder / "build/receipt.json", log
        self._receipt.unlink(missing_ok=True)
        with log.open("a") as written:
            self._began = written.tell()
            written.write(f"$ {' '.join(words)}\n")
            written.flush()
            self.process = subprocess.Popen(
                words, cwd=folder, env=dict(variables), stdout=written, stderr=written, process_group=0
            )

    def said(self) -> str:
        """Return its output so far."""
        with self._log.open() as written:
            written.seek(self._began)
            return written.read()

    def until_it_says(self, text: str) -> None:
        """Wait for a text. Raises AssertionError when the command ends without it, or takes too long."""
        until = time.monotonic() + LONGEST
        while text not in self.said():
            assert self.process.poll() is None, f"it never said {text!r}"
            assert time.monotonic() < until, f"it did not say {text!r} within {LONGEST:g} seconds"
            time.sleep(0.1)

    def end(self) -> Ended:
        """Wait for its end. Raises AssertionError when it takes too long."""
        try:
            code = self.process.wait(LONGEST)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"it did not end within {LONGEST:g} seconds") from None
        receipt = json.loads(self._receipt.read_text()) if self._receipt.exists() else None
        return Ended(code, self.said(), receipt)

    def cancel(self) -> None:
        """End each of its processes during a call to AWS, the newest first, as GitLab's Cancel does."""
        until = time.monotonic() + LONGEST
        while "aws" not in map(_name, family := _family(self.process.pid)):
            assert self.process.poll() is None, "it made no more call"
            assert time.monotonic() < until, f"it made no call within {LONGEST:g} seconds"
            time.sleep(0.01)
        for process in sorted(family, reverse=True):
            with suppress(ProcessLookupError):
                os.kill(process, signal.SIGTERM)

    def stop(self) -> None:
        """End its whole process group: first as Ctrl-C does, so that it can clean up, then by force."""
        for number, patience in ((signal.SIGINT, 40), (signal.SIGTERM, 10), (signal.SIGKILL, 10)):
            with suppress(ProcessLookupError):
                os.killpg(self.process.pid, number)
            with suppress(subprocess.TimeoutExpired):
                self.process.wait(patience)
                # Its children may outlive it, so the group gets one more signal.
                if number != signal.SIGINT:
                    return


def _family(process: int) -> list[int]:
    """Return a process and those that it and its children have started (proc(5), `children`)."""
    try:
        children = Path(f"/proc/{process}/task/{process}/children").read_text().split()
    except OSError:  # it has ended
        return []
    return [process, *(each for child in children for each in _family(int(child)))]


def _name(process: int) -> str:
    try:
        return Path(f"/proc/{process}/comm").read_text().strip()
    except OSError:
        return ""
