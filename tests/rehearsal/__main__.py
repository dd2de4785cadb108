"""Play the delivery on this machine, with visitors: `make rehearse`.

It needs a Docker engine, or Debian and root. Each scene is a deployment, good or broken. It passes when it ends as the
list says, names its one cause, and no visitor meets a failed request.
"""

from __future__ import annotations

import shutil
import signal
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import click

from tests.emulator import CallError

from . import report
from .account import ROOT, SetupError, prepared
from .clone import Clone, git, sources
from .scenes import SCENES
from .stage import Played, Scene, Stage

BUILD = ROOT / "build"
LOGS, RESULT = BUILD / "rehearsal", BUILD / "rehearsal.json"
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@click.command(help=__doc__)
@click.argument("chosen", metavar="[SCENE]...", nargs=-1)
@click.option("--list", "listed", is_flag=True, help="List the scenes, and play none.")
@click.option("--short", is_flag=True, help="Play the most telling scenes only.")
def main(chosen: tuple[str, ...], listed: bool, short: bool) -> None:
    """Play the scenes. Exits 0 if every scene passes, 1 otherwise."""
    scenes = _chosen(chosen, short)
    if listed:
        for scene in scenes:
            click.echo(f"{SCENES.index(scene) + 1:>2}  {scene.slug:<26} {scene.expected}")
        return
    for number in SIGNALS:
        signal.signal(number, _end)
    try:
        if git("status", "--porcelain", cwd=ROOT):
            click.secho("Changes that are not committed are not played.", fg="yellow", err=True)
        played = Rehearsal().play(scenes)
    except (SetupError, CallError, AssertionError) as error:
        raise click.ClickException(str(error)) from None
    except KeyboardInterrupt:
        click.echo("\nInterrupted; everything that was started has been removed.", err=True)
        sys.exit(130)
    sys.exit(0 if all(scene.passed for scene in played) else 1)


def _end(_number: int, _frame: object) -> None:
    _ignore_signals()
    raise KeyboardInterrupt


def _ignore_signals() -> None:
    """Let the clean-up finish: it takes some seconds, and everything that was started has to be removed."""
    for number in SIGNALS:
        signal.signal(number, signal.SIG_IGN)


def _chosen(wanted: tuple[str, ...], short: bool) -> list[Scene]:
    """Return scenes by their numbers or names, in their order. Raises UsageError for an unknown one."""
    known = {name: scene for number, scene in enumerate(SCENES, 1) for name in (str(number), scene.slug)}
    for one in wanted:
        if one not in known:
            raise click.UsageError(f"There is no scene {one!r}: --list lists them, by number and name.")
    picked = [known[one] for one in wanted]
    return [scene for scene in SCENES if (scene in picked if wanted else scene.short or not short)]


class Rehearsal:
    """One run: the account prepared, the scenes played, everything removed."""

    def __init__(self) -> None:
        self._began = time.monotonic()
        self._played: list[Played] = []
        self._first = 0.0
        shutil.rmtree(LOGS, ignore_errors=True)
        LOGS.mkdir(parents=True)
        RESULT.unlink(missing_ok=True)

    def play(self, scenes: list[Scene]) -> list[Played]:
        """Play scenes, print each one's result, and write them all, even of a run cut short. Raises SetupError."""
        try:
            with TemporaryDirectory(prefix="rehearsal-") as folder:
                self._play(scenes, Path(folder))
        finally:
            if self._played:
                report.write(RESULT, self._played, self._first, self._seconds())
                click.echo("\n".join(["", *report.table(self._played, shutil.get_terminal_size((160, 0)).columns)]))
        click.echo(f"\nNot rehearsed, as build/rehearsal.json explains: {'; '.join(report.NOT_REHEARSED)}.")
        return self._played

    def _play(self, scenes: list[Scene], folder: Path) -> None:
        with prepared(sources(folder), LOGS, self._tell) as account:
            clone = Clone(account, LOGS, self._tell)
            try:
                stage = Stage(account, clone)
                self._first = self._seconds()
                self._tell("the account is prepared")
                for scene in scenes:
                    self._prepare(stage, scene)
                    self._played.append(self._one(stage, scene))
            finally:
                _ignore_signals()
                self._tell("cleaning up")
                clone.close()

    def _prepare(self, stage: Stage, scene: Scene) -> None:
        """Release as often as a scene needs releases that were live before it."""
        while len(stage.released) < scene.needs:
            stage.clone.scene = "preparation"
            self._tell("prepare: a release")
            try:
                code = stage.release("Have something to start from").code
                assert not code, f"deploy ended with {code}"
            except AssertionError as error:
                log = LOGS / "preparation.log"
                raise SetupError(f"The release to start from failed: {error}. {log} says why.") from None

    def _one(self, stage: Stage, scene: Scene) -> Played:
        number = SCENES.index(scene) + 1
        stage.clone.scene = f"{number:02}-{scene.slug}"
        self._tell(f"scene {number}: {scene.name}", bold=True)
        result = scene.played(stage)
        words = f"{result.outcome}{f': {result.diagnosis}' if result.diagnosis else ''}"
        self._tell(f"{'ok' if result.passed else 'NO'}: {words}", fg="green" if result.passed else "red")
        for problem in result.problems:
            self._tell(f"  {problem}", fg="red")
        return result

    def _tell(self, text: str, **style: object) -> None:
        click.echo(f"{self._seconds():7.1f} s  {click.style(text, **style)}")  # type: ignore[arg-type]

    def _seconds(self) -> float:
        return round(time.monotonic() - self._began, 1)


if __name__ == "__main__":
    main()
