"""What docker-compose.yml, .env.example and the Dockerfile promise, without Docker; each rule is seen to bite."""

import copy
import re
import subprocess
import sys
from base64 import b64decode
from binascii import Error as NotBase64
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import yaml

import zoom_sandbox.settings
from convoke.settings import load
from local_stack.addresses import SERVICES
from local_stack.installation import InContainers
from local_stack.settings_of_services import OPERATOR

REPOSITORY = Path(__file__).parents[2]
COMPOSE_FILE = REPOSITORY / "docker-compose.yml"
BUILT = (*SERVICES, "zoom-sandbox")
VARIABLE = re.compile(r"\$\{(\w+):-([^}]*)\}")
BECOMES_ITS_OWN_USER = ["CHOWN", "DAC_OVERRIDE", "SETGID", "SETUID"]
FOR_BROWSERS = {"PUBLIC_URL", "ZOOM_CONSENT_URL", "ZOOM_REDIRECT_URIS"}

Compose = dict[str, Any]


@pytest.fixture(scope="module")
def compose() -> Compose:
    return dict(yaml.safe_load(COMPOSE_FILE.read_text()))


def complaints(compose: Compose) -> list[str]:
    """Return every rule that a compose file breaks, as `service: rule`."""
    found = [f"{name}: {rule}" for name, service in compose["services"].items() for rule in _broken(service)]
    for name, service in compose["services"].items():
        if not _one_shot(name, compose) and not ("healthcheck" in service or "build" in service):
            found.append(f"{name}: has a health check")
        found += [f"{name}: {rule}" for rule in _wrong_addresses(service, compose)]
    return found


def _broken(service: Compose) -> Iterator[str]:
    rules: dict[str, bool] = {
        "cannot write to its image": service.get("read_only") is True,
        "drops all capabilities": service.get("cap_drop") == ["ALL"],
        "adds only what it needs to become its own user": service.get("cap_add", []) in ([], BECOMES_ITS_OWN_USER),
        "gains no privileges": "no-new-privileges:true" in service.get("security_opt", []),
        "is not privileged": not any(word in service for word in ("privileged", "network_mode", "pid", "ipc")),
        "is nobody's root": _is_not_root(service),
        "has a memory limit": "mem_limit" in service,
        "has a process limit": "pids_limit" in service,
        "publishes on 127.0.0.1 only": all(port.startswith("127.0.0.1:") for port in service.get("ports", [])),
        "waits for what is ready": all("condition" in one for one in service.get("depends_on", {}).values()),
        "names a version": ":" in service.get("image", ":") and not service.get("image", "").endswith(":latest"),
    }
    return (rule for rule, holds in rules.items() if not holds)


def _is_not_root(service: Compose) -> bool:
    if "build" in service:
        return "user" not in service  # its Dockerfile says who
    if "user" in service:
        return not str(service["user"]).startswith(("0", "root"))
    return service.get("cap_add") == BECOMES_ITS_OWN_USER


def _one_shot(name: str, compose: Compose) -> bool:
    waits = [service.get("depends_on", {}).get(name, {}) for service in compose["services"].values()]
    return any(wait.get("condition") == "service_completed_successfully" for wait in waits)


def _wrong_addresses(service: Compose, compose: Compose) -> Iterator[str]:
    for name, value in _settings(service).items():
        host = urlsplit(value).hostname if "://" in value else None
        if host is not None and (host == "127.0.0.1") != (name in FOR_BROWSERS):
            yield f"{name} is for {'browsers' if name in FOR_BROWSERS else 'containers'}"
        elif host not in {None, "127.0.0.1", *compose["services"]}:
            yield f"{name} leads to a service of this file"


def _settings(service: Compose) -> dict[str, str]:
    """Return a service's environment as it is with no .env at all."""
    given = service.get("environment", {})
    return {name: VARIABLE.sub(lambda variable: variable[2], str(value)) for name, value in given.items()}


def test_the_file_is_valid() -> None:
    """By the published schema, which knows every key and its form."""
    check = ["-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec", str(COMPOSE_FILE)]
    done = subprocess.run([sys.executable, *check], capture_output=True, text=True, check=False, timeout=60)  # noqa: S603
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_file_keeps_every_rule(compose: Compose) -> None:
    """Nobody is root, nobody writes where nothing is kept, nobody listens outside this machine."""
    assert complaints(compose) == []
    assert compose["name"] == "convoke"
    assert "version" not in compose


