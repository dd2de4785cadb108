"""Visitors who are slow, by chance or on purpose, do not keep others waiting."""

import resource

import pytest

from bench import attacks
from tests.colophon.edge.conftest import nginx  # noqa: F401 -- a fixture
from tests.colophon.edge.stand_in import Edge

pytestmark = pytest.mark.slow

VISITS = 20
# Milliseconds, of a machine that does much else at once. An attack that works keeps visitors waiting for seconds.
NOISE = 500


@pytest.fixture(scope="module")
def edge(nginx, site, tmp_path_factory):  # noqa: F811
    """The edge, started by one who may open few files, as in many a container."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (100, hard))
    try:
        edge = Edge(tmp_path_factory.mktemp("edge"), site.port)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    edge.wait()
    yield edge
    edge.stop()


def kept_waiting(port, attack, number):
    """Return the paths whose visitors wait twice as long as usual, with the milliseconds, during an attack."""
    paths = attacks.visited_paths(port)
    usual = attacks.p99(port, paths, VISITS)
    with attacks.under(attack, port, number) as opened:
        meanwhile = attacks.p99(port, paths, VISITS)
    assert opened == number
    return {path: ms for path, ms in meanwhile.items() if ms > 2 * max(usual[path], NOISE)}


@pytest.mark.parametrize("attack", [name for name in attacks.ATTACKS if name != "endless"])
def test_a_visitor_is_answered_while_others_are_slow(site, attack):
    assert kept_waiting(site.port, attack, 48) == {}
    assert "Traceback" not in site.log.read_text()


@pytest.mark.parametrize(
    ("attack", "number"),
    [("chunked", 480), ("body", 320), ("pipelined-reader", 320), ("endless", 40)],
)
def test_a_visitor_of_the_edge_is_answered_while_many_more_are_slow(edge, attack, number):
    assert kept_waiting(edge.port, attack, number) == {}
