"""Images of the registry: errors by their own names, and tags that are deleted one by one."""

import pytest

from tests.emulator import CallError


def refusal(call):
    with pytest.raises(CallError) as refused:
        call()
    return refused.value.code


def described(aws, **which):
    found = aws("ecr", "describe_images", repositoryName="site", imageIds=[which])["imageDetails"]
    return sorted(found[0]["imageTags"])


def test_an_image_that_is_not_there_is_not_described(aws):
    missing = "ImageNotFoundException"
    assert refusal(lambda: described(aws, imageTag="never")) == missing
    assert refusal(lambda: described(aws, imageDigest=f"sha256:{'0' * 64}")) == missing


def test_pushing_an_image_again_under_its_tag_is_another_error_than_moving_the_tag(aws, push):
    digest = push("an image", "stays")
    assert refusal(lambda: push("an image", "stays")) == "ImageAlreadyExistsException"
    assert refusal(lambda: push("another image", "stays")) == "ImageTagAlreadyExistsException"
    assert push("an image", "stays-too") == digest
    assert described(aws, imageDigest=digest) == ["stays", "stays-too"]


def test_an_image_goes_with_its_last_tag(aws, push):
    digest = push("two names", "one")
    push("two names", "two")

    def delete(**which):
        return aws("ecr", "batch_delete_image", repositoryName="site", imageIds=[which])

    assert delete(imageTag="one")["imageIds"] == [{"imageDigest": digest, "imageTag": "one"}]
    assert described(aws, imageDigest=digest) == ["two"]
    delete(imageTag="two")
    assert refusal(lambda: described(aws, imageDigest=digest)) == "ImageNotFoundException"
    assert delete(imageTag="two")["failures"][0]["failureCode"] == "ImageNotFound"


def test_an_image_that_is_deleted_by_its_digest_takes_its_tags_along(aws, push):
    digest = push("three names", "a")
    push("three names", "b")
    deleted = aws("ecr", "batch_delete_image", repositoryName="site", imageIds=[{"imageDigest": digest}])["imageIds"]
    assert {image["imageTag"] for image in deleted} == {"a", "b"}
    assert refusal(lambda: described(aws, imageTag="b")) == "ImageNotFoundException"
