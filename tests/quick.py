"""`pytest --quick`, which `make quick` runs: what it leaves out is decided here, and told at the end of each run.

A test is left out when it needs a fixture that is named below or a database of PostgreSQL, or has the mark `slow`, as
those do that take some seconds of the processor.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pytest


FIXTURES = {
    "chromium": "in a browser",
    "site": "of a running site",
    "released_site": "of a running site",
    "postgres": "on PostgreSQL",
    "trivy": "with Trivy",
}
_left_out: Counter[str] = Counter()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--quick", action="store_true", help="leave out what is slow (tests/quick.py)")


def left_out(item: pytest.Function) -> str | None:
    """Return the kind of a test that is left out, None for one that is not."""
    if item.get_closest_marker("slow"):
        return "that are slow"
    parameters = item.callspec.params if hasattr(item, "callspec") else {}
    if parameters.get("databases") == "postgresql":
        return FIXTURES["postgres"]
    return next((kind for name, kind in FIXTURES.items() if name in item.fixturenames), None)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Function]) -> None:
    if not config.getoption("quick"):
        return
    kinds = {item: kind for item in items if (kind := left_out(item))}
    items[:] = [item for item in items if item not in kinds]
    config.hook.pytest_deselected(items=[*kinds])
    _left_out.update(kinds.values())


def pytest_sessionfinish(session: pytest.Session) -> None:
    # pytest-xdist's: each of its processes leaves out the same, and hands the numbers to the one that tells.
    if hasattr(session.config, "workeroutput"):
        session.config.workeroutput["left_out"] = dict(_left_out)


def pytest_testnodedown(node: object) -> None:
    _left_out.update(Counter(getattr(node, "workeroutput", {}).get("left_out", {})) - _left_out)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if _left_out:
        kinds = ", ".join(f"{number} {kind}" for kind, number in _left_out.most_common())
        terminalreporter.write_line(f"Quick: these tests were left out: {kinds}. `make test` runs them too.")
