"""`make audit`: a bill of materials of what the services run on, and whether a weakness of it is known.

Ends with 0 where none is known, 1 where one is, and 3 where nobody could be asked about all of it: that is not 0.
"""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).parents[1]
LOCKED = REPOSITORY / "requirements/runtime.txt"
BILL = REPOSITORY / "build/sbom.cdx.json"
WITHIN = 300
"""Seconds for all questions together."""

FOUND, NOT_ASKED = 1, 3


def verdict(report: dict[str, Any]) -> tuple[int, str]:
    """Return the exit status and the text for what pip-audit has reported."""
    packages = report["dependencies"]
    weak = [f"{one['name']} {one['version']}: {_ids(one)}" for one in packages if one.get("vulns")]
    unknown = [one["name"] for one in packages if "skip_reason" in one]
    if weak:
        return FOUND, "known weaknesses:\n  " + "\n  ".join(weak)
    if unknown or not packages:
        return NOT_ASKED, (
            f"not audited: {len(unknown)} of {len(packages)} packages, as the vulnerability service does not answer "
            "from here or does not know them; run it where the service can be reached"
        )
    return 0, f"no weakness is known of {len(packages)} packages"


def _ids(package: dict[str, Any]) -> str:
    return ", ".join(
        f"{one['id']} (mended in {' or '.join(one['fix_versions']) or 'no version'})" for one in package["vulns"]
    )


def write_bill() -> None:
    BILL.parent.mkdir(exist_ok=True)
    options = ["requirements", str(LOCKED), "--output-reproducible", "--of", "JSON", "-o", str(BILL)]
    subprocess.run([_program("cyclonedx-py"), *options], check=True, stderr=subprocess.DEVNULL)  # noqa: S603


def report_of_weaknesses() -> dict[str, Any]:
    """Return pip-audit's report, without a package where it could ask nobody."""
    options = ["--requirement", str(LOCKED), "--require-hashes", "--disable-pip", "--format", "json"]
    try:
        done = subprocess.run(  # noqa: S603
            [_program("pip-audit"), *options, "--progress-spinner", "off", "--timeout", "10"],
            capture_output=True,
            text=True,
            check=False,
            timeout=WITHIN,
        )
        return dict(json.loads(done.stdout))
    except (subprocess.TimeoutExpired, ValueError):
        return {"dependencies": []}


def _program(name: str) -> Path:
    return Path(sys.executable).with_name(name)


def main() -> int:
    write_bill()
    sys.stdout.write(
        f"==> {BILL.relative_to(REPOSITORY)}: CycloneDX, {len(json.loads(BILL.read_text())['components'])} packages\n"
    )
    status, text = verdict(report_of_weaknesses())
    sys.stdout.write(f"==> {text}\n")
    return status


if __name__ == "__main__":
    sys.exit(main())
