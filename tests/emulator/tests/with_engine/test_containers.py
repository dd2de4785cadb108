"""Tasks of several containers: their one network, their order at the start and at the stop, each one's own limits."""

import json
import resource

import pytest

from tests.emulator import until

AT = "import time; print(time.monotonic(), flush=True)"
VISIT = """
import socket
with socket.socket() as visitor:
    print(visitor.connect_ex(("127.0.0.1", 8000)))
"""
# On SIGTERM it says so, and ends a little later.
LINGERS = """
import signal, sys, time
def end(*_):
    print("told", time.monotonic(), flush=True)
    time.sleep(.5)
    print("ends", time.monotonic(), flush=True)
    sys.exit()
signal.signal(signal.SIGTERM, end)
print("here", flush=True)
time.sleep(60)
"""
DEAF = """
import signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
for _ in range(600):
    print(time.monotonic(), flush=True)
    time.sleep(.1)
"""
LIMITS = """
import json, os, pathlib, resource
shm = os.statvfs("/dev/shm")
own = pathlib.Path("/proc/1/cmdline").read_text().split("\\0")[0]
limits = resource.getrlimit(resource.RLIMIT_NOFILE)
print(json.dumps({"shm": shm.f_blocks * shm.f_frsize >> 20, "files": limits, "init": own.endswith("init")}))
"""


def python(name, script, **more):
    return {"name": name, "command": ["python3", "-c", script], **more}


def after(name, condition):
    return [{"containerName": name, "condition": condition}]


def of(task, name):
    """Return a container of a task as DescribeTasks does."""
    return next(each for each in task["containers"] if each["name"] == name)


def when(service, task, name):
    """Return when a container that lingers was told to stop, and when it ended."""
    lines = until(lambda: found if len(found := service.log(task, name)) == 3 else None)
    return {what: float(at) for what, at in (line.split() for line in lines[1:])}


def played(service, *beside, **site):
    """Run a task of several containers to its end, and return it."""
    script = site.pop("script", "pass")
    return service.run(service.register("good", beside=beside, **python("site", script), **site))


@pytest.mark.parametrize(("mode", "reached"), [("awsvpc", True), ("bridge", False)])
def test_containers_reach_each_other_over_the_loopback_address_in_awsvpc_mode_alone(service, mode, reached):
    check = ["CMD", "python3", "-c", "import urllib.request as u; u.urlopen('http://127.0.0.1:8000/')"]
    web = {"name": "web", "healthCheck": {"command": check, "interval": 5}}
    task = played(service, web, script=VISIT, dependsOn=after("web", "HEALTHY"), task={"networkMode": mode})
    assert until(lambda: service.log(task)) == ["0" if reached else "111"]  # 111: refused
    interfaces = [interface for each in task["containers"] for interface in each["networkInterfaces"]]
    assert len(interfaces) == (2 if reached else 0)
    assert len({interface["privateIpv4Address"] for interface in interfaces}) == bool(reached)


def test_two_containers_that_listen_at_one_port_collide(service):
    task = service.run(service.register("good", beside=[{"name": "web"}], dependsOn=after("web", "START")))
    collided = [each["name"] for each in task["containers"] if each["exitCode"] == 1]
    assert len(collided) == 1
    assert "Address already in use" in until(lambda: service.log(task, collided[0])[-1:])[0]


def test_visitors_reach_the_container_that_the_service_names_and_no_request_fails_in_a_rollout(live, visitors):
    own = {"PORT": "8001", "HOST": "127.0.0.1"}
    behind = {"name": "behind", "environment": [{"name": name, "value": value} for name, value in own.items()]}
    # The first one ends at once: the network is that of the task, whichever of its containers is there.
    gone = python("gone", "pass", essential=False)
    edge = {"environment": [{"name": "UPSTREAM", "value": "http://127.0.0.1:8001"}]}
    image = live.image("two", PORT="8000")
    release = live.deploy(live.register(image, beside=[gone, behind], dependsOn=after("behind", "START"), **edge))
    assert release["status"] == "SUCCESSFUL"
    until(lambda: visitors.report().seen.get("two"))
    live.steady()
    task = live.tasks()[0]
    assert [of(task, name)["lastStatus"] for name in ("gone", "behind", "site")] == ["STOPPED", "RUNNING", "RUNNING"]
    assert live.deploy(live.register("good"))["status"] == "SUCCESSFUL"


