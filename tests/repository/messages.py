"""Every message and help text of the code, for one golden file: `python -m tests.repository.messages` writes it.

A message is a string of two words or more, wherever it stands, so that a new way of saying something is found too. Left
out are docstrings, comparisons, the arguments of the calls in NOT_SAID, and the files in NOT_READ. The texts of pages
are in the templates.
"""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import TYPE_CHECKING

import click

from colophon.cli import main as colophon
from delivery.cli import main as delivery

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ROOT = Path(__file__).parents[2]
GOLDEN = Path(__file__).with_suffix(".txt")
COMMAND = "python -m tests.repository.messages"
WIDTH = 100
ROOMS = ("delivery", "src")
# Drawings, and what only the database reads.
NOT_READ = ("src/colophon/pages/covers.py", "src/colophon/database/m", "src/colophon/catalogue/search.py")
# Expressions, statements in SQL, types.
NOT_SAID = {"cast", "compile", "exec_driver_sql", "execute", "search", "split", "sub", "text", "TypeVar"}
SHOWN_BY_HELP = ("option", "version_option")
MESSAGE = re.compile(r"(?:^|[\s(“‘`|])\w[\w’'-]*[,.:;)`]* +[\w{(‘“`%]|\} +[a-z]{2}")


def everything(root: Path = ROOT) -> str:
    """Return the text of the golden file."""
    parts = [f"Every help text and message, as the code has them. `{COMMAND}` writes this file.\n"]
    parts += [_titled("make help", _menu((root / "Makefile").read_text(encoding="utf-8")))]
    for name, command in (("delivery", delivery), ("colophon", colophon)):
        parts += [_titled(f"{line} --help", text) for line, text in helps(command, f"python -m {name}")]
    for path in (path for room in ROOMS for path in sorted((root / room).rglob("*.py"))):
        name = path.relative_to(root).as_posix()
        found = [] if name.startswith(NOT_READ) else messages(path.read_text(encoding="utf-8"))
        parts += [_titled(name, "\n".join(found))] if found else []
    return "\n".join(parts)


def messages(source: str) -> list[str]:
    """Return the messages of a module in its order, each once, with the expressions that they are filled with."""
    found = (node for node in _strings(ast.parse(source)) if MESSAGE.search(_joined(node, _words)))
    return list(dict.fromkeys(_joined(node, _expression).strip().replace("\n", "\\n") for node in found))


def helps(command: click.Command, line: str, parent: click.Context | None = None) -> Iterator[tuple[str, str]]:
    """Yield the command lines of a command and those below it, each with its help text."""
    context = click.Context(command, parent, line, terminal_width=WIDTH, help_option_names=["-h", "--help"])
    yield context.command_path, command.get_help(context)
    below = command.commands if isinstance(command, click.Group) else {}
    for name in sorted(below):
        yield from helps(below[name], name, context)


def _strings(node: ast.AST) -> Iterator[ast.expr]:
    if isinstance(node, ast.Constant | ast.JoinedStr):
        yield node
        return
    call = ast.unparse(node.func).rpartition(".")[2] if isinstance(node, ast.Call) else ""
    documents = isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    if documents or isinstance(node, ast.Compare) or call in NOT_SAID:
        return
    for child in ast.iter_child_nodes(node):
        if not (call in SHOWN_BY_HELP and isinstance(child, ast.keyword) and child.arg == "help"):
            yield from _strings(child)


def _joined(node: ast.expr, filled: Callable[[ast.expr], str]) -> str:
    """Return a string, its placeholders as `filled` has them; '' for another constant."""
    if isinstance(node, ast.JoinedStr):
        return "".join(_joined(part, filled) for part in node.values)
    if isinstance(node, ast.FormattedValue):
        return filled(node.value)
    said = node.value if isinstance(node, ast.Constant) else ""
    return said.decode(errors="replace") if isinstance(said, bytes) else said if isinstance(said, str) else ""


def _expression(node: ast.expr) -> str:
    # One kind of quotes, as Pythons differ in which they choose.
    return "{" + ast.unparse(node).replace('"', "'") + "}"


def _words(node: ast.expr) -> str:
    """Return the words that an expression chooses from."""
    choices = [node.body, node.orelse] if isinstance(node, ast.IfExp) else getattr(node, "values", [])
    return "|".join(_joined(choice, _words) for choice in choices) or "{}"


def _menu(makefile: str) -> str:
    lines = re.findall(r"^([a-z-]+):.*?## (.+)$", makefile, re.MULTILINE)
    return "\n".join(f"make {target:<12} {text}" for target, text in lines)


def _titled(title: str, text: str) -> str:
    return f"== {title}\n\n{text.rstrip()}\n"


if __name__ == "__main__":
    GOLDEN.write_text(everything(), encoding="utf-8")
