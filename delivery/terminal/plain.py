"""Text from outside, such as logs and names, that neither a terminal nor a pipeline's log obeys."""

from __future__ import annotations

import re

# GitHub's runner takes a line that begins with :: for a command, and ##[ anywhere (actions/runner, ActionCommand.cs).
# GitLab's sections need a carriage return and an escape, which are not left.
_COMMAND = re.compile(r"^(\s*):(?=:)|#(?=#\[)", re.MULTILINE)


def plain(text: str) -> str:
    """Return text with an escape for each control character but tabs and the ends of lines, and in each command."""
    shown = "".join(
        char if char.isprintable() or char in "\t\n" else char.encode("unicode_escape").decode() for char in text
    )
    return _COMMAND.sub(lambda found: f"{found[1]}\\x3a" if found[0].endswith(":") else "\\x23", shown)
