"""Calls to AWS."""

import pytest

from delivery import aws


@pytest.fixture
def answer(tmp_path, monkeypatch):
    """Play the program `aws`, which answers with a text and notes what it was asked."""

    def play(text):
        def output(*command, env, quiet, shielded):
            assert shielded
            asked.append((command, env, quiet))
            return text

        monkeypatch.setattr(aws, "output", output)

    asked = []
    play.asked = asked
    return play


def test_an_answer_is_read_and_none_is_none(answer):
    answer('{"Account": "1"}\n')
    assert aws.call("sts", "get-caller-identity") == {"Account": "1"}
    answer("\n")
    assert aws.call("s3api", "put-object") is None


def test_it_asks_for_json_and_for_no_pager(answer):
    answer("")
    aws.call("ecs", "list-tasks", "--cluster", "c", quiet=True)
    assert answer.asked == [
        (("aws", "ecs", "list-tasks", "--cluster", "c", "--output", "json"), {"AWS_PAGER": ""}, True)
    ]
