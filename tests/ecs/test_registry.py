"""What happens to images, and who says which is released."""

import json
import re
from fnmatch import fnmatchcase
from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from delivery.aws.stacks.update import ECS
from tests.cloudformation import parse, resolve


class Image(NamedTuple):
    tags: frozenset[str]
    age: int  # days


def matches(rule, image):
    selection = rule["selection"]
    if selection["tagStatus"] == "untagged":
        return not image.tags
    return any(fnmatchcase(tag, pattern) for pattern in selection["tagPatternList"] for tag in image.tags)


def expired(rules, images):
    """Return what ECR removes. An image is judged by the first rule, by priority, whose tags it has.

    https://docs.aws.amazon.com/AmazonECR/latest/userguide/LifecyclePolicies.html, "How lifecycle policies work".
    """
    gone, left = set(), list(enumerate(images))
    for rule in sorted(rules, key=lambda rule: rule["rulePriority"]):
        mine = sorted((one for one in left if matches(rule, one[1])), key=lambda one: one[1].age)
        left = [one for one in left if one not in mine]
        selection = rule["selection"]
        if selection["countType"] == "imageCountMoreThan":
            gone |= {index for index, _ in mine[selection["countNumber"] :]}
        else:
            gone |= {index for index, image in mine if image.age > selection["countNumber"]}
    return gone


def read_rules():
    template = resolve(parse((ECS / "registry.yml").read_text()))
    return json.loads(template["Resources"]["Repository"]["Properties"]["LifecyclePolicy"]["LifecyclePolicyText"])[
        "rules"
    ]


RULES = read_rules()
ages = st.integers(0, 5000)
built = st.builds(Image, st.just(frozenset({"0" * 40})), ages)
released = st.builds(Image, st.just(frozenset({"0" * 40, "released-" + "0" * 40})), ages)
untagged = st.builds(Image, st.just(frozenset()), ages)


def is_released(image):
    return any(tag.startswith("released-") for tag in image.tags)


@given(st.lists(built | released | untagged, max_size=30))
def test_the_newest_thousand_releases_are_there_to_go_back_to_whatever_their_age(images):
    later = [Image(frozenset({"released-later"}), 0)] * (1000 - sum(is_released(image) for image in images))
    assert not [index for index in expired(RULES, images + later) if is_released((images + later)[index])]


@pytest.mark.parametrize(
    ("image", "gone"),
    [
        (Image(frozenset({"a" * 40}), 179), False),
        (Image(frozenset({"a" * 40}), 181), True),
        (Image(frozenset(), 13), False),
        (Image(frozenset(), 15), True),
    ],
    ids=["a build", "an old build", "a nameless image", "an old nameless image"],
)
def test_what_was_never_released_goes_in_time(image, gone):
    assert bool(expired(RULES, [image])) is gone


def test_without_the_first_rule_an_old_release_would_be_lost():
    image = Image(frozenset({"a" * 40, "released-" + "a" * 40}), 200)
    assert expired(RULES[1:], [image])


def test_tags_never_move_and_images_are_scanned(resources):
    repository = resources("registry")["Repository"]
    assert repository["ImageTagMutability"] == "IMMUTABLE"
    assert repository["ImageScanningConfiguration"] == {"ScanOnPush": True}


def test_the_parameter_of_the_released_image_is_as_it_was_first_made():
    """Change nothing here. CloudFormation would set all of it anew, the value too, and forget what is released."""
    written = (ECS / "registry.yml").read_text().split("\n  ReleasedImage:\n")[1].split("\n\nOutputs:")[0]
    assert written == (
        "    Type: AWS::SSM::Parameter\n"
        "    DeletionPolicy: RetainExceptOnCreate\n"
        "    UpdateReplacePolicy: Retain\n"
        "    Properties:\n"
        "      Name: !Sub /${Project}/released-image\n"
        "      Type: String\n"
        "      Value: none\n"
        "      AllowedPattern: ^(none|\\S+@sha256:[0-9a-f]{64})$\n"
        "      Description: The image that is released. The delivery writes it."
    )


@pytest.mark.parametrize(
    ("value", "fits"),
    [
        ("none", True),
        (f"123456789012.dkr.ecr.eu-central-1.amazonaws.com/colophon@sha256:{'a' * 64}", True),
        ("123456789012.dkr.ecr.eu-central-1.amazonaws.com/colophon:latest", False),
        (f"sha256:{'a' * 64}", False),
        ("", False),
    ],
)
def test_only_an_image_named_by_its_digest_can_be_released(resources, value, fits):
    assert bool(re.fullmatch(resources("registry")["ReleasedImage"]["AllowedPattern"], value)) is fits
