"""What the environment may say to the delivery."""

import click
import pytest

from delivery.settings import Names, Settings, settings


def test_without_any_setting_the_defaults_suit_aws():
    assert settings({}) == Settings()
    assert Settings().project == "colophon"


def test_settings_are_numbers_of_seconds():
    assert settings({"DELIVERY_POLL": "0.5", "PROJECT": "books-2"}) == Settings("books-2", poll=0.5)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("DELIVERY_POLL", "soon"),
        ("DELIVERY_POLL", "-1"),
        ("DELIVERY_ROLLOUT_TIMEOUT", "nan"),
        ("DELIVERY_LEASE", "inf"),
        ("PROJECT", "Colophon"),
        ("PROJECT", "a" * 21),
        ("PROJECT", "aws-books"),
        ("PROJECT", "a--b"),
    ],
)
def test_a_setting_that_cannot_be_used_is_named(name, value):
    with pytest.raises(click.UsageError, match=f"{name}: "):
        settings({name: value})


def test_all_names_follow_from_the_project_the_account_and_the_region():
    names = Names("books", "111122223333", "eu-west-1")
    assert names.bucket == "books-receipts-111122223333-eu-west-1"
    assert names.log_group == "/books/site"
    assert names.released_image == "/books/released-image"
    assert names.site_url == "/books/site-url"
