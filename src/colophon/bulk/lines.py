"""The lines of a file, numbered as an editor numbers them, in bounded memory."""

from __future__ import annotations

import codecs
from typing import TYPE_CHECKING, BinaryIO

from .problems import Problem, UnreadableError

if TYPE_CHECKING:
    from collections.abc import Callable

# Far more than the longest book; without a limit, another kind of file could be one line that fills the memory.
LONGEST_LINE = 1_048_576

_SAVE_AS_UTF8 = "Save it as UTF-8 (a spreadsheet calls it “CSV UTF-8”)."
_OTHER_KINDS = {
    codecs.BOM_UTF16_LE: f"The file is UTF-16, not UTF-8. {_SAVE_AS_UTF8}",
    codecs.BOM_UTF16_BE: f"The file is UTF-16, not UTF-8. {_SAVE_AS_UTF8}",
    b"PK\x03\x04": "The file is a ZIP archive, as .xlsx and .ods files are. Save it as CSV in UTF-8.",
    b"\x1f\x8b": "The file is compressed with gzip. Decompress it first: gunzip.",
}


class Lines:
    """An iterator over the lines of a binary file, with their endings; `number` is that of the last line, from 1.

    In a line that is not UTF-8, wrong bytes become lone surrogates (PEP 383), and `take_wrong_byte` reports the first.
    Calls `progress` with the size of each line. Raises UnreadableError for another kind of file.
    """

    def __init__(self, file: BinaryIO, progress: Callable[[int], None] = lambda _: None) -> None:
        self.number = 0
        self._file = file
        self._progress = progress
        self._position = 0
        self._wrong_byte: str | None = None

    def __iter__(self) -> Lines:
        return self

    def __next__(self) -> str:
        line = self._file.readline(LONGEST_LINE + 1)
        if not line:
            raise StopIteration
        self.number += 1
        if self.number == 1:
            _refuse_other_kinds(line)
        if len(line) > LONGEST_LINE:
            reason = (
                f"Is longer than {LONGEST_LINE:,} bytes, so this is not a file of books. Nothing after it was read."
            )
            raise UnreadableError(Problem(self.number, None, None, reason))
        self._progress(len(line))
        try:
            text = line.decode()
        except UnicodeDecodeError as error:
            text = line.decode(errors="surrogateescape")
            self._wrong_byte = self._wrong_byte or (
                f"The byte 0x{line[error.start]:02X}, at position {self._position + error.start + 1:,} of the file, "
                f"is not UTF-8. {_SAVE_AS_UTF8}"
            )
        self._position += len(line)
        return text.removeprefix("\ufeff") if self.number == 1 else text

    def take_wrong_byte(self) -> str | None:
        """Return the message about the first wrong byte since the last call, None if there was none."""
        found, self._wrong_byte = self._wrong_byte, None
        return found


def _refuse_other_kinds(line: bytes) -> None:
    for beginning, reason in _OTHER_KINDS.items():
        if line.startswith(beginning):
            raise UnreadableError(Problem(None, None, None, reason))
    if b"\0" in line:
        raise UnreadableError(Problem(1, None, None, f"Has NUL bytes, so the file is not UTF-8 text. {_SAVE_AS_UTF8}"))
