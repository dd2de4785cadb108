"""The emulator as a whole: its parts put together, and served by one process."""

from __future__ import annotations

import asyncio
import contextlib
import json
import signal
import socket
from typing import TYPE_CHECKING, Any

from hypercorn.asyncio import serve
from hypercorn.config import Config
from ministack import app

from . import api, authorization, pages, partition, schemas, store, wire
from .awkward import Awkward, UnknownKindError, hang_up
from .judge import Judge
from .limitations import LIMITATIONS
from .load_balancers import Balancers
from .model import World
from .pace import Pace
from .registry import Registry
from .scheduler import Scheduler
from .stacks import Stacks
from .tasks import Runner

if TYPE_CHECKING:
    from .engine import Engine
    from .model import Json
    from .wire import Answer, Call

LAST_TASKS = 10.0  # seconds that tasks get to end by themselves before they are removed


class Server:
    """The emulator at 127.0.0.1:`port`, with the engine to run tasks in."""

    def __init__(self, engine: Engine, port: int, region: str, factor: float, database: str | None) -> None:
        self.port = port
        self.region = region
        self.world = World(Pace(factor))
        self.engine = engine
        self.awkward = Awkward(self.world)
        carried_out = self.awkward.late(partition.translated(self._carry_out, partition.of(region)))
        self.answer = self.awkward.faulty(pages.in_pages(carried_out, lambda: self.awkward.page))
        self.balancers = Balancers(self.world)
        self.registry = Registry(f"127.0.0.1:{port}")
        # Containers reach the host by their network's gateway; where the engine runs in a machine of its own, by name.
        self.hosts, reached = _hosts(self.engine.gateway)
        self.runner = Runner(self.world, self.engine, self.balancers, self.registry, f"http://{reached}:{port}")
        self.api = api.Api(self.world, self.runner)
        self.scheduler = Scheduler(self.world, self.api.launch, self.balancers.states, store.alarmed, store.bake)
        self.runner.ended = self.scheduler.ended
        authorization.install()
        store.install()
        wire.install()
        self.registry.install()
        self.balancers.install()
        self.api.install()
        Stacks(self.world, self.balancers, database).install()
        schemas.install(region)
        self.judge = Judge()
        self.judge.install()
        # ministack removes containers that are not its own; these are, and are removed here.
        app._stop_docker_containers = lambda *_: None
        app.container_reaper.start = lambda *_: None
        app.BANNER = ""

    async def serve(self) -> None:
        """Answer until SIGTERM or Ctrl-C. Print the URL once requests are answered."""
        config = Config()
        config.bind = [f"{host}:{self.port}" for host in self.hosts]
        config.loglevel = "WARNING"
        config.graceful_timeout = 1
        config.keep_alive_timeout = 75
        config.include_date_header = False  # AWS's clock may be another
        stopped, loop = asyncio.Event(), asyncio.get_running_loop()
        for name in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(name, stopped.set)
        self.scheduler.start()
        announcing = loop.create_task(self._announce())
        await serve(self._answer, config, shutdown_trigger=stopped.wait)
        announcing.cancel()

    def end(self) -> None:
        """Stop the tasks, and remove all that was made."""
        self.scheduler.end()
        with self.world.lock:
            for task in self.world.tasks.values():
                task.stop("The emulator ends", "UserInitiated")
        self.runner.ending.set()
        self.balancers.end()
        self.engine.clean(self.registry.address)
        self.runner.join(LAST_TASKS)

    async def _announce(self) -> None:
        while True:
            with contextlib.suppress(OSError):
                _, writer = await asyncio.open_connection("127.0.0.1", self.port)
                writer.close()
                print(f"http://127.0.0.1:{self.port}", flush=True)
                return
            await asyncio.sleep(0.05)

    async def _answer(self, scope: Any, receive: Any, send: Any) -> None:
        """Answer a request: one to /_emulator here, all others by ministack."""
        if scope["type"] != "http":
            await app.app(scope, receive, send)
        elif scope["path"] == "/_emulator":
            answer = await self._behave(receive) if scope["method"] == "POST" else self._show()
            await answer.send(send, self.awkward.date())
        else:
            # AWS's own API is always encrypted, and policies that demand it are held against every request.
            scope = {**scope, "headers": [*scope["headers"], (b"x-forwarded-proto", b"https")]}
            call = await wire.read(scope, receive)
            if call is None:
                await app.app(scope, receive, send)
                return
            answer = await self.answer(call)
            if self.awkward.loses(call, answer):
                await hang_up(send)
            else:
                await answer.send(send, self.awkward.date())

    async def _carry_out(self, call: Call) -> Answer:
        return await wire.carry_out(app.app, call)

    async def _behave(self, receive: Any) -> Answer:
        """Have the faults that a request names, and no others."""
        try:
            self.awkward.set(frozenset(json.loads(await wire.whole(receive))))
        except UnknownKindError as error:
            return wire.Answer(400, [], str(error).encode())
        return self._show()

    def _show(self) -> Answer:
        return wire.Answer(200, [(b"content-type", b"application/json")], json.dumps(self.state()).encode())

    def state(self) -> Json:
        """Return the state that AWS's API does not show."""
        with self.world.lock:
            return {
                "region": self.region,
                "partition": partition.of(self.region),
                "pace": self.world.pace.factor,
                "awkward": sorted(self.awkward.kinds),
                "calls": self.awkward.calls,
                "network": self.engine.network,
                "gateway": self.engine.gateway,
                "load_balancers": {arn.split("/")[-2]: f"http://{at}" for arn, at in self.balancers.addresses.items()},
                "judged": dict(self.judge.judged),
                "wrong": self.judge.wrong,
                "limitations": [{"what": what, "why": why} for what, why in LIMITATIONS.items()],
            }


def _hosts(gateway: str) -> tuple[list[str], str]:
    """Return the addresses to listen at, and the one by which containers reach this machine."""
    with socket.socket() as probe:
        try:
            probe.bind((gateway, 0))
        except OSError:
            return ["127.0.0.1"], "host.docker.internal"
    return list(dict.fromkeys(["127.0.0.1", gateway])), gateway
