"""A client that openapi-python-client makes of the specification, as a user of the API would."""

import subprocess
import sys
from importlib import import_module
from pathlib import Path

import httpx
import pytest

from tests.conftest import any_database

GENERATOR = Path(sys.executable).with_name("openapi-python-client")


@pytest.fixture
def generated(app, client, tmp_path, monkeypatch):
    """Return an operation of the generated client, which calls the app without a network."""
    specification = tmp_path / "openapi.json"
    specification.write_bytes(client.get("/api/v1/openapi.json").data)
    words = ["generate", "--meta=none", "--fail-on-warning", "--path", specification]
    # It formats what it made with ruff, which lies beside it.
    settings = {"PATH": f"{GENERATOR.parent}:/usr/bin:/bin"}
    made = [GENERATOR, *words, "--output-path", tmp_path / "generated_client"]
    subprocess.run(made, env=settings, capture_output=True, text=True, check=True)
    monkeypatch.syspath_prepend(tmp_path)
    transport = httpx.WSGITransport(app)
    calling = import_module("generated_client").Client(base_url="http://localhost", httpx_args={"transport": transport})
    return lambda operation, **given: import_module(f"generated_client.api.default.{operation}").sync(
        client=calling, **given
    )


@any_database
@pytest.mark.slow
def test_a_generated_client_reads_books_and_problems(generated):
    listed = generated("get_api_v_books", q="moby")
    assert [book.title for book in listed.books] == ["Moby-Dick"]
    book = generated("get_api_v_books_name", name=listed.books[0].slug)
    assert (book.title, book.authors[0].name, book.year) == ("Moby-Dick", "Herman Melville", 1851)
    assert generated("get_api_v_books_name", name="no-book").status == 404


@any_database
def test_the_licence_has_the_identifier_without_which_openapi_generator_refuses_the_specification(client):
    assert client.get("/api/v1/openapi.json").json["info"]["license"]["identifier"] == "MIT"
