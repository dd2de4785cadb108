"""The contracts in pyproject.toml hold, and each finds an import that breaks it. `make check` keeps them all."""

from pathlib import Path

import grimp
import pytest
from importlinter.api import read_configuration
from importlinter.contracts import forbidden, layers, protected

ROOT = Path(__file__).parents[2]
KINDS = {
    "layers": layers.LayersContract,
    "forbidden": forbidden.ForbiddenContract,
    "protected": protected.ProtectedContract,
}
CONFIGURATION = read_configuration(str(ROOT / "pyproject.toml"))
HOLES = [
    ("Each room of the site knows only those below it", "colophon.database.models", "colophon.catalogue.search"),
    ("Each room of the site knows only those below it", "colophon.pages.views", "colophon.api.paging"),
    ("Only the catalogue and access import the tables", "colophon.pages.covers", "colophon.database.models"),
    (
        "The catalogue, access, the release and the database import nothing of the web",
        "colophon.catalogue.reading",
        "flask",
    ),
    ("What ships does not know how it ships", "colophon.cli", "delivery.cli"),
    ("How it ships knows of the site no more than its passport", "delivery.cli", "colophon.cli"),
]


@pytest.fixture(scope="module")
def graph():
    return grimp.build_graph("colophon", "delivery", include_external_packages=True, cache_dir=None)


def is_kept(name, graph):
    options = next(each for each in CONFIGURATION["contracts_options"] if each["name"] == name)
    contract = KINDS[options["type"]](name, CONFIGURATION["session_options"], options)
    return contract.check(graph, verbose=False).kept


@pytest.mark.parametrize(("contract", "importer", "imported"), HOLES)
def test_a_hole_in_a_wall_is_found(graph, contract, importer, imported):
    assert is_kept(contract, graph)
    graph.add_import(importer=importer, imported=imported)
    try:
        assert not is_kept(contract, graph)
    finally:
        graph.remove_import(importer=importer, imported=imported)
