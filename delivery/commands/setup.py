"""Make the virtual environments that the menu's lines need, or mend them; its arguments are groups of requirements.

Each group has a lock, which is installed as it stands. Nothing is resolved, so nothing that an index publishes later
can change an installation. The stamp, which is written last, says what was installed, by which Python, and where: what
does not match is made again.

The Makefile runs this in the repository's folder, by any Python from 3.11 on, before anything is installed; so it
imports only the standard library. Every line of the menu waits for it: what only the making needs is imported there.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable

# fmt: off
RECIPE = [
    "pip", "install", "--quiet", "--disable-pip-version-check",
    "--no-deps", "--require-hashes", "--only-binary", ":all:", "--requirement",
]
# fmt: on
CHECK = ["pip", "check", "--disable-pip-version-check"]

# The rehearsal is by itself, as the emulator binds versions that the tests must not be bound to.
MAIN, REHEARSAL = Path(".venv"), Path("build/rehearsal-venv")
GROUPS = {
    "run": (MAIN, "src/requirements.txt", "the site needs"),
    "test": (MAIN, "tests/requirements.txt", "the tests need"),
    "delivery": (MAIN, "delivery/requirements.txt", "the delivery's steps run"),
    "bench": (MAIN, "bench/requirements.txt", "the benchmark's peers need"),
    "lock": (MAIN, ".ci/requirements.txt", "renews the locks"),
    "rehearsal": (REHEARSAL, "tests/emulator/requirements.txt", "the rehearsal needs"),
}
PYTHON = os.path.realpath(getattr(sys, "_base_executable", sys.executable))


def main(groups: list[str]) -> None:
    """Have the environments of these groups ready. Exits with a sentence where that cannot be."""
    for unknown in set(groups) - set(GROUPS):
        raise SystemExit(f"There is no {unknown} to set up, only {', '.join(GROUPS)}.")
    try:
        for folder in (MAIN, REHEARSAL):
            if wanted := {group for group in groups if GROUPS[group][0] == folder}:
                # What the site needs, everything else in its environment needs too.
                prepare(folder, wanted | {"run"} if folder == MAIN else wanted)
    except OSError as error:
        raise SystemExit(f"{error.filename}: {error.strerror}." if error.filename else str(error)) from None
    except KeyboardInterrupt:
        raise SystemExit(130) from None


def prepare(folder: Path, wanted: set[str]) -> None:
    """Have an environment with these groups in it: make it, mend it, or leave it as it is."""
    stamp = read(folder)
    if not fault(folder, stamp) and not outdated(folder, stamp, wanted):
        return
    held = os.open(".", os.O_RDONLY)
    try:
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            tell(f"Waiting for another make, which sets up {folder} ...")
            fcntl.flock(held, fcntl.LOCK_EX)
        stamp = read(folder)
        if why := fault(folder, stamp):
            if os.path.lexists(folder):
                tell(f"{folder} {why}: making it again.")
            create(folder, held)
            stamp = {}
        if outdated(folder, stamp, wanted):
            install(folder, stamp, wanted, held)
    finally:
        os.close(held)


def read(folder: Path) -> dict[str, Any]:
    """Return an environment's stamp; empty where there is none that can be understood."""
    try:
        stamp = json.loads(folder.joinpath("stamp.json").read_text())
    except (OSError, ValueError):
        return {}
    known = isinstance(stamp, dict) and stamp.keys() == {"where", "python", "locks", "files"}
    return stamp if known else {}


def fault(folder: Path, stamp: dict[str, Any]) -> str:
    """Return why an environment has to be made from nothing; empty where it has not."""
    if not stamp:
        return "was never finished"
    if stamp["where"] != str(folder.absolute()):
        return f"was made in {stamp['where']}"
    version, python = stamp["python"]
    if not os.path.exists(python):
        return f"was made with {python}, which is gone"
    if (version, python) != (sys.version, PYTHON):
        return f"was made with Python {version.split()[0]} ({python}), and this is {sys.version.split()[0]} ({PYTHON})"
    for place, names in stamp["files"].items():
        try:
            lost = set(names).difference(os.listdir(f"{folder}/{place}"))
        except OSError:
            lost = set(names)
        if lost:
            return f"lacks {place}/{min(lost)}"
    return "" if os.path.exists(folder / "bin/python") else "lacks its Python"


def belonging(folder: Path, stamp: dict[str, Any], wanted: Iterable[str]) -> list[str]:
    """Return the groups that are in an environment, or have to be, in their order."""
    has = {*stamp.get("locks", {}), *wanted}
    return [group for group in GROUPS if GROUPS[group][0] == folder and group in has]


def outdated(folder: Path, stamp: dict[str, Any], wanted: Iterable[str]) -> list[str]:
    """Return those of them whose locks are not installed as they are now."""
    had = stamp.get("locks", {})
    return [group for group in belonging(folder, stamp, wanted) if had.get(group) != digest(group)]


def digest(group: str) -> str:
    """Return a lock's SHA-256."""
    return hashlib.sha256(Path(GROUPS[group][1]).read_bytes()).hexdigest()


