"""The rules of layout that can be executed; each is shown to bite by a planted violation."""

import ast
import os
import re
import statistics
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import pytest

from convoke.contracts import EVENTS
from convoke.contracts import topology as contracts_topology
from convoke.contracts.topology import TOPOLOGY, Stream

REPOSITORY = Path(__file__).parents[2]
SOURCES = sorted(
    [
        *REPOSITORY.glob("services/*/src"),
        REPOSITORY / "shared/src",
        REPOSITORY / "deploy/zoom-sandbox/src",
        REPOSITORY / "deploy/local/src",
    ]
)
SERVICES = sorted(path.name for path in (REPOSITORY / "services").iterdir() if path.is_dir())
DRAWERS = {"utils", "util", "helpers", "helper", "common", "misc", "manager", "managers", "base"}
LONGEST_MODULE, LONGEST_FUNCTION, MEDIAN_FUNCTION, LONGEST_MAIN = 300, 60, 10, 25
INDEX = re.compile(
    r"--(?:extra-)?index-url|(?:extra-)?index[-_]url\s*=|--find-links|--trusted-host|\[\[tool\.uv\.index\]\]"
    r"|https?://\S*(?:/simple\b|pypi|pythonhosted|artifactory|npmjs|registry)",
    re.IGNORECASE,
)
Rule = Callable[[Path], Iterable[str]]


def modules(folders: Iterable[Path]) -> Iterator[Path]:
    for folder in folders:
        yield from sorted(folder.rglob("*.py"))


