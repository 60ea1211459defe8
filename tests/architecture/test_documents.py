"""What the documents name exists: files, tests, links and commands."""

import re
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]
DOCUMENTS = [
    *REPOSITORY.glob("*.md"),
    *(REPOSITORY / "docs").rglob("*.md"),
    *(REPOSITORY / "services").glob("*/README.md"),
    *(REPOSITORY / "deploy").glob("*/README.md"),
]
IDS = [str(document.relative_to(REPOSITORY)) for document in DOCUMENTS]
CODE = re.compile(r"`([^`\n]+)`")
TEST_FOLDERS = ("unit/", "contract/", "integration/", "e2e/", "faults/", "architecture/")


def code_of(document: Path) -> list[str]:
    return CODE.findall(re.sub(r"```.*?```", "", document.read_text(), flags=re.DOTALL))


@pytest.mark.parametrize("document", DOCUMENTS, ids=IDS)
def test_every_link_leads_to_a_file(document: Path):
    targets = re.findall(r"\]\((?!https?://)([^)#]+)", document.read_text())
    assert [target for target in targets if not (document.parent / target).exists()] == []


@pytest.mark.parametrize("document", DOCUMENTS, ids=IDS)
def test_every_test_that_is_named_exists(document: Path):
    named = {code for code in code_of(document) if re.fullmatch(r"test_[a-z0-9_]+", code)}
    sources = "\n".join(path.read_text() for path in (REPOSITORY / "tests").rglob("test_*.py")) if named else ""
    assert {name for name in named if f"def {name}(" not in sources} == set()


@pytest.mark.parametrize("document", DOCUMENTS, ids=IDS)
def test_every_file_of_ours_that_is_named_exists(document: Path):
    ours = ("tests/", "shared/src/", "services/", "deploy/", "docs/")
    named = [code.removesuffix("/") for code in code_of(document)]
    paths = [code for code in named if code.startswith(ours) and not re.search(r"[<{*]", code)]
    paths += [f"tests/{code}" for code in named if code.startswith(TEST_FOLDERS)]
    assert [path for path in paths if not (REPOSITORY / path).exists()] == []


@pytest.mark.parametrize("document", DOCUMENTS, ids=IDS)
def test_every_make_command_that_is_named_exists(document: Path):
    targets = re.findall(r"^([a-z-]+):.*## ", (REPOSITORY / "Makefile").read_text(), re.MULTILINE)
    named = {code.removeprefix("make ") for code in code_of(document) if re.fullmatch(r"make [a-z-]+", code)}
    assert named <= {*targets, "up", "down"}


def test_what_is_named_for_a_rule_of_security_stands_in_its_table_and_each_rule_has_a_test():
    table = (REPOSITORY / "SECURITY.md").read_text()
    sources = "\n".join(path.read_text() for path in (REPOSITORY / "tests").rglob("test_*.py"))
    named = set(re.findall(r"def (test_(?:rfc9700|asvs|api\d+)_\w+)\(", sources))
    assert {name for name in named if f"`{name}`" not in table} == set()
    rows = [line for line in table.splitlines() if re.match(r"\| (RFC|ASVS|API)", line)]
    assert [row for row in rows if "`test_" not in row] == []
    items = {item for row in rows for item in re.findall(r"API\d+|\d+\.\d+\.\d+", row.split("|")[1])}
    assert items >= {f"API{number}" for number in range(1, 11)}
    assert items >= {"8.4.1", "9.1.2", "9.1.3", "10.1.1", "10.2.3", "10.3.1", "11.3.3", "11.3.4", "11.5.1", "15.3.2"}
