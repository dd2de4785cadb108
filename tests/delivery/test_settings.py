"""The delivery's settings, from the environment."""

import click
import pytest

from delivery.aws.names import Names
from delivery.settings import Settings, settings


def test_without_any_variable_the_defaults_suit_aws():
    assert settings({}) == Settings()


def test_settings_are_numbers_of_seconds():
    assert settings({"DELIVERY_POLL": "0.5"}) == Settings(poll=0.5)


@pytest.mark.parametrize(
    ("name", "value"),
    [("DELIVERY_POLL", "soon"), ("DELIVERY_POLL", "-1"), ("DELIVERY_START_TIMEOUT", "nan"), ("DELIVERY_LOCK", "inf")],
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
