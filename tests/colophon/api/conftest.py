"""A program with a token, and a catalogue of its own to write to."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from colophon import create_app, database
from colophon.access import tokens
from colophon.catalogue import writing
from colophon.catalogue.types import NewAuthor, NewBook
from colophon.settings import Settings
from colophon.web import state
from tests.colophon.api.apiclient import Program

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from flask import Flask
    from sqlalchemy import Engine


@pytest.fixture
def make_token(engine: Engine) -> Callable[..., str]:
    def make(scope: str = "write", lifetime: timedelta = timedelta(days=1), name: str = "a test") -> str:
        with database.transaction(engine) as db:
            return tokens.create(db, name, scope, lifetime)

    return make


@pytest.fixture
def make_program(engine: Engine, make_token: Callable[..., str]) -> Iterator[Callable[..., Program]]:
    apps: list[Flask] = []

    def make(token: str | None = "", **settings: Any) -> Program:
        url = engine.url.render_as_string(hide_password=False)
        apps.append(create_app(Settings(database_url=url, site_url="http://localhost", **settings)))
        return Program(apps[-1], make_token() if token == "" else token)

    yield make
    for app in apps:
        state.of(app).engine.dispose()


@pytest.fixture
def program(make_program: Callable[..., Program]) -> Program:
    return make_program()


@pytest.fixture
def filled(engine: Engine) -> Engine:
    """The test's own database with 45 books."""
    books = [
        NewBook(
            title=f"Book {number:02}",
            authors=[NewAuthor("Ann Author", "Author, Ann")],
            year=1900 + number,
            language="en" if number % 2 else "fr",
            subjects=["Novel"] if number % 3 else ["Poetry"],
            description="One of many.",
        )
        for number in range(45)
    ]
    writing.add_books(engine, books)
    return engine
