"""Targets: health checks, and the targets that get requests."""

import asyncio
from contextlib import asynccontextmanager

import pytest

from tests.emulator.pace import Pace
from tests.emulator.targets import Check, Target, Targets, codes, probe
from tests.emulator.tests.without_engine.scripted_service import quiet

GROUP = "arn:aws:elasticloadbalancing:eu-central-1:123456789012:targetgroup/books/1"
CHECK = Check(path="/readyz", healthy=2, unhealthy=3)
WRONG = ("Target.ResponseCodeMismatch", "Health checks failed with these codes: [500]")


def target(name="initial"):
    return Target(GROUP, "10.0.0.1", 8000, "127.0.0.1", 1, name=name)


def states(checked, *results):
    """Return the state after each result, where None is a good one."""
    found = []
    for result in results:
        checked.note(CHECK, result)
        found.append(checked.name)
    return found


def test_a_new_target_is_healthy_after_one_good_check():
    assert states(target(), WRONG, None) == ["initial", "healthy"]


def test_a_new_target_is_unhealthy_after_as_many_bad_ones_as_its_group_says():
    assert states(target(), WRONG, WRONG, WRONG) == ["initial", "initial", "unhealthy"]


def test_a_healthy_target_is_given_the_same_chances():
    assert states(target("healthy"), WRONG, WRONG, None, WRONG, WRONG, WRONG) == ["healthy"] * 5 + ["unhealthy"]


def test_an_unhealthy_target_must_prove_itself():
    assert states(target("unhealthy"), None, WRONG, None, None) == ["unhealthy", "unhealthy", "unhealthy", "healthy"]


def test_the_reason_is_that_of_the_last_bad_check():
    checked = target()
    states(checked, WRONG, WRONG, WRONG, ("Target.Timeout", "Request timed out"))
    assert (checked.reason, checked.description) == ("Target.Timeout", "Request timed out")


def test_a_healthy_target_has_no_reason():
    checked = target("unhealthy")
    states(checked, None, None)
    assert (checked.reason, checked.description) == ("", "")


def test_a_draining_target_stays_so():
    assert states(target("draining"), *[None] * 3, *[WRONG] * 3) == ["draining"] * 6


@pytest.mark.parametrize(("matcher", "accepted"), [("200", {200}), ("200-202,301", {200, 201, 202, 301})])
def test_a_matcher_lists_codes_and_ranges(matcher, accepted):
    assert codes(matcher) == accepted


@pytest.fixture
def targets():
    """Targets without health checks: their loop does not run."""
    loop = asyncio.new_event_loop()
    yield Targets(loop, Pace(), lambda _: Check(drain=36000))
    loop.close()


def add(targets, *names):
    added = [targets.add(GROUP, f"10.0.0.{number}", 8000, "127.0.0.1", 1) for number, _ in enumerate(names)]
    for one, name in zip(added, names, strict=True):
        if name == "draining":
            targets.drain(one)
        else:
            one.name = name
    return added


@pytest.mark.parametrize("other", ["initial", "unhealthy", "draining"])
def test_only_healthy_targets_are_used(targets, other):
    healthy, _ = add(targets, "healthy", other)
    assert [next(targets.usable(GROUP)) for _ in range(4)] == [healthy] * 4


def test_healthy_targets_take_turns(targets):
    first, second = add(targets, "healthy", "healthy")
    used = [next(targets.usable(GROUP)) for _ in range(4)]
    assert used.count(first) == used.count(second) == 2


def test_a_group_of_unhealthy_targets_fails_open(targets):
    unhealthy, _ = add(targets, "unhealthy", "draining")
    assert list(targets.usable(GROUP)) == [unhealthy]


@pytest.mark.parametrize("names", [(), ("initial",), ("initial", "unhealthy"), ("draining",)])
def test_a_group_with_new_or_draining_targets_alone_offers_none(targets, names):
    add(targets, *names)
    assert list(targets.usable(GROUP)) == []


def test_a_target_drains_for_as_long_as_its_group_says(targets):
    (one,) = add(targets, "healthy")
    assert targets.drain(one) == 3600  # ten hours at a tenth
    assert targets.of(GROUP) == [one]
    assert one.name == "draining"
    one.until = 0
    assert targets.of(GROUP) == []


def test_groups_do_not_share_targets(targets):
    add(targets, "healthy")
    assert targets.of(GROUP + "2") == []


@asynccontextmanager
async def server(*answers):
    """Serve these answers in turn, the last one again and again, None by silence; yield the port and the requests."""
    requests, left = [], list(answers)

    async def serve(reader, writer):
        requests.append((await reader.readuntil(b"\r\n\r\n")).decode())
        answer = left.pop(0) if len(left) > 1 else left[0]
        if answer is None:
            await reader.read()
        else:
            writer.write(answer)
        writer.close()

    listening = await asyncio.start_server(serve, "127.0.0.1", 0)
    yield listening.sockets[0].getsockname()[1], requests
    listening.close()
    await quiet()


async def probed(answer, check=CHECK):
    """Return a probe's result at a server that answers so, and the probe's requests."""
    async with server(answer) as (port, requests):
        return await probe("127.0.0.1", port, check), requests


@pytest.mark.parametrize(
    ("answer", "found"),
    [
        (b"HTTP/1.1 200 OK\r\n\r\n", None),
        (b"HTTP/1.1 500 No\r\n\r\n", WRONG),
        (b"HTTP/1.1 204 None\r\n\r\n", (WRONG[0], "Health checks failed with these codes: [204]")),
        (b"SSH-2.0-x\r\n", ("Target.FailedHealthChecks", "Health checks failed")),
        (b"", ("Target.FailedHealthChecks", "Health checks failed")),
    ],
)
def test_a_probe_judges_the_answer(answer, found):
    assert asyncio.run(probed(answer))[0] == found


def test_a_probe_does_not_wait_for_ever():
    assert asyncio.run(probed(None, Check(timeout=0.05)))[0] == ("Target.Timeout", "Request timed out")


def test_a_probe_of_a_closed_port_fails():
    assert asyncio.run(probe("127.0.0.1", 1, CHECK)) == ("Target.FailedHealthChecks", "Health checks failed")


def test_a_probe_requests_the_path_as_elbs_health_checker():
    _, (request,) = asyncio.run(probed(b"HTTP/1.1 200 OK\r\n\r\n"))
    assert request.startswith("GET /readyz HTTP/1.1\r\n")
    assert "User-Agent: ELB-HealthChecker/2.0\r\n" in request


def test_targets_are_checked_until_they_are_taken_out():
    async def scene():
        async with server(b"HTTP/1.1 503 No\r\n\r\n", b"HTTP/1.1 200 OK\r\n\r\n") as (port, _), asyncio.timeout(20):
            targets = Targets(asyncio.get_running_loop(), Pace(1000), lambda _: CHECK)
            one = targets.add(GROUP, "10.0.0.1", 8000, "127.0.0.1", port)
            while one.name != "healthy":
                await asyncio.sleep(0.01)
            targets.drain(one)
            assert one.probing
            await one.probing

    asyncio.run(scene())