def functions(module: Path) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in ast.walk(ast.parse(module.read_text())):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def length(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    return (function.end_lineno or 0) - function.lineno + 1


def has_no_docstring(module: Path) -> Iterable[str]:
    tree = ast.parse(module.read_text())
    if tree.body and ast.get_docstring(tree) is None:
        yield "has no docstring"


def is_a_drawer(module: Path) -> Iterable[str]:
    parts = {*module.parts[-4:-1], module.stem}
    if drawer := DRAWERS & parts:
        yield f"is named {drawer.pop()}"


def is_too_long(module: Path) -> Iterable[str]:
    lines = len(module.read_text().splitlines())
    if lines > LONGEST_MODULE:
        yield f"has {lines} lines"


def has_a_long_function(module: Path) -> Iterable[str]:
    for function in functions(module):
        if length(function) > LONGEST_FUNCTION:
            yield f"{function.name} has {length(function)} lines"


def is_a_long_entry_point(module: Path) -> Iterable[str]:
    lines = len(module.read_text().splitlines())
    if module.name == "__main__.py" and "services" in module.parts and lines > LONGEST_MAIN:
        yield f"has {lines} lines"


RULES: dict[str, tuple[Rule, str, str]] = {
    "every module says what it owns": (has_no_docstring, "domain.py", "x = 1\n"),
    "no module is a drawer": (is_a_drawer, "utils.py", '"""Everything."""\n'),
    "modules are short": (is_too_long, "domain.py", '"""Long."""\n' + "x = 1\n" * LONGEST_MODULE),
    "functions are short": (has_a_long_function, "domain.py", "def f():\n" + "    x = 1\n" * LONGEST_FUNCTION),
    "entry points fit on a screen": (is_a_long_entry_point, "services/a/__main__.py", "x = 1\n" * (LONGEST_MAIN + 1)),
}


@pytest.mark.parametrize("name", RULES)
def test_a_rule_is_kept_by_every_module(name: str):
    rule, everywhere = RULES[name][0], modules([*SOURCES, REPOSITORY / "tests"])
    broken = [f"{module.relative_to(REPOSITORY)} {what}" for module in everywhere for what in rule(module)]
    assert broken == []


@pytest.mark.parametrize("name", RULES)
def test_a_rule_bites(name: str, tmp_path: Path):
    rule, path, planted = RULES[name]
    module = tmp_path / path
    module.parent.mkdir(parents=True, exist_ok=True)
    module.write_text(planted)
    assert list(rule(module))


@pytest.mark.parametrize("source", SOURCES, ids=lambda source: source.parent.name)
def test_half_of_all_functions_are_ten_lines_or_shorter(source: Path):
    assert statistics.median(length(function) for module in modules([source]) for function in functions(module)) <= (
        MEDIAN_FUNCTION
    )


def test_every_service_has_the_modules_that_make_it_one():
    for service in SERVICES:
        package = REPOSITORY / "services" / service / "src" / service.replace("-", "_")
        for name in ("__main__", "app", "settings", "messaging", "http"):
            assert (package / f"{name}.py").exists() or (package / name / "__init__.py").exists(), f"{service}: {name}"


IMPORT_ALL = """
import importlib, pkgutil, socket, sys, threading

def refuse(*_, **__):
    raise AssertionError("a socket was opened at import")

import asyncio, httpx, motor.motor_asyncio, pymongo, fastapi, faststream.rabbit
socket.socket.connect = socket.socket.connect_ex = socket.socket.bind = socket.create_connection = refuse
socket.getaddrinfo = refuse

CLIENTS = (httpx.Client, httpx.AsyncClient, pymongo.MongoClient, motor.motor_asyncio.AsyncIOMotorClient,
           fastapi.FastAPI, fastapi.APIRouter, faststream.rabbit.RabbitBroker, faststream.rabbit.RabbitRouter)

threads = threading.active_count()
for name in sys.argv[1:]:
    count = 0
    package = importlib.import_module(name)
    prefix = package.__name__ + "."
    for found in pkgutil.walk_packages(package.__path__, prefix):
        if found.name.endswith(".__main__"):
            continue  # a program is there to be run
        module = importlib.import_module(found.name)
        count += 1
        for attribute, value in vars(module).items():
            assert not isinstance(value, CLIENTS), f"{found.name}.{attribute} was built at import"
    assert threading.active_count() == threads, f"a thread was started at import of {name}"
    print(name, count)
"""


def import_all(packages: list[str], folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(  # noqa: S603 - our own program
        [sys.executable, "-c", IMPORT_ALL, *packages], cwd=folder, capture_output=True, text=True, check=False
    )


def packages_in(source: Path) -> list[str]:
    return [path.parent.name for path in source.glob("*/__init__.py")]


@pytest.fixture(scope="module")
def imported() -> dict[str, int]:
    """Return how many modules of each package were imported, all in one process: that takes a second for each."""
    done = import_all([name for source in SOURCES for name in packages_in(source)], REPOSITORY)
    assert done.returncode == 0, done.stderr
    return {name: int(count) for name, count in (line.split() for line in done.stdout.splitlines())}


@pytest.mark.parametrize("source", SOURCES, ids=lambda source: source.parent.name)
def test_nothing_is_built_at_import(source: Path, imported: dict[str, int]):
    packages = packages_in(source)
    own = {module for module in modules([source]) if module.stem != "__main__"}
    assert sum(imported[name] for name in packages) == len(own) - len(packages), "some module was not imported"


@pytest.mark.parametrize(
    "planted",
    [
        "import httpx\nclient = httpx.AsyncClient()",
        "from fastapi import APIRouter\nrouter = APIRouter()",
        "import socket\nsocket.create_connection(('127.0.0.1', 9))",
        "import threading, time\nthreading.Thread(target=time.sleep, args=(5,), daemon=True).start()",
    ],
)
def test_what_is_built_at_import_is_found(planted: str, tmp_path: Path):
    (tmp_path / "planted").mkdir()
    (tmp_path / "planted/__init__.py").touch()
    (tmp_path / "planted/module.py").write_text(planted)
    done = import_all(["planted"], tmp_path)
    assert "at import" in done.stderr


def subscribed(source: str) -> list[str]:
    """Return the names of the streams that the source of a `messaging` module subscribes to."""
    calls = (node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Call))
    return [
        ast.unparse(call.args[0])
        for call in calls
        if isinstance(call.func, ast.Name) and call.func.id == "Subscription" and call.args
    ]


def subscribers() -> dict[str, list[str]]:
    """Return which services subscribe to each queue."""
    found: dict[str, list[str]] = {stream.queue: [] for stream in TOPOLOGY}
    for service in SERVICES:
        folder = REPOSITORY / "services" / service / "src"
        for module in folder.rglob("*.py"):
            for name in subscribed(module.read_text()):
                stream: Stream = getattr(contracts_topology, name)
                found[stream.queue].append(service)
    return found


def test_every_stream_is_subscribed_by_exactly_the_service_it_is_named_after():
    assert subscribers() == {stream.queue: [stream.queue.partition(".")[0]] for stream in TOPOLOGY}


def test_subscriptions_are_read_from_the_source():
    assert subscribed("x = [Subscription(NOTIFIER_MEETINGS, {A: b})]") == ["NOTIFIER_MEETINGS"]


def handled(source: str) -> dict[str, set[str]]:
    """Return by stream which event classes the source of a `messaging` module names handlers for."""
    calls = (node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Call))
    return {
        ast.unparse(call.args[0]): {ast.unparse(key) for key in call.args[1].keys if key}
        for call in calls
        if ast.unparse(call.func) == "Subscription" and len(call.args) > 1 and isinstance(call.args[1], ast.Dict)
    }