PLANTED: dict[str, Callable[[Compose], object]] = {
    "notifier: cannot write to its image": lambda services: services["notifier"].pop("read_only"),
    "mailpit: drops all capabilities": lambda services: services["mailpit"].pop("cap_drop"),
    "mailpit: adds only what it needs to become its own user": lambda services: services["mailpit"].update(
        cap_add=["SYS_ADMIN"]
    ),
    "rabbitmq: gains no privileges": lambda services: services["rabbitmq"].pop("security_opt"),
    "notifier: is not privileged": lambda services: services["notifier"].update(privileged=True),
    "notifier: is nobody's root": lambda services: services["notifier"].update(user="0:0"),
    "mailpit: is nobody's root": lambda services: services["mailpit"].pop("user"),
    "mongodb: has a memory limit": lambda services: services["mongodb"].pop("mem_limit"),
    "mongodb: has a process limit": lambda services: services["mongodb"].pop("pids_limit"),
    "mongodb: has a health check": lambda services: services["mongodb"].pop("healthcheck"),
    "mailpit: publishes on 127.0.0.1 only": lambda services: services["mailpit"].update(ports=["8025:8025"]),
    "notifier: waits for what is ready": lambda services: services["notifier"].update(depends_on={"rabbitmq": {}}),
    "mailpit: names a version": lambda services: services["mailpit"].update(image="axllent/mailpit:latest"),
    "auth-service: ZOOM_CONSENT_URL is for browsers": lambda services: services["auth-service"]["environment"].update(
        ZOOM_CONSENT_URL="http://zoom-sandbox:8010"
    ),
    "notifier: SMTP_URL is for containers": lambda services: services["notifier"]["environment"].update(
        SMTP_URL="smtp://127.0.0.1:1025"
    ),
    "notifier: SMTP_URL leads to a service of this file": lambda services: services["notifier"]["environment"].update(
        SMTP_URL="smtp://elsewhere:1025"
    ),
}


@pytest.mark.parametrize("complaint", PLANTED)
def test_every_rule_bites(compose: Compose, complaint: str) -> None:
    """A file that breaks one rule is told so, and of nothing else."""
    planted = copy.deepcopy(compose)
    PLANTED[complaint](planted["services"])
    assert complaints(planted) == [complaint]


@pytest.mark.parametrize(("service", "package"), SERVICES.items())
def test_a_service_starts_with_what_it_is_given(compose: Compose, service: str, package: str) -> None:
    """Every setting without a default is there and right, and none is given that the service does not know."""
    settings = import_module(f"{package}.settings").Settings
    given = _settings(compose["services"][service])
    assert load(settings, given)
    assert {name.lower() for name in given} <= set(settings.model_fields)
    assert compose["services"][service]["command"] == [package]


def test_the_sandbox_starts_with_what_it_is_given(compose: Compose) -> None:
    given = {name.lower(): value for name, value in _settings(compose["services"]["zoom-sandbox"]).items()}
    assert zoom_sandbox.settings.Settings.model_validate(given)
    assert set(given) <= set(zoom_sandbox.settings.Settings.model_fields)


def test_services_know_the_secrets_that_auth_service_expects(compose: Compose) -> None:
    """The identity that a service was given is one that auth-service seeds."""
    settings = {name: _settings(compose["services"][name]) for name in SERVICES}
    seeded = load(import_module("auth_service.settings").Settings, settings["auth-service"]).service_clients
    known = {client.client_id: client.client_secret.get_secret_value() for client in seeded}
    told = [one for one in settings.values() if "SERVICE_CLIENT_ID" in one]
    assert known.pop("operator")
    assert known == {one["SERVICE_CLIENT_ID"]: one["SERVICE_CLIENT_SECRET"] for one in told}


def test_operators_are_known_as_they_are_without_containers(compose: Compose) -> None:
    """The same id, secret and scopes, so that one request works in both."""
    given, settings = _settings(compose["services"]["auth-service"]), import_module("auth_service.settings").Settings
    [operator] = load(settings, {**given, "SERVICE_CLIENTS": OPERATOR}).service_clients
    assert operator in load(settings, given).service_clients