def test_a_container_waits_for_those_that_it_depends_on(service):
    slow = "import sys, time; time.sleep(1); print(time.monotonic()); sys.exit(int(sys.argv[1]))"
    ended = {"name": "ended", "command": ["python3", "-c", slow, "3"], "essential": False}
    done = {"name": "done", "command": ["python3", "-c", slow, "0"], "essential": False}
    done["dependsOn"] = after("ended", "COMPLETE")
    task = played(service, done, ended, script=AT, dependsOn=after("done", "SUCCESS"))
    first, second, third = (until(lambda name=name: service.log(task, name)) for name in ("ended", "done", "site"))
    assert float(first[0]) < float(second[0]) < float(third[0])
    assert [of(task, name)["exitCode"] for name in ("ended", "done", "site")] == [3, 0, 0]
    assert task["stoppedReason"] == "Essential container in task exited"


def test_a_container_does_not_start_after_one_that_failed(service):
    fails = python("fails", "raise SystemExit(1)", essential=False)
    task = played(service, fails, script=AT, dependsOn=after("fails", "SUCCESS"))
    assert (task["stopCode"], task["stoppedReason"]) == ("TaskFailedToStart", "Task failed to start")
    assert (of(task, "fails")["exitCode"], of(task, "site")["exitCode"]) == (1, 143)
    reason = "failed to resolve container ordering dependency [fails] for target [site] as dependency did not exit"
    assert of(task, "site")["reason"].startswith(f"CannotStartContainerError: dependency graph: {reason}")
    assert "startedAt" not in task
    assert "runtimeId" not in of(task, "site")


def test_an_essential_container_that_exits_ends_the_others_which_stop_in_reverse_order(service):
    site = python("site", LINGERS)
    edge = python("edge", LINGERS, dependsOn=after("site", "START"))
    quits = python("quits", "import time; time.sleep(2); raise SystemExit(7)", dependsOn=after("edge", "START"))
    task = service.run(service.register("good", beside=[edge, quits], **site))
    assert task["stopCode"] == "EssentialContainerExited"
    assert [of(task, name)["exitCode"] for name in ("quits", "edge", "site")] == [7, 0, 0]
    assert when(service, task, "edge")["ends"] < when(service, task, "site")["told"]


def test_a_container_that_is_deaf_is_killed_after_its_own_time_and_the_next_is_told_then(service):
    edge = python("edge", DEAF, dependsOn=after("site", "START"), stopTimeout=2)
    definition = service.register("good", beside=[edge], **python("site", LINGERS, stopTimeout=20))
    task = service.ecs("run_task", taskDefinition=definition)["tasks"][0]
    until(lambda: service.task(task["taskArn"])["lastStatus"] == "RUNNING")
    until(lambda: service.log(task, "edge") and service.log(task))
    service.ecs("stop_task", task=task["taskArn"])
    task = until(lambda: found if (found := service.task(task["taskArn"]))["lastStatus"] == "STOPPED" else None)
    assert (of(task, "edge")["exitCode"], of(task, "site")["exitCode"]) == (137, 0)
    assert float(service.log(task, "edge")[-1]) < when(service, task, "site")["told"]


def test_a_container_has_its_own_limits_but_of_files_no_more_than_this_machine(service):
    linux = {"sharedMemorySize": 128, "initProcessEnabled": True}
    files = {"name": "nofile", "softLimit": 1111, "hardLimit": 2222}
    more = {"name": "nofile", "softLimit": 1111, "hardLimit": 2**30}
    other = python("other", LIMITS, essential=False, ulimits=[more])
    task = played(
        service, other, script=LIMITS, linuxParameters=linux, ulimits=[files], dependsOn=after("other", "COMPLETE")
    )
    own, usual = (json.loads(until(lambda name=name: service.log(task, name))[0]) for name in ("site", "other"))
    assert own == {"shm": 128, "files": [1111, 2222], "init": True}
    assert usual == {"shm": 64, "files": [1111, resource.getrlimit(resource.RLIMIT_NOFILE)[1]], "init": False}


def test_a_container_that_takes_too_much_memory_is_killed_alone_unless_it_is_essential(service):
    greedy = python("greedy", "print(len(bytearray(10**9)))", essential=False, memory=32)
    task = played(service, greedy, script="print('well')", dependsOn=after("greedy", "COMPLETE"))
    assert of(task, "greedy")["exitCode"] == 137
    assert of(task, "greedy")["reason"] == "OutOfMemoryError: Container killed due to memory usage"
    assert of(task, "site")["exitCode"] == 0
    assert until(lambda: service.log(task)) == ["well"]


def test_a_container_that_is_not_essential_and_cannot_start_is_gone_without(service):
    odd = {"name": "odd", "command": ["nonsense"], "essential": False}
    task = played(service, odd, script="print('well')")
    assert of(task, "odd")["reason"].startswith("CannotStartContainerError: Error response from daemon: ")
    assert until(lambda: service.log(task)) == ["well"]
