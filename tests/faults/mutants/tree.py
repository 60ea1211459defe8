"""A copy of the working tree with an interpreter of its own, so that planted bugs never touch the original."""

import re
import shutil
import subprocess
import sys
import sysconfig
import venv
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from local_stack import environment
from tests.faults.mutants.mutant import REPOSITORY, Mutant

SOURCES = ("shared", "services/*", "deploy/zoom-sandbox", "deploy/local")
MOST_SECONDS = 600
"""For the tests of one mutant; each test has its own, much shorter, limit."""


@dataclass(frozen=True)
class Verdict:
    """What pytest said: the tests that failed, and its last lines for whoever wonders."""

    status: int
    failed: tuple[str, ...]
    end: str


class Tree:
    """Its services are those of the copy, also in the processes that a test starts."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        for name in _tracked():
            target = folder / name
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(REPOSITORY / name, target)
        venv.create(folder / ".venv", with_pip=False, symlinks=True)
        paths = [str(source / "src") for pattern in SOURCES for source in sorted(folder.glob(pattern))]
        # A path in a .pth file brings no .pth files of its own: the editable installs of the original stay out.
        lines = [*paths, sysconfig.get_path("purelib")]
        (self._site_packages / "copy.pth").write_text("\n".join(lines) + "\n")

    @contextmanager
    def with_bug(self, mutant: Mutant) -> Iterator[None]:
        """Have the bug in the copy; raises DoesNotApply."""
        file = self.folder / mutant.file
        sound, broken = file.read_text(), mutant.text(self.folder)
        file.write_text(broken)
        try:
            yield
        finally:
            file.write_text(sound)

    def test(self, tests: Sequence[str], servers: Mapping[str, str], *options: str) -> Verdict:
        """Run the tests on the copy."""
        command = [str(self.folder / ".venv/bin/python"), "-B", "-m", "pytest", "-q", "-p", "no:cacheprovider"]
        done = subprocess.run(  # noqa: S603 - pytest, on tests of this list
            [*command, *options, *tests],
            cwd=self.folder,
            env={**environment.caller(), **servers},
            capture_output=True,
            text=True,
            timeout=MOST_SECONDS,
            check=False,
        )
        failed = re.findall(r"^(?:FAILED|ERROR) (tests/\S+)", done.stdout, re.MULTILINE)
        return Verdict(done.returncode, tuple(failed), "\n".join(done.stdout.splitlines()[-15:]))

    @property
    def _site_packages(self) -> Path:
        version = f"python{sys.version_info.major}.{sys.version_info.minor}"
        return self.folder / ".venv/lib" / version / "site-packages"


def _tracked() -> list[str]:
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],  # noqa: S607 - the git of the machine
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=True,
    )
    return [name for name in listed.stdout.splitlines() if (REPOSITORY / name).is_file()]