def test_the_demo_finds_what_it_looks_for(compose: Compose) -> None:
    """The ports that the demo asks are those that are published, and the servers listen behind them."""
    published = {port for service in compose["services"].values() for port in service.get("ports", [])}
    for name, url in InContainers(REPOSITORY).urls.items():
        port = urlsplit(url).port
        assert f"127.0.0.1:{port}:{port}" in published
        if name in SERVICES:
            assert _settings(compose["services"][name])["HTTP_PORT"] == str(port)


def test_services_have_time_to_finish(compose: Compose) -> None:
    """They take 10 s at most after SIGTERM; an engine kills after ten."""
    grace = {name: compose["services"][name]["stop_grace_period"] for name in SERVICES}
    assert all(int(seconds.removesuffix("s")) > 10 for seconds in grace.values()), grace


def test_the_example_lists_what_can_be_set() -> None:
    """Every variable of the compose file, with its default, and no other."""
    lines = (REPOSITORY / ".env.example").read_text().splitlines()
    example = dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))
    stated = VARIABLE.findall(COMPOSE_FILE.read_text())
    assert example == dict(stated)
    assert len(set(stated)) == len(example), "a variable has two defaults"


def test_secrets_say_that_they_are_none() -> None:
    """Whoever copies a default can read in it, or in the key's own bytes, that it protects nothing."""
    defaults = dict(VARIABLE.findall(COMPOSE_FILE.read_text()))
    secrets = {name: value for name, value in defaults.items() if re.search("SECRET|PASSWORD|KEY", name)}
    assert len(secrets) > 5
    assert all("development" in _readable(value) for value in secrets.values()), secrets


def _readable(secret: str) -> str:
    try:
        return b64decode(secret.rpartition("development=")[2], validate=True).decode()
    except (NotBase64, UnicodeDecodeError):
        return secret


def _stages() -> dict[str, list[str]]:
    """Return the instructions of each stage of the Dockerfile, those of the stages that it builds on before its own."""
    text = (REPOSITORY / "deploy/docker/Dockerfile").read_text()
    assert "# syntax" not in text, "it would need a registry for its syntax"
    instructions = re.sub(r"\\\n", " ", re.sub(r"(?m)^#.*\n", "", text)).splitlines()
    stages: dict[str, list[str]] = {}
    for instruction in filter(None, instructions):
        if begins := re.fullmatch(r"FROM (\S+) AS (\S+)", instruction):
            current = stages[begins[2]] = list(stages.get(begins[1], []))
        elif stages:
            current.append(instruction)
    return stages


@pytest.mark.parametrize("target", ["services", "zoom-sandbox"])
def test_an_image_runs_as_nobody_and_can_tell_how_it_is(target: str) -> None:
    """A number, since a cluster cannot tell from a name whether that is root; and signals reach Python."""
    instructions = _stages()[target]
    users = [one.split()[1] for one in instructions if one.startswith("USER ")]
    assert users
    assert re.fullmatch(r"[1-9]\d{3,}:[1-9]\d{3,}", users[-1])
    assert any(one.startswith("HEALTHCHECK ") for one in instructions)
    assert 'ENTRYPOINT ["python", "-m"]' in instructions
    assert not any("pip" in one and "install" in one for one in instructions), "nothing is installed in a final image"


def test_nothing_is_installed_that_is_not_locked() -> None:
    """Each installation checks hashes, or takes what the step before built."""
    runs = {one for stage in _stages().values() for one in stage if one.startswith("RUN ")}
    steps = [step for run in runs for step in run.split("&&") if " install " in step or " wheel " in step]
    assert len(steps) == 6
    assert all(re.search("--require-hashes|--no-index|--no-build-isolation", step) for step in steps), steps


def test_the_images_are_built_from_one_file(compose: Compose) -> None:
    stages = _stages()
    for name in BUILT:
        build = compose["services"][name]["build"]
        assert (build["context"], build["dockerfile"]) == (".", "deploy/docker/Dockerfile")
        assert build["target"] in stages
    assert list(stages)[-1] == "services", "a build that names no target makes the services"


def test_a_build_is_sent_nothing_but_sources() -> None:
    """The list of what is ignored begins with everything."""
    lines = (REPOSITORY / ".dockerignore").read_text().splitlines()
    rules = [line for line in lines if line and not line.startswith("#")]
    assert rules[0] == "*"
    assert {rule for rule in rules if rule.startswith("!")} == {
        *("!requirements/*.txt", "!shared", "!services", "!deploy/docker/healthy.py", "!deploy/zoom-sandbox")
    }
