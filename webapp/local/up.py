"""`make up`: from an empty machine to a running Logboom, and back.

Order: PostgreSQL, broker and cache; then tables, admin and tokens; then ingest, web, worker, beat and Flower;
then the demo producer. Each step is a line with its seconds; a failure is a cause, a cure and a log file.
DATABASE_URL, BROKER_URL and CACHE_URL, where given, name real servers and nothing is started for them.
"""

import os
import signal
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NoReturn

from webapp import env, stacks
from webapp.local import bundle, installation, machine, plan, prepare, summary
from webapp.local.installation import LOGS, VAR
from webapp.local.machine import Trouble
from webapp.local.servers import ServerError
from webapp.local.steps import step
from webapp.local.supervisor import Child, StartError, Stopped, Supervisor

SERVERS = {"DATABASE_URL": "postgres", "BROKER_URL": "broker", "CACHE_URL": "cache"}
STAGES = (("producer",), ("flower", "beat", "ingest", "web"), ("worker",), ("cache", "broker"), ("postgres",))
FAMILIES = ("web", "ingest")  # granian serves from a process of its own
LOOK_SECONDS = 1.0  # how often up.json is compared with the processes there are


def up(*, demo: bool, began: float, ready: Callable[[], bool]) -> int:
    """Runs until it is told to stop; the exit code."""
    try:
        machine.check_directory(VAR)
        with installation.locked():
            return Local(demo=demo, began=began, ready=ready).run()
    except (Trouble, installation.AlreadyUp) as trouble:
        complain(trouble)
        return 1


def complain(trouble: Exception) -> None:
    print(f"\n  {trouble}\n", file=sys.stderr, flush=True)


def foreground() -> bool:
    """Once everything runs: whether the log lines shall go to the terminal from now on."""
    return True


class Local:
    """One run of the local installation."""

    def __init__(self, *, demo: bool, began: float, ready: Callable[[], bool]) -> None:
        self.demo, self.began, self.ready = demo, began, ready
        self.supervisor = Supervisor(say)
        self.facts: dict[str, Any] = {}

    def run(self) -> int:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, self.supervisor.ask_to_stop)
        stacks.on_signal()
        try:
            self.bring_up()
            self.supervisor.showing = self.ready()
            self.watch()
        except Stopped:
            return 0
        except (Trouble, ServerError, StartError) as trouble:
            complain(trouble)
            return 1
        finally:
            self.bring_down()

    def bring_up(self) -> None:
        machine.check_ports(plan.ports())
        for variable in SERVERS.keys() - plan.embedded().keys():
            with step(f"{variable} is what Logboom wants"):
                machine.check_server(variable, env.text(variable))
        environment = plan.environment(self.start_servers())
        installation.write(installation.ENVIRONMENT, environment)
        self.build_explorer()
        self.prepare(environment)
        self.start_roles(environment)
        self.facts = facts(environment)
        self.publish_pids()
        print(summary.text(self.facts, time.time() - self.began, demo=self.demo), flush=True)
        installation.keep_secret("password_shown", "yes")

    def start_servers(self) -> dict[str, str]:
        """The URL of each server, ours or given."""
        urls = {variable: env.text(variable) for variable in SERVERS}
        own = plan.embedded()
        with step(
            f"Servers started: {', '.join(SERVERS[variable] for variable in own) or 'none of our own'}"
        ):
            children = []
            for variable, make in own.items():
                launch = make()
                urls[variable] = launch.url
                children.append(plan.server_child(SERVERS[variable], launch))
                self.supervisor.start(children[-1])
            for child in children:
                self.wait(child)
        return urls

    def build_explorer(self) -> None:
        if bundle.fresh():
            return
        try:
            with step("Explorer built"):
                bundle.build()
        except bundle.Unbuilt as reason:
            print(f"  No explorer, the plain search page serves instead: {reason}", flush=True)

    def prepare(self, environment: dict[str, str]) -> None:
        child = Child(
            name="prepare",
            argv=(sys.executable, "-m", "webapp.local.prepare"),
            log=LOGS / "prepare.log",
            environment={**os.environ, **environment, "ROLE": "manage"},
        )
        try:
            self.supervisor.run_once(child, lambda line: print(line, flush=True))
        except StartError as error:
            raise trouble_with("The database could not be prepared", error, child.log) from error

    def start_roles(self, environment: dict[str, str]) -> None:
        """All at once, so that the two cores are used; the lines come in the order of readiness."""
        children = plan.role_children(environment)
        for child in children:
            self.supervisor.start(child)
        for child in children:
            with step(f"{child.name} is ready"):
                self.wait(child)
        prepared = installation.read(prepare.RESULT)
        self.demo = self.demo and prepared["demo"]
        if self.demo:
            self.supervisor.start(producer := plan.producer_child(environment, prepared["story"]))
            self.wait(producer)

    def wait(self, child: Child) -> None:
        try:
            self.supervisor.wait_ready(child)
        except StartError as error:
            raise trouble_with(f"{child.name} did not start", error, child.log) from error

    def watch(self) -> NoReturn:
        looked = time.monotonic()
        while True:
            self.supervisor.step(0.2)
            if time.monotonic() - looked > LOOK_SECONDS:
                looked = time.monotonic()
                self.publish_pids()

    def bring_down(self) -> None:
        began = time.monotonic()
        self.supervisor.showing = False
        self.supervisor.stop(STAGES)
        self.publish_pids()
        if self.facts:
            say(f"stopped in {time.monotonic() - began:.1f} s; your data stays in {VAR}")

    def publish_pids(self) -> None:
        """Into up.json, when they changed."""
        pids = {name: [pid, *family(name, pid)] for name, pid in self.supervisor.pids().items()}
        if self.facts and self.facts["pids"] != pids:
            self.facts["pids"] = pids
            installation.write(installation.UP, self.facts)


def trouble_with(what: str, error: Exception, log: Path) -> Trouble:
    return Trouble(f"{what}: {error}\n  {machine.cure(str(error))}\n  Log: {log}")


def family(name: str, pid: int) -> Sequence[int]:
    """The processes that a web server started."""
    if name not in FAMILIES:
        return []
    try:
        return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:  # it just ended
        return []


def facts(environment: dict[str, str]) -> dict[str, Any]:
    """The content of up.json, but for the pids."""
    kept = installation.read(installation.SECRETS)
    prepared = installation.read(prepare.RESULT)
    return {
        "web_url": environment["PUBLIC_URL"],
        "ingest_url": environment["INGEST_PUBLIC_URL"],
        "flower_url": f"{environment['PUBLIC_URL']}/flower/",
        "admin_user": prepare.ADMIN,
        "admin_password": kept["admin_password"] if prepared["password_fits"] else None,
        "ingest_token": kept["ingest_token"],
        "read_token": kept["read_token"],
        "admin_token": kept["admin_token"],
        "database_url": environment["DATABASE_URL"],
        "edition": prepared["edition"],
        "pids": {},
    }


def say(sentence: str) -> None:
    print(f"logboom  | {sentence}", flush=True)
