SHELL := /bin/sh
PYTHON ?= python3
CHILDREN ?= 36500
SEED ?= 2026
AS_OF ?= 2026-10-30
OUTPUT ?= output
UV_VERSION := 0.13.9
UV := .tools/bin/uv
RUN := $(UV) run --no-sync

# Where this is set, as images like to, every process would compile Airflow and dbt anew.
unexport PYTHONDONTWRITEBYTECODE
export UV_PROJECT_ENVIRONMENT := $(CURDIR)/.venv
export UV_PYTHON_DOWNLOADS := never
export DBT_SEND_ANONYMOUS_USAGE_STATS := false

.DEFAULT_GOAL := help

help: ## List these commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

$(UV):
	@echo "Preparing the tools ..."
	@$(PYTHON) -c 'import sys; sys.exit(0 if (3, 11) <= sys.version_info < (3, 14) else "send-returns needs Python 3.11, 3.12 or 3.13; set PYTHON=.")'
	@$(PYTHON) -m venv .tools
	@.tools/bin/python -m pip install --quiet --disable-pip-version-check uv==$(UV_VERSION)

.venv/.locked: uv.lock pyproject.toml | $(UV)
	@echo "Installing the locked environment ..."
	@$(UV) sync --locked --quiet --python $(PYTHON)
	@touch $@

setup: .venv/.locked ## Install the locked environment, nothing else

run: setup ## Simulated county to published returns in output/ (CHILDREN=2000 for a quick look)
	@$(RUN) send-returns demo --children $(CHILDREN) --seed $(SEED) --as-of $(AS_OF) --output $(OUTPUT)

test: setup ## The whole suite, with what it needs from the system
	@sh tests/system_packages.sh
	@$(RUN) ruff check .
	@$(RUN) ruff format --check .
	@$(RUN) mypy
	@$(RUN) pytest -n 2 --dist loadfile --no-loadscope-reorder # each worker has a server of its own

.superset/.locked: tests/marts/superset.txt | $(UV)
	@echo "Installing Superset ..."
	@$(UV) venv --quiet --clear --python $(PYTHON) .superset
	@VIRTUAL_ENV=$(CURDIR)/.superset UV_PROJECT_ENVIRONMENT= $(UV) pip install --quiet --python .superset/bin/python -r tests/marts/superset.txt
	@touch $@

superset: setup .superset/.locked ## Have Apache Superset, in its own environment, read the marts of a small county
	@SEND_RETURNS_SUPERSET=$(CURDIR)/.superset/bin $(RUN) pytest tests/marts/test_superset.py

up: setup ## Serve the project in a real Airflow on this machine
	@$(RUN) send-returns up

down: setup ## Stop what `make up` started
	@$(RUN) send-returns down

secrets: setup ## Write the secret files that docker-compose.yml mounts, once
	@$(RUN) python -m send_returns.orchestration.server_secrets secrets

status: setup ## What has arrived, what is missing, and who owes it
	@$(RUN) send-returns status --as-of $(AS_OF)

bench: setup ## Measure the figures, each against its named baseline (CHILDREN=36500)
	@$(RUN) send-returns bench --children $(CHILDREN) --seed $(SEED) --as-of $(AS_OF)

lint: setup ## Format and fix what can be fixed; look at the SQL, which takes a minute
	@$(RUN) ruff format . && $(RUN) ruff check --fix . && $(RUN) mypy
	@$(RUN) sqlfluff lint --processes 2 dbt_project/models dbt_project/tests

clean: ## Remove state, output and environment (the embedded server and its data too)
	@test ! -x .venv/bin/send-returns || { .venv/bin/send-returns down; .venv/bin/send-returns server remove; }
	@rm -rf .send-returns output .venv .superset .tools dbt_project/target dbt_project/logs

.PHONY: help setup run test superset up down secrets status bench lint clean
