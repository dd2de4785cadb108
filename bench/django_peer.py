"""A peer: the list page as a minimal Django site would have it, reading the database that Colophon made.

It is spared what costs Django time and a list of books does not need: no middleware, no sessions, no filters beside the
list. Its connections stay open, with Colophon's page cache, and its template is compiled once.
"""
# mypy: disable-error-code="import-not-found,import-untyped", allow-subclassing-any

from __future__ import annotations

import os
from typing import Any

import django
from django.conf import settings
from django.core.paginator import Paginator
from django.core.wsgi import get_wsgi_application
from django.db import models
from django.http import HttpRequest, HttpResponse
from django.template import engines
from django.urls import path

settings.configure(
    ALLOWED_HOSTS=["127.0.0.1"],
    DATABASES={
        "default": {
            "ENGINE": "django.db.backends.sqlite3",
            "NAME": os.environ["DATABASE_FILE"],
            "CONN_MAX_AGE": None,
            "OPTIONS": {"init_command": "PRAGMA cache_size = -16000"},
        }
    },
    MIDDLEWARE=[],
    ROOT_URLCONF=__name__,
    TEMPLATES=[{"BACKEND": "django.template.backends.django.DjangoTemplates"}],
    USE_I18N=False,
)
django.setup()


class Author(models.Model):
    slug = models.TextField()
    name = models.TextField()

    class Meta:
        app_label = "peer"
        db_table = "authors"
        managed = False


class Book(models.Model):
    slug = models.TextField()
    title = models.TextField()
    subtitle = models.TextField(null=True)
    original_title = models.TextField(null=True)
    year = models.IntegerField()
    language = models.TextField()
    description = models.TextField()
    title_key = models.TextField()

    class Meta:
        app_label = "peer"
        db_table = "books"
        managed = False


class Credit(models.Model):
    pk = models.CompositePrimaryKey("book_id", "author_id")
    book = models.ForeignKey(Book, models.CASCADE, related_name="credits")
    author = models.ForeignKey(Author, models.CASCADE)
    position = models.IntegerField()

    class Meta:
        app_label = "peer"
        db_table = "book_authors"
        managed = False


TEMPLATE = engines["django"].from_string("""<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><title>Books</title><link rel="stylesheet" href="/static/site.css"></head>
<body>
<h1>Books</h1>
<p>{{ page.start_index }}–{{ page.end_index }} of {{ page.paginator.count }} books</p>
<ol class="rows">
{% for book in page %}
<li class="row-book"><a href="/books/{{ book.slug }}" tabindex="-1" aria-hidden="true"><img class="cover" src="/books/{{ book.slug }}/cover.svg" alt="" width="240" height="360"></a><div>
<h2><a href="/books/{{ book.slug }}">{{ book.title }}</a></h2>
{% if book.subtitle %}<p class="subtitle">{{ book.subtitle }}</p>{% endif %}
<p class="byline">{% for credit in book.credits.all %}{% if not forloop.first %}, {% endif %}<a href="/books?author={{ credit.author.slug }}">{{ credit.author.name }}</a>{% endfor %}, {{ book.year }}{% if book.language != "en" %} {{ book.language }}{% endif %}{% if book.original_title %}: {{ book.original_title }}{% endif %}</p>
<p class="blurb">{{ book.description }}</p>
</div></li>
{% endfor %}
</ol>
<nav>{% if page.has_next %}<a rel="next" href="/books?page={{ page.next_page_number }}">Next</a>{% endif %}</nav>
</body>
</html>
""")  # noqa: E501 -- HTML, broken where the page's own is


def books(request: HttpRequest) -> HttpResponse:
    credits = models.Prefetch("credits", Credit.objects.select_related("author").order_by("position"))
    shelf = Book.objects.order_by("title_key", "id").prefetch_related(credits)
    page = Paginator(shelf, 20).get_page(request.GET.get("page"))
    return HttpResponse(TEMPLATE.render({"page": page}, request))


urlpatterns: list[Any] = [path("books", books)]
application = get_wsgi_application()
