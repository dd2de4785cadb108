"""What ECS tells of a task, in the shapes of its Developer Guide; and what happens when it tells nothing."""

import json
import logging
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from colophon.release import passport, task
from colophon.release.task import Task, image_and_task
from tests.conftest import any_database
from tests.releases import DIGEST, RELEASED, TASK, released

ACCOUNT = "111122223333"
IMAGE = f"{ACCOUNT}.dkr.ecr.eu-west-1.amazonaws.com/colophon@{DIGEST}"
CLUSTER = f"arn:aws:ecs:eu-west-1:{ACCOUNT}:cluster/colophon"
ARN = f"arn:aws:ecs:eu-west-1:{ACCOUNT}:task/colophon/{TASK.id}"
CONTAINER = {
    "DockerId": "ea32192c8553fbff06c9340478a2ff089b2bb5646fb718b4ee206641c9086d66",
    "Name": "site",
    "DockerName": "ecs-colophon-42-site-cca48e8dcadd97805600",
    "Image": IMAGE,
    "ImageID": "sha256:" + "d691691e" * 8,
    "Labels": {
        "com.amazonaws.ecs.cluster": CLUSTER,
        "com.amazonaws.ecs.container-name": "site",
        "com.amazonaws.ecs.task-arn": ARN,
        "com.amazonaws.ecs.task-definition-family": "colophon",
        "com.amazonaws.ecs.task-definition-version": "42",
    },
    "DesiredStatus": "RUNNING",
    "KnownStatus": "RUNNING",
    "Limits": {"CPU": 256, "Memory": 512},
    "CreatedAt": "2026-11-21T10:05:00.0Z",
    "StartedAt": "2026-11-21T10:05:02.0Z",
    "Type": "NORMAL",
    "Networks": [{"NetworkMode": "bridge", "IPv4Addresses": ["172.17.0.2"]}],
}
ON_ECS = {
    "Cluster": CLUSTER,
    "TaskARN": ARN,
    "Family": "colophon",
    "Revision": "42",
    "DesiredStatus": "RUNNING",
    "KnownStatus": "RUNNING",
    "PullStartedAt": "2026-11-21T10:04:40.0Z",
    "PullStoppedAt": "2026-11-21T10:04:59.0Z",
    "AvailabilityZone": "eu-west-1a",
    "LaunchType": "EC2",
    "Containers": [CONTAINER],
}


class Agent(ThreadingHTTPServer):
    """What answers at the endpoint: `answers` maps a path to a status and a body; it is late with those in `late`."""

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Requested)
        self.base = "/v4/ea32192c8553fbff"
        self.address = f"http://127.0.0.1:{self.server_port}{self.base}"
        self.requested = []
        self.late = set()
        self.over = threading.Event()
        self.tell(CONTAINER, ON_ECS)

    def tell(self, container, task):
        self.answers = {
            self.base: (200, json.dumps(container).encode()),
            f"{self.base}/task": (200, json.dumps(task).encode()),
        }


class Requested(BaseHTTPRequestHandler):
    def do_GET(self):
        self.server.requested.append(self.path)
        answer = self.server.answers.get(self.path, (404, b""))
        if self.path in self.server.late:
            self.server.over.wait(2)
        self.send_response(answer[0])
        self.send_header("Content-Length", str(len(answer[1])))
        self.end_headers()
        self.wfile.write(answer[1])

    def log_message(self, *_):
        pass


@pytest.fixture
def agent(monkeypatch):
    server = Agent()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    monkeypatch.setenv(task.VARIABLE, server.address)
    yield server
    server.over.set()
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def warnings(caplog):
    """What was warned of, as the reasons that were given."""
    caplog.set_level(logging.WARNING, "colophon.release.task")
    return lambda: [record.reason for record in caplog.records if record.levelname == "WARNING"]


def test_a_task_knows_its_image_and_itself(agent, warnings):
    assert image_and_task() == (DIGEST, TASK)
    assert warnings() == []


def test_outside_ecs_nothing_is_asked_and_nothing_warned_of(monkeypatch, warnings):
    monkeypatch.delenv(task.VARIABLE, raising=False)
    assert image_and_task() == (None, None)
    assert warnings() == []


