"""The import contracts are kept, and each of them breaks when somebody breaks it: proven by planted violations."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]
SOURCES = [
    *(REPOSITORY / "services").glob("*/src"),
    REPOSITORY / "shared/src",
    REPOSITORY / "deploy/zoom-sandbox/src",
    REPOSITORY / "deploy/local/src",
]
PLANTED = {
    "Services are independent of each other": ("meeting_service/domain/body.py", "import booking_service.settings"),
    "The shared library knows no service": ("convoke/clock.py", "import notifier.settings"),
    "Services know nothing of how they are tried": ("notifier/settings.py", "import zoom_sandbox.settings"),
    "Domains import no framework": ("booking_service/domain/__init__.py", "import convoke.mongo"),
    "The wire contracts stand alone": ("convoke/contracts/wire.py", "import pymongo"),
}


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of all packages, beside the configuration."""
    folder = tmp_path_factory.mktemp("planted")
    shutil.copy(REPOSITORY / "pyproject.toml", folder)
    for source in SOURCES:
        shutil.copytree(source, folder / "src", dirs_exist_ok=True, ignore=shutil.ignore_patterns("__pycache__"))
    return folder


def lint(folder: Path) -> tuple[int, list[str]]:
    """Return the exit status and the contracts that are broken in the copy."""
    done = subprocess.run(  # noqa: S603 - the linter of our own environment
        [Path(sys.executable).with_name("lint-imports"), "--no-cache"],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(folder / "src"), "COLUMNS": "200"},  # noqa: TID251 - for a child process
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, re.findall(r"^(.+) BROKEN", done.stdout, re.MULTILINE)


def test_the_contracts_are_kept(sources: Path):
    assert lint(sources) == (0, [])


@pytest.mark.parametrize("contract", PLANTED)
def test_a_planted_violation_breaks_its_contract(contract: str, sources: Path):
    module, violation = PLANTED[contract]
    planted = sources / "src" / module
    original = planted.read_text()
    planted.write_text(f"{original}\n{violation}\n")
    try:
        status, broken = lint(sources)
    finally:
        planted.write_text(original)
    assert status != 0
    assert contract in broken


def test_every_contract_of_the_configuration_is_planted():
    names = re.findall(r'^name = "(.+)"$', (REPOSITORY / "pyproject.toml").read_text(), re.MULTILINE)
    assert sorted(names) == sorted(PLANTED)