@pytest.mark.parametrize("service", SERVICES)
def test_every_event_of_a_subscribed_stream_has_a_handler(service: str):
    for module in (REPOSITORY / "services" / service / "src").rglob("*.py"):
        for name, events in handled(module.read_text()).items():
            stream: Stream = getattr(contracts_topology, name)
            assert events == {event.__name__ for event in stream.events}, f"{module.name}: {stream.queue}"


def test_handlers_are_read_from_the_source():
    assert handled("x = [Subscription(NOTIFIER_MEETINGS, {A: b, C: d})]") == {"NOTIFIER_MEETINGS": {"A", "C"}}


def test_every_event_that_is_routed_is_listed_with_the_contracts():
    assert {event for stream in TOPOLOGY for event in stream.events} <= set(EVENTS), (
        "list it in convoke.contracts.EVENTS"
    )


def events_named(service: str) -> set[str]:
    """Return the event classes that a service handles or publishes: whatever it names."""
    known = {event.__name__ for event in EVENTS}
    names: set[str] = set()
    for module in (REPOSITORY / "services" / service / "src").rglob("*.py"):
        tree = ast.parse(module.read_text())
        names |= {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)} & known
    return names


@pytest.mark.parametrize("service", SERVICES)
def test_every_event_that_a_service_publishes_has_a_queue(service: str):
    routed = {event.__name__ for stream in TOPOLOGY for event in stream.events}
    named = events_named(service)
    assert named, "a service that names no event cannot be told from one that is not read"
    assert named - routed == set(), "these would wait in the outbox for ever: no queue is bound to them"


CONFIGURATIONS = ("*.toml", "*.in", "*.cfg", "*.ini", "*.yml", "*.yaml", "*.sh", "Makefile", "Dockerfile*")


def configurations() -> Iterator[Path]:
    for folder, folders, files in os.walk(REPOSITORY):
        # What tools keep beside the sources comes and goes while the tests run.
        folders[:] = [name for name in folders if name == ".ci" or not name.startswith(".")]
        for path in (Path(folder, name) for name in files):
            if path.parent.name in {"requirements", ".ci"} or any(path.match(pattern) for pattern in CONFIGURATIONS):
                yield path


def test_no_configuration_names_a_package_index():
    found = {path.relative_to(REPOSITORY) for path in configurations() if INDEX.search(path.read_text())}
    assert found == set()
    assert REPOSITORY / "requirements/runtime.txt" in set(configurations())


@pytest.mark.parametrize(
    "planted",
    [
        "--index-url https://example.org/simple",
        "pip install --extra-index-url https://example.org x",
        'index-url = "https://example.org"',
        "httpx @ https://files.pythonhosted.example/packages/httpx.whl",
    ],
)
def test_a_named_package_index_is_found(planted: str):
    assert INDEX.search(planted)
