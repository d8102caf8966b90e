# `make help` lists what there is.
PYTHON := .venv/bin/python

.PHONY: help demo up test lint clean
help: ## this list
	@sed -nE 's/^([a-z-]+):.*## /  make \1\t/p' $(MAKEFILE_LIST) | expand -t 16

demo: ## two bots and two simulated phones go through every scenario in front of you
	@python3 -m setup venv engine base
	@$(PYTHON) -m demo

up: ## the fleet of bots.yaml, and all the set-up it needs
	@python3 -m setup venv engine base
	@$(PYTHON) -m manager up

test: ## all tests; sets everything up itself
	@python3 -m setup venv engine base test-tools
	$(PYTHON) -m pytest

lint: ## ruff, mypy --strict, import rules
	@python3 -m setup venv
	$(PYTHON) -m ruff check .
	$(PYTHON) -m ruff format --check .
	$(PYTHON) -m mypy
	.venv/bin/lint-imports

clean: ## removes what set-up made
	@python3 -m setup clean
