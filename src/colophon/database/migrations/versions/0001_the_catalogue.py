"""The catalogue: books, authors, subjects, and their full-text index."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import TSVECTOR

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

# Compared by code point on both databases, whatever a server's locale.
TEXT = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    """Create the tables."""
    op.create_table(
        "catalogue",
        sa.Column("id", sa.Integer, autoincrement=False, nullable=False),
        sa.Column("state", TEXT, nullable=False),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_catalogue"),
    )
    op.create_table(
        "books",
        sa.Column("id", sa.Integer, sa.Identity(), nullable=False),
        sa.Column("slug", TEXT, nullable=False),
        sa.Column("title", TEXT, nullable=False),
        sa.Column("subtitle", TEXT),
        sa.Column("original_title", TEXT),
        sa.Column("year", sa.Integer, nullable=False),
        sa.Column("circa", sa.Boolean, nullable=False),
        sa.Column("language", TEXT, nullable=False),
        sa.Column("publisher", TEXT),
        sa.Column("pages", sa.Integer),
        sa.Column("isbn13", TEXT),
        sa.Column("description", TEXT, nullable=False),
        sa.Column("title_key", TEXT, nullable=False),
        sa.Column("author_key", TEXT, nullable=False),
        sa.Column("added_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("year <> 0", name=op.f("ck_books_year_is_not_zero")),
        sa.CheckConstraint("pages > 0", name=op.f("ck_books_pages_are_positive")),
        sa.PrimaryKeyConstraint("id", name="pk_books"),
        sa.UniqueConstraint("slug", name="uq_books_slug"),
        sa.UniqueConstraint("isbn13", name="uq_books_isbn13"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_books_title_key_id", "books", ["title_key", "id"])
    op.create_index("ix_books_author_key_id", "books", ["author_key", "id"])
    op.create_index("ix_books_year_id", "books", ["year", "id"])
    op.create_index("ix_books_added_at_id", "books", ["added_at", "id"])
    op.create_index("ix_books_language_title_key_id", "books", ["language", "title_key", "id"])
    op.create_table(
        "authors",
        sa.Column("id", sa.Integer, sa.Identity(), nullable=False),
        sa.Column("slug", TEXT, nullable=False),
        sa.Column("name", TEXT, nullable=False),
        sa.Column("sort_name", TEXT, nullable=False),
        sa.Column("original_name", TEXT),
        sa.Column("sort_key", TEXT, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_authors"),
        sa.UniqueConstraint("slug", name="uq_authors_slug"),
        sa.UniqueConstraint("name", name="uq_authors_name"),
    )
    op.create_index("ix_authors_sort_key_id", "authors", ["sort_key", "id"])
    op.create_table(
        "book_authors",
        sa.Column("book_id", sa.Integer, nullable=False),
        sa.Column("author_id", sa.Integer, nullable=False),
        sa.Column("position", sa.Integer, nullable=False),
        sa.PrimaryKeyConstraint("book_id", "author_id", name="pk_book_authors"),
        sa.ForeignKeyConstraint(["book_id"], ["books.id"], "fk_book_authors_book_id_books", ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["author_id"], ["authors.id"], "fk_book_authors_author_id_authors"),
    )
    op.create_index("ix_book_authors_author_id_book_id", "book_authors", ["author_id", "book_id"])
    op.create_table(
        "subjects",
        sa.Column("id", sa.Integer, sa.Identity(), nullable=False),
        sa.Column("slug", TEXT, nullable=False),
        sa.Column("name", TEXT, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_subjects"),
        sa.UniqueConstraint("slug", name="uq_subjects_slug"),
    )
    op.create_table(
        "book_subjects",
        sa.Column("subject_id", sa.Integer, nullable=False),
        sa.Column("book_id", sa.Integer, nullable=False),
        sa.PrimaryKeyConstraint("subject_id", "book_id", name="pk_book_subjects"),
        sa.ForeignKeyConstraint(["subject_id"], ["subjects.id"], "fk_book_subjects_subject_id_subjects"),
        sa.ForeignKeyConstraint(["book_id"], ["books.id"], "fk_book_subjects_book_id_books", ondelete="CASCADE"),
    )
    op.create_index("ix_book_subjects_book_id_subject_id", "book_subjects", ["book_id", "subject_id"])
    if op.get_bind().dialect.name == "postgresql":
        _search_on_postgresql()
    else:
        _search_on_sqlite()


def _search_on_sqlite() -> None:
    # The words are folded already (see text.fold), so the tokenizer only splits them; prefixes of 2 to 4 letters are
    # indexed because they match the most words.
    op.execute(
        "CREATE VIRTUAL TABLE book_search USING fts5(title, authors, subjects, description, "
        "tokenize = 'unicode61', prefix = '2 3 4')"
    )
    op.execute("INSERT INTO book_search (book_search, rank) VALUES ('rank', 'bm25(10.0, 6.0, 3.0, 1.0)')")


def _search_on_postgresql() -> None:
    op.create_table(
        "book_search",
        sa.Column("rowid", sa.Integer, autoincrement=False, nullable=False),
        sa.Column("document", TSVECTOR, nullable=False),
        sa.PrimaryKeyConstraint("rowid", name="pk_book_search"),
        sa.ForeignKeyConstraint(["rowid"], ["books.id"], "fk_book_search_rowid_books", ondelete="CASCADE"),
    )
    op.create_index("ix_book_search_document", "book_search", ["document"], postgresql_using="gin")


def downgrade() -> None:
    """Drop the tables."""
    for table in (
        "book_search",
        "book_subjects",
        "subjects",
        "book_authors",
        "authors",
        "books",
        "catalogue",
    ):
        op.drop_table(table)
