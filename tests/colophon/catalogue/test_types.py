"""A book's fields are listed once: what stores, checks, shows and exports them has the same ones."""

from colophon.api.representations import BookRepresentation
from colophon.bulk import columns
from colophon.catalogue.book_schema import BookSchema
from colophon.catalogue.types import COLUMNS, FIELDS
from colophon.database.models import Book


def test_the_table_has_a_column_for_each_field_of_a_book_itself():
    kept_beside = {"id", "slug", "added_at", "title_key", "author_key"}
    assert {column.key for column in Book.__table__.c} == {*COLUMNS, *kept_beside}


def test_the_schema_has_a_rule_for_each_field_in_its_order():
    assert tuple(BookSchema().fields) == FIELDS
    assert set(BookRepresentation().fields) == {*FIELDS, "slug", "added_at", "links"}


def test_a_file_has_a_column_for_each_field_in_its_order():
    assert tuple(name for name in columns.COLUMNS if name not in columns.AUTHOR_COLUMNS[1:]) == FIELDS
    assert set(columns.SYNONYMS) <= set(columns.COLUMNS)
