"""The tests of the edge: nginx before a site that a test can hold, break and change."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest

from tests.colophon.edge.stand_in import Edge, Site
from tests.conftest import unavailable
from tests.waiting import until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@pytest.fixture(scope="session")
def nginx() -> None:
    """nginx, which is the edge."""
    if not shutil.which("nginx", path="/usr/sbin:/usr/bin:/usr/local/bin"):
        unavailable("nginx is not installed (Debian: nginx)")


@pytest.fixture(scope="module")
def both(nginx: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Site, Edge]]:
    site = Site()
    edge = Edge(tmp_path_factory.mktemp("edge"), site.port).wait()
    yield site, edge
    edge.stop()
    site.end()


@pytest.fixture
def site(both: tuple[Site, Edge]) -> Site:
    """The site behind the edge, which is well and has not been visited. The module's tests share it."""
    found = both[0]
    found.well, found.text, found.headers, found.seen, found.answered = True, "text", {}, [], []
    found.going_on.set()
    return found


@pytest.fixture
def edge(both: tuple[Site, Edge], site: Site, change: Callable[[], None]) -> Edge:
    """The edge, which has kept nothing of the site as it is."""
    change()
    return both[1]


@pytest.fixture
def change(both: tuple[Site, Edge], site: Site) -> Callable[[], None]:
    """Change the state of the catalogue, and wait until the edge knows."""

    def once() -> None:
        site.state = f"state{int(site.state.removeprefix('state')) + 1}" if "state" in site.state else "state1"
        # Of a kept page, the second answer is from the cache; of the old state, the site's new one is not kept.
        path = f"/known/{site.state}"
        assert until(lambda: both[1].fetch(path).cache == "hit")
        site.seen.clear()

    return once
