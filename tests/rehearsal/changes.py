"""Changes that a contributor commits, good and bad. Each is made to the files of a clone."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Change = Callable[[Path], None]

SERVER = "src/gunicorn.conf.py"
COMMANDS = "src/colophon/__main__.py"
MIGRATIONS = "src/colophon/database/migrations/versions"


def at_the_start(statement: str) -> Change:
    """Return a change that runs a statement before the server listens; a build does not notice it."""

    def change(root: Path) -> None:
        path = root / SERVER
        hook = f"def on_starting(server):\n    import sys, time\n    {statement}\n"
        path.write_text(f"{path.read_text()}\n\n{hook}")

    return change


def edge_exits(root: Path) -> None:
    """Have the edge end at once; the site, and what prepares its database, start as before."""
    path = root / COMMANDS
    before = path.read_text()
    end = 'import sys\n\nif sys.argv[1:] == ["edge"]:\n    sys.exit("The edge of this release ends at once.")\n'
    after = before.replace("import signal\n", f"import signal\n{end}", 1)
    assert after != before, f"{path.name} is not what it was"
    path.write_text(after)


def not_ready(root: Path) -> None:
    """Make /readyz always fail."""
    path = root / "src/colophon/web/health.py"
    before = path.read_text()
    after = before.replace("if not revisions.can_serve(found):", "if found:")
    assert after != before, f"{path.name} is not what it was"
    path.write_text(after)


def another_footer(root: Path) -> None:
    """Change the text at the foot of each page."""
    path = root / "src/colophon/templates/partials/footer.html"
    path.write_text(path.read_text().replace("<p>", "<p>Books, well kept: ", 1))


def migration(statement: str) -> Change:
    """Return a change that adds a migration of one statement after the newest."""

    def change(root: Path) -> None:
        folder = root / MIGRATIONS
        newest = max(path.name[:4] for path in folder.glob("[0-9]*.py"))
        number = f"{int(newest) + 1:04}"
        (folder / f"{number}_rehearsed.py").write_text(
            f'"""Rehearsed."""\n\nfrom alembic import op\n\nrevision = "{number}"\ndown_revision = "{newest}"\n'
            "branch_labels = None\ndepends_on = None\n\n\n"
            f'def upgrade() -> None:\n    op.execute("{statement}")\n\n\ndef downgrade() -> None:\n    """Nothing."""\n'
        )

    return change


EXITS = at_the_start('sys.exit("This release ends at once.")')
BOOTS_SLOWLY = at_the_start('print("This release sleeps first.", flush=True); time.sleep(300)')
EATS_MEMORY = at_the_start('server.hoard = b"x" * (2 * 1024**3)')
MIGRATES = migration("CREATE TABLE rehearsed (id integer PRIMARY KEY)")
# It works on a table without books, as in a build.
FAILS_TO_MIGRATE = migration("CREATE UNIQUE INDEX rehearsed_language ON books (language)")
