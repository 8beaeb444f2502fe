# One command for each thing you do here. `make` alone lists them.
# Needs Python 3.11+ and nothing else: uv is installed beside the project if it is not on the PATH.
SHELL := /bin/bash
.DEFAULT_GOAL := help
PYTHON ?= python3
UV_VERSION := 0.13.9
UV := $(shell command -v uv 2>/dev/null || echo .tools/bin/uv)
RUN := .venv/bin

help: ## this list
	@grep -hE '^[a-z][a-z0-9-]*:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-12s %s\n", $$1, $$2}'

.tools/bin/uv:
	$(PYTHON) -m venv .tools
	.tools/bin/python -m pip install --quiet --disable-pip-version-check uv==$(UV_VERSION)

.venv/.installed: uv.lock pyproject.toml | $(filter .tools/bin/uv,$(UV))
	$(UV) sync --frozen --quiet --compile-bytecode --extra local --python $(PYTHON)
	@touch $@

install: .venv/.installed ## everything the project needs, into .venv

run: install ## the demo: the whole pipeline on this machine
	$(RUN)/paydispatch demo

test: install ## every test
	$(RUN)/pytest

unit: install ## tests without network, in seconds
	$(RUN)/pytest tests/unit

integration: install ## tests against a real Valkey, MiniStack and the Stripe twin
	$(RUN)/pytest tests/integration

e2e: install ## the whole stack on this machine: ways in, objects, bad input, crashes, operations, the demo
	$(RUN)/pytest tests/e2e

pythons: install ## the unit tests and the model on every other CPython from 3.11 on that this machine has
	$(RUN)/python tools/lambdas/every_python.py --uv $(UV)

arch: install ## import contracts and the libraries each entry point loads
	$(RUN)/lint-imports --no-logo
	$(RUN)/pytest tests/architecture

schemas: install ## all that is generated from Stripe's OpenAPI document
	$(UV) pip install --quiet --no-deps --require-hashes --python $(RUN)/python --target build/schema-sources -r tools/schemas/requirements.txt
	$(RUN)/python tools/schemas build/schema-sources
	$(RUN)/python tools/twin_objects.py build/schema-sources
	PYTHONPATH=tools $(RUN)/python -m openapi

properties: install ## thousands of valid and invalid bodies per object
	PROPERTY_BODIES=5000 $(RUN)/pytest tests/unit/schema/test_bodies_of_the_document.py

chaos: install ## 10,000 requests while every process is killed, three seeds; a backlog through an outage; prints figures
	$(RUN)/python -m tests.chaos.run --requests 10000 --kills 22 --seeds 3
	$(RUN)/python -m tests.chaos.backlog --messages 10000

chaos-short: install ## the same with 500 requests, in about a minute
	$(RUN)/python -m tests.chaos.run --requests 500 --kills 3 --seconds 24 --seed 11

mutants: install ## break each guard on purpose; every one must be noticed
	$(RUN)/python tools/mutants

bench: install ## does dispatching block? prints figures
	$(RUN)/python tests/performance/non_blocking_payment_test.py

fmt: install ## format the code
	$(RUN)/ruff format .
	$(RUN)/ruff check --fix .

lint: install
	$(RUN)/ruff format --check .
	$(RUN)/ruff check .
	$(RUN)/codespell

type: install
	$(RUN)/mypy

check: lint lint-template type arch unit ## what CI runs first: fast and offline once installed

include infra/build.mk

.PHONY: help install run test unit pythons integration e2e arch schemas properties chaos chaos-short mutants bench fmt lint type check