@pytest.mark.parametrize("zone", [{}, {"AvailabilityZone": ""}, {"AvailabilityZone": None}])
def test_a_task_need_not_know_its_zone(agent, zone):
    agent.tell(CONTAINER, {name: value for name, value in ON_ECS.items() if name != "AvailabilityZone"} | zone)
    assert image_and_task() == (DIGEST, Task(TASK.id, "colophon:42", None))


def test_an_image_that_is_named_by_its_tag_has_no_digest(agent):
    agent.tell(CONTAINER | {"Image": IMAGE.replace(f"@{DIGEST}", ":latest")}, ON_ECS)
    assert image_and_task() == (None, TASK)


def test_a_task_with_an_arn_of_the_old_format_is_known(agent):
    agent.tell(CONTAINER, ON_ECS | {"TaskARN": ARN.replace("/colophon/", "/")})
    assert image_and_task() == (DIGEST, TASK)


@pytest.mark.parametrize(
    ("container", "task"),
    [
        ({}, ON_ECS),
        ([], ON_ECS),
        (None, ON_ECS),
        ({"Image": None}, ON_ECS),
        (CONTAINER, {}),
        (CONTAINER, []),
        (CONTAINER, ON_ECS | {"TaskARN": "<b>"}),
        (CONTAINER, ON_ECS | {"TaskARN": None}),
        (CONTAINER, ON_ECS | {"Family": "<b>"}),
        (CONTAINER, ON_ECS | {"Revision": "<b>"}),
        (CONTAINER, ON_ECS | {"AvailabilityZone": 1}),
    ],
)
def test_an_answer_of_another_shape_is_warned_of(agent, warnings, container, task):
    agent.tell(container, task)
    assert image_and_task() == (None, None)
    assert len(warnings()) == 1


@pytest.mark.parametrize("answer", [(404, b""), (500, b"{}"), (200, b""), (200, b"<html>"), (200, b"[" * 100_000)])
@pytest.mark.parametrize("place", ["", "/task"])
def test_an_answer_that_is_none_is_warned_of(agent, warnings, answer, place):
    agent.answers[agent.base + place] = answer
    assert image_and_task() == (None, None)
    assert len(warnings()) == 1


@pytest.mark.parametrize("place", ["", "/task"])
def test_an_answer_that_is_late_is_not_waited_for(agent, warnings, monkeypatch, place):
    monkeypatch.setattr(task, "SECONDS", 0.1)
    agent.late.add(agent.base + place)
    assert image_and_task() == (None, None)
    assert [reason.split(":")[0] for reason in warnings()] == ["TimeoutError"]


@pytest.mark.parametrize(
    "address", ["http://127.0.0.1:1/v4/x", "http://127.0.0.1:x/", "file:///etc/passwd", "nonsense"]
)
def test_an_address_where_nobody_is_is_warned_of(monkeypatch, warnings, address):
    monkeypatch.setenv(task.VARIABLE, address)
    assert image_and_task() == (None, None)
    assert len(warnings()) == 1


def test_no_proxy_is_asked(agent, monkeypatch):
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    assert image_and_task() == (DIGEST, TASK)


def test_the_passport_shows_neither_account_nor_cluster(agent):
    shown = passport.current().json()
    assert json.loads(shown)["image_digest"] == DIGEST
    assert json.loads(shown)["task"] == {"id": TASK.id, "revision": "colophon:42", "zone": "eu-west-1a"}
    for secret in (ACCOUNT, "arn:", "amazonaws", "cluster", "172.17.0.2", agent.address):
        assert secret not in shown


@any_database
def test_ecs_is_asked_once_however_many_come(agent, make_app, tmp_path, monkeypatch):
    monkeypatch.setattr(passport, "RELEASE", tmp_path / "release.json")
    passport.RELEASE.write_text(json.dumps(RELEASED))
    client = make_app().test_client()
    for _ in range(5):
        assert client.get("/release.json").json["task"]["id"] == TASK.id
        assert TASK.id in client.get("/colophon").text
    assert agent.requested == [agent.base, f"{agent.base}/task"]


@any_database
def test_a_release_that_is_given_asks_nobody(agent, make_app):
    make_app(release=released())
    assert agent.requested == []
