# Every command of the project. `make` alone lists them.
.DEFAULT_GOAL := help
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
# A distribution's own Python is built with profile-guided optimization; one built from source mostly is not, and takes
# 1.4 times as long to start a service.
PYTHON ?= $(shell /usr/bin/python3 -c 'import ensurepip, sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null \
	&& echo /usr/bin/python3 || echo python3)
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --disable-pip-version-check
EDITABLE := shared services/auth-service services/booking-service services/meeting-service services/notifier deploy/zoom-sandbox deploy/local
PROGRAMS := auth_service.__main__, booking_service.__main__, meeting_service.__main__, notifier.__main__, zoom_sandbox.__main__, local_stack.__main__
# Many tests wait for a server: five leave two processors without work, more than six only cost their start.
TEST_WORKERS ?= 6
DOCKER_IS_THERE := docker info >/dev/null 2>&1 && docker compose version >/dev/null 2>&1
# Some images set it; each test worker would then translate all tests anew at every run.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help
help: ## list the commands
	@awk 'BEGIN {FS = ":.*## "} /^[a-z-]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: setup
setup: $(VENV)/ready ## install everything into .venv (the other commands do it by themselves)

$(VENV)/ready: requirements/development.txt $(addsuffix /pyproject.toml,$(EDITABLE))
	@echo "==> creating .venv with the locked dependencies (about 15 s, once)"
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed: make PYTHON=python3.13 ...")'
	@$(PYTHON) -m venv $(VENV)
	@$(PIP) -qq --no-compile --require-hashes -r <(sed -n '/^uv==/,/[^\\]$$/p' requirements/development.txt)
	@# uv takes a tenth of pip's time, but knows nothing of pip's settings: where only these lead to an index, pip installs.
	@$(BIN)/uv pip install --python $(BIN)/python --require-hashes -r requirements/development.txt 2>&1 | sed '/^ [+~-] /d; s/^/    /' \
		|| { echo "    uv could not: installing with pip (about a minute)"; \
			$(PIP) -qq --no-deps --no-compile --require-hashes -r requirements/development.txt; }
	@echo "==> installing the services"
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation $(addprefix -e ,$(EDITABLE))
	@$(BIN)/python -c 'import $(PROGRAMS)'  # translated once, and not by each of them as they start together
	@touch $@

.PHONY: lock
lock: $(VENV)/ready ## pin all dependencies with hashes
	@for part in runtime development build; do \
		echo "==> requirements/$$part.txt"; \
		$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
			--custom-compile-command 'make lock' requirements/$$part.in -o requirements/$$part.txt; \
	done

.PHONY: demo
demo: $(VENV)/ready ## book, move and cancel a meeting on the whole system, and show what happened
	@$(BIN)/python -m local_stack demo

.PHONY: up down
up: $(VENV)/ready ## start the system and leave it running: in Docker where there is one, else on processes
	@if $(DOCKER_IS_THERE); then docker compose up --build --detach --wait; else $(BIN)/python -m local_stack up; fi
down: $(VENV)/ready ## stop what `make up` started
	@if $(DOCKER_IS_THERE); then docker compose down; fi
	@$(BIN)/python -m local_stack down

# Else each worker of the first run does so, all at the same time and each for itself. In halves: one takes one processor.
$(VENV)/translated: $(VENV)/ready
	@echo "==> translating the tests (about 10 s, once)"
	@$(BIN)/pytest --collect-only -q tests/integration >/dev/null & \
		if $(BIN)/pytest --collect-only -q --ignore=tests/integration >/dev/null && wait $$!; then touch $@; fi

.PHONY: test
test: $(VENV)/translated ## all tests, against real servers that they start themselves
	@$(BIN)/pytest --numprocesses $(TEST_WORKERS) --dist loadfile --no-loadscope-reorder

.PHONY: features
features: $(VENV)/ready ## run the tests that carry numbers of promises, and print promise, tests and whether they pass (ROWS="F28 B14" for some)
	@$(BIN)/pytest -q -p tests.features.plugin --numprocesses $(TEST_WORKERS) --dist loadfile --no-loadscope-reorder \
		$(if $(ROWS),--rows "$(ROWS)")

.PHONY: check
check: lint test ## everything that CI checks

.PHONY: lint
lint: $(VENV)/ready ## format, lint, types, import contracts
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy shared/src services/auth-service/src services/booking-service/src services/meeting-service/src \
		services/notifier/src deploy/zoom-sandbox/src deploy/local/src tests
	@$(BIN)/lint-imports

.PHONY: format
format: $(VENV)/ready ## format the code
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

.PHONY: burst
burst: $(VENV)/ready ## 100 bookings at once: checked, and measured (latency, memory, idle CPU)
	@$(BIN)/python -m local_stack burst

.PHONY: outage
outage: $(VENV)/ready ## Zoom down for five minutes under a steady load: checked, and measured (FOR=60 for a shorter one)
	@$(BIN)/python -m local_stack outage --seconds $(or $(FOR),300)

.PHONY: mutants
mutants: $(VENV)/ready ## plant bugs into a copy of the code, and show which test catches each (about 2 minutes)
	@$(BIN)/python -m tests.faults.mutants

.PHONY: fuzz
fuzz: $(VENV)/ready ## 20,000 made-up requests to each service: no 5xx, nothing undocumented, nothing across tenants (CASES=, SEED=)
	@FUZZ_CASES=$(or $(CASES),20000) FUZZ_SEED=$(or $(SEED),1) $(BIN)/pytest -q --show-capture=no \
		--numprocesses $(TEST_WORKERS) --dist load tests/integration/security/test_fuzzed_*.py

.PHONY: audit
audit: $(VENV)/ready ## bill of materials in build/, and known weaknesses of what is locked (status 3: nobody could be asked)
	@$(BIN)/python -m tests.audit

.PHONY: crash-pairs
crash-pairs: $(VENV)/ready ## every pair of crash points (hours; goes on where it was stopped; MINUTES=10 bounds it)
	@$(BIN)/python -m tests.faults.crashes $(if $(MINUTES),--minutes $(MINUTES))

.PHONY: races
races: $(VENV)/ready ## more interleavings of four replicas of auth-service than the tests have time for (SEED=, EXAMPLES=)
	@$(BIN)/python -m tests.faults.races $(if $(SEED),--seed $(SEED)) $(if $(EXAMPLES),--examples $(EXAMPLES))

.PHONY: drill
drill: $(VENV)/ready ## 2,000 bookings on clusters while everything fails, then nothing may be lost or doubled (about 10 minutes; SEED=, BOOKINGS=, FAULTS=)
	@$(BIN)/python -m tests.faults.drill $(if $(SEED),--seed $(SEED)) $(if $(BOOKINGS),--bookings $(BOOKINGS)) \
		$(if $(FAULTS),--faults $(FAULTS))
