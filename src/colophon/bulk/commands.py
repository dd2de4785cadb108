"""The commands `books import` and `books export`: options, messages and exit codes."""

from __future__ import annotations

import errno
import os
import sqlite3
import stat
import sys
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, cast

import click

from ..catalogue.reading import Catalogue
from ..catalogue.text import printable
from ..database import revisions
from .file_export import WRITERS, export, replacing
from .file_import import READERS, Import, NothingAddedError
from .problems import SHOWN, Findings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..settings import Settings

NOTHING_ADDED = 1
SOME_LEFT_OUT = 3

_ENDINGS = {".csv": "csv", ".jsonl": "jsonl", ".ndjson": "jsonl", ".json": "jsonl"}


# \b keeps click from joining the lines.
EXIT_CODES = """\b
Exit codes:
  0  every book was added
  1  there were problems and nothing was added
  2  wrong usage
  3  --skip-errors left out some rows; the others were added
--dry-run has the exit code of the real import.
"""


@click.command(name="import", epilog=EXIT_CODES)
@click.argument("file", type=click.Path(exists=True, dir_okay=False, readable=True, allow_dash=True))
@click.option("--format", "file_format", type=click.Choice(list(READERS)), help="By default from the ending of FILE.")
@click.option("--dry-run", is_flag=True, help="Check everything and add nothing.")
@click.option("--skip-errors", is_flag=True, help="Leave out rows with problems and add the others.")
@click.option(
    "--report", type=click.Path(dir_okay=False, writable=True), help="Write every problem to this file, as JSON Lines."
)
@click.pass_obj
def import_books(
    config: Settings, file: str, file_format: str | None, dry_run: bool, skip_errors: bool, report: str | None
) -> None:
    """Add the books in FILE ('-' is standard input): all of them or, if there is any problem, none.

    FILE is CSV (.csv) or JSON Lines (.jsonl, .json), in UTF-8. Problems are printed to standard error with the line,
    the column and the reason.
    """
    kind = file_format or _format_of(file)
    if report and file != "-" and Path(report).exists() and Path(report).samefile(file):
        raise click.UsageError("--report would overwrite FILE.")
    with _one_sentence(file), ExitStack() as stack:
        engine = stack.enter_context(revisions.ready(config.database_url))
        source = cast("BinaryIO", stack.enter_context(click.open_file(file, "rb")))
        findings = Findings(stack.enter_context(open(report, "w", encoding="utf-8")) if report else None)  # noqa: PTH123
        work = stack.enter_context(Import(engine, source, kind, findings))
        added = 0
        try:
            with _bar(_size(source), "Checking") as bar:
                work.check(bar.update)
            if work.wrong and not skip_errors:
                raise NothingAddedError
            if dry_run:
                added = work.good
            else:
                with _bar(work.good, "Adding") as bar:
                    added = work.add(skip_errors=skip_errors, progress=bar.update)
        except NothingAddedError:
            pass
        _print_problems(findings)
        _exit(work, findings, added, "Would have added" if dry_run else "Added")


def _print_problems(findings: Findings) -> None:
    for problem in findings.first:
        click.echo(str(problem), err=True)
    if findings.total > SHOWN:
        every = "the report has all of them" if findings.report else "--report FILE writes all of them"
        click.echo(f"… and {findings.total - SHOWN:,} more: {every}.", err=True)


def _exit(work: Import, findings: Findings, added: int, verb: str) -> None:
    if not findings.total:
        click.echo(f"{verb} {_count_of(added, 'book')}.")
        return
    wrong = f"{_count_of(findings.total, 'problem')} in {_count_of(work.rows, 'row')}"
    if added:
        click.echo(f"{verb} {_count_of(added, 'book')}; {wrong}, of which {work.wrong:,} left out.", err=True)
        sys.exit(SOME_LEFT_OUT)
    click.echo(f"{wrong}: {verb.lower()} nothing.", err=True)
    sys.exit(NOTHING_ADDED)


@click.command(name="export")
@click.argument("file", type=click.Path(dir_okay=False, writable=True, allow_dash=True), default="-")
@click.option(
    "--format",
    "file_format",
    type=click.Choice(list(WRITERS)),
    help="By default from the ending of FILE; jsonl without FILE.",
)
@click.pass_obj
def export_books(config: Settings, file: str, file_format: str | None) -> None:
    """Write every book to FILE, by default to standard output, as CSV or JSON Lines.

    `books import` reads the result. FILE is replaced only once everything is written.
    """
    kind = file_format or ("jsonl" if file == "-" else _format_of(file))
    with revisions.readable(config.database_url) as engine, _one_sentence(file):
        if file == "-":
            export(engine, sys.stdout.buffer, kind)
            return
        with engine.connect() as db:
            total = Catalogue(db).totals().books
        with replacing(Path(file)) as target, _bar(total, "Writing") as bar:
            count = export(engine, target, kind, bar.update)
    click.echo(f"Wrote {_count_of(count, 'book')} to {printable(file)}.")


def _format_of(file: str) -> str:
    try:
        return _ENDINGS[Path(file).suffix.casefold()]
    except KeyError:
        raise click.UsageError(
            f"The name '{file}' does not say which format it has. Use --format csv or --format jsonl."
        ) from None


@contextmanager
def _one_sentence(file: str) -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as error:
        raise click.ClickException(f"The books cannot be stored in the temporary folder: {error}.") from None
    except OSError as error:
        if error.errno == errno.EPIPE:
            raise  # the reader closed the pipe; click ends quietly then
        raise click.ClickException(f"{error.filename or file} cannot be used: {error.strerror}.") from None


def _bar(length: int, label: str) -> Any:
    """Return a progress bar on standard error, which is hidden unless that is a terminal."""
    seen = sys.stderr.isatty() and length > 0
    return click.progressbar(
        length=length, label=label, file=sys.stderr, hidden=not seen, update_min_steps=max(1, length // 200)
    )


def _size(file: BinaryIO) -> int:
    """Return the size of a file in bytes, 0 if it is unknown."""
    try:
        status = os.fstat(file.fileno())
    except OSError:
        return 0
    return status.st_size if stat.S_ISREG(status.st_mode) else 0


def _count_of(number: int, noun: str) -> str:
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"
