# `make help` lists what can be typed. Further words for a command go into ARGS: make up ARGS="--dry-run".
PYTHON ?= python3
IN_VENV := .venv/bin/python
SETUP := $(PYTHON) -m setup
# Programs that set-up fetched for the tests.
export PATH := $(CURDIR)/.cache/tools:$(PATH)
ARGS ?=

.DEFAULT_GOAL := help
.PHONY: help demo up test conformance lint bench clean

help: ## this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: ## two bots, two simulated phones, every scenario, before your eyes; no phone needed
	@$(SETUP) venv simulator-image >/dev/null
	@$(IN_VENV) -m demo $(ARGS)

up: ## the bots of bots.yaml, for real: make up ARGS="--dry-run" only says what it would do
	@$(SETUP) venv base
	@$(IN_VENV) -m manager up $(ARGS)

test: ## every test: unit, property, real browser, real engine, unmodified whatsapp-web.js
	@$(SETUP) all >/dev/null
	@$(IN_VENV) -m pytest $(ARGS)

conformance: ## unmodified whatsapp-web.js against the simulator
	@$(SETUP) venv test-tools
	@$(IN_VENV) -m pytest tests/conformance $(ARGS)

lint: ## style, types, and the rules of ARCHITECTURE.md
	@$(SETUP) venv
	@.venv/bin/ruff check .
	@.venv/bin/ruff format --check .
	@.venv/bin/mypy
	@.venv/bin/lint-imports

bench: ## measured ratios, each with the figure to reach
	@$(SETUP) all >/dev/null
	@$(IN_VENV) -m bench $(ARGS)

clean: ## removes what was built here: environment, caches, images. Never a session, never a container
	@$(PYTHON) -m setup clean