def create(folder: Path, held: int) -> None:
    """Make an environment with nothing but pip in it, in the place of any that is there."""
    from importlib.util import find_spec

    remove(folder)
    if not find_spec("ensurepip"):
        release = ".".join(map(str, sys.version_info[:2]))
        raise SystemExit(
            f"{PYTHON} cannot make {folder}, for it lacks ensurepip. "
            f"On Debian and Ubuntu it comes with: apt-get install python{release}-venv"
        )
    if said := run([PYTHON, "-I", "-m", "venv", str(folder)], held):
        remove(folder)
        raise SystemExit(f"Python could not make {folder}: {said}")
    if folder == MAIN:
        # From there, and not from the root, so that no encoding matters.
        packages = next(folder.glob("lib/*/site-packages"))
        packages.joinpath("colophon.pth").write_text(f"{os.path.relpath('src', packages)}\n")


def remove(folder: Path) -> None:
    """Take an environment away, the stamp first. Of a link, take the link alone."""
    import shutil

    if folder.is_symlink() or folder.is_file():
        folder.unlink()
    elif folder.exists():
        folder.joinpath("stamp.json").unlink(missing_ok=True)
        shutil.rmtree(folder)


def install(folder: Path, stamp: dict[str, Any], wanted: Iterable[str], held: int) -> None:
    """Install the locks that are outdated, uninstall what no lock names any more, and write the stamp."""
    folder.joinpath("stamp.json").unlink(missing_ok=True)
    # Their digests as they are now, lest one is written meanwhile.
    locks = {group: digest(group) for group in belonging(folder, stamp, wanted)}
    python = [str(folder / "bin/python"), "-I", "-m"]
    for group in outdated(folder, stamp, wanted):
        _, lock, what = GROUPS[group]
        tell(f"Installing what {what} (once) ...")
        if said := run([*python, *RECIPE, lock], held):
            raise SystemExit(f"{lock} could not be installed: {said}")
    named = {"pip"}
    for group in locks:
        lock = Path(GROUPS[group][1]).read_text()
        named |= {plain(name) for name in re.findall(r"^([\w.-]+)(?:\[.+\])?==", lock, re.MULTILINE)}
    installed = [info.name.split("-")[0] for info in records(folder)]
    if unnamed := [name for name in installed if plain(name) not in named]:
        run([*python, "pip", "uninstall", "--quiet", "--yes", *unnamed], held)
    if said := run([*python, *CHECK], held):
        raise SystemExit(f"The locks do not make {folder} whole: {said}")
    mend_programs(folder)
    write(folder, locks)


def plain(name: str) -> str:
    """Return a package's name as it is compared."""
    return re.sub(r"[-_.]+", "-", name).lower()


def records(folder: Path) -> list[Path]:
    """Return the folders that tell of what is installed, one for each package."""
    return sorted(folder.glob("lib/*/site-packages/*.dist-info"))


def mend_programs(folder: Path) -> None:
    """Quote the path of their Python in programs that a shell starts: pip does so for spaces, and for nothing else."""
    import shlex

    python = shlex.quote(str(folder.absolute() / "bin/python"))
    for program in folder.joinpath("bin").iterdir():
        if program.is_file() and program.read_bytes().startswith(b"#!/bin/sh\n'''exec' "):
            lines = program.read_bytes().split(b"\n")
            lines[1] = os.fsencode(f"""'''exec' {python} "$0" "$@\"""")
            program.write_bytes(b"\n".join(lines))


def write(folder: Path, locks: dict[str, str]) -> None:
    """Write the stamp: what is installed here, by which Python, where, and each file that came with it."""
    import csv

    files = {".": ["pyvenv.cfg"], "bin": ["python"]}
    for info in records(folder):
        packages = info.parent
        if folder == MAIN:
            files.setdefault(str(packages.relative_to(folder)), ["colophon.pth"])
        with info.joinpath("RECORD").open(newline="") as record:
            for name, *_ in csv.reader(record):
                path = os.path.relpath(packages / name, folder)
                if not path.endswith(".pyc"):
                    files.setdefault(os.path.dirname(path), []).append(os.path.basename(path))
    stamp = {"where": str(folder.absolute()), "python": [sys.version, PYTHON], "locks": locks, "files": files}
    new = folder / "stamp.new"
    new.write_text(json.dumps(stamp))
    new.replace(folder / "stamp.json")


def run(command: list[str], held: int) -> str:
    """Run a command, and return in one line why it failed; empty where it did not.

    It holds the lock too, so that one that outlives us, as after a kill, is waited for.
    """
    import subprocess

    environment = os.environ | {"PIP_NO_INPUT": "1"}
    done = subprocess.run(
        command,
        env=environment,
        pass_fds=[held],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        check=False,
    )
    if not done.returncode:
        return ""
    if "connection broken by" in done.stdout:
        return "the index of packages cannot be reached."
    said = done.stdout.strip() or f"`{' '.join(command)}` ended with {done.returncode}"
    # What pip says of wrong hashes takes more lines than one.
    cause = said.splitlines()[-1] if "Traceback" in said else re.split(r"^ERROR: |^Error: ", said, flags=re.M)[-1]
    return " ".join(cause.split())


def tell(text: str) -> None:
    """Say what goes on, at once."""
    print(text, flush=True)


if __name__ == "__main__":
    main(sys.argv[1:] or ["run"])
