"""Play the delivery on this machine, with visitors: `make rehearse`.

It needs a Docker engine, or Debian and root. Each scene is a deployment, good or broken. It passes when it ends as the
list says, names its one cause, and no visitor meets a failed request. With --env, the scenes that need no emulator are
played on that environment's account, under a throwaway name.
"""

from __future__ import annotations

import shutil
import signal
import sys
import time
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import click

from tests.emulator import CallError

from . import real, report
from .account import ROOT, SetupError, prepared
from .clone import Clone, git, sources
from .scenes import SCENES
from .stage import Played, Scene, Stage

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from contextlib import AbstractContextManager

BUILD = ROOT / "build"
LOGS, RESULT = BUILD / "rehearsal", BUILD / "rehearsal.json"
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@click.command(help=__doc__)
@click.argument("chosen", metavar="[SCENE]...", nargs=-1)
@click.option("--list", "listed", is_flag=True, help="List the scenes, and play none.")
@click.option("--short", is_flag=True, help="Play the most telling scenes only.")
@click.option("--env", metavar="NAME", help="Play on the account of this environment of delivery.toml. It costs.")
@click.option("--yes", is_flag=True, help="With --env: do not ask for confirmation.")
def main(chosen: tuple[str, ...], listed: bool, short: bool, env: str | None, yes: bool) -> None:
    """Play the scenes. Exits 0 if every scene passes, 1 otherwise."""
    scenes = _chosen(chosen, short)
    if env is not None:
        scenes = [scene for scene in scenes if scene.name in real.SCENES]
        if not scenes:
            raise click.UsageError(f"On an account these scenes can be played: {', '.join(real.SCENES)}.")
    if listed:
        for scene in scenes:
            click.echo(f"{SCENES.index(scene) + 1:>2}  {scene.slug:<26} {scene.expected}")
        return
    for number in SIGNALS:
        signal.signal(number, _end)
    try:
        if git("status", "--porcelain", cwd=ROOT):
            click.secho("Changes that are not committed are not played.", fg="yellow", err=True)
        played = (Rehearsal() if env is None else _on_account(env, yes)).play(scenes)
    except (SetupError, CallError, AssertionError) as error:
        raise click.ClickException(str(error)) from None
    except KeyboardInterrupt:
        click.echo("\nInterrupted; everything that was started has been removed.", err=True)
        sys.exit(130)
    sys.exit(0 if all(scene.passed for scene in played) else 1)


def _on_account(name: str, yes: bool) -> Rehearsal:
    """Return a rehearsal on an environment's account, once a yes was typed below its cost. Raises SetupError."""
    environment = real.environment(name)
    where = f"the account {environment.account}" if environment.account else "the account of your credentials"
    click.echo(f"This makes all stacks in {where}, plays scenes there, and deletes them. It costs {real.cost()}.")
    if not yes and click.prompt("Type yes to go on", default="", show_default=False) != "yes":
        raise SetupError("That is not yes. Nothing was called.")
    return Rehearsal(partial(real.prepared, environment), real.PersonsClone, real.NOT_REHEARSED)


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

    def __init__(
        self,
        prepare: Callable[[Path, Path, Callable[[str], None]], AbstractContextManager[Any]] = prepared,
        clone: type[Clone] = Clone,
        not_rehearsed: Mapping[str, str] = report.NOT_REHEARSED,
    ) -> None:
        self._prepare_account, self._clone, self._not_rehearsed = prepare, clone, not_rehearsed
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
                report.write(RESULT, self._played, self._first, self._seconds(), self._not_rehearsed)
                click.echo("\n".join(["", *report.table(self._played, shutil.get_terminal_size((160, 0)).columns)]))
        click.echo(f"\nNot rehearsed, as build/rehearsal.json explains: {'; '.join(self._not_rehearsed)}.")
        return self._played

    def _play(self, scenes: list[Scene], folder: Path) -> None:
        with self._prepare_account(sources(folder), LOGS, self._tell) as account:
            clone = self._clone(account, LOGS, self._tell)
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
