# `make help` lists what there is.
PYTHON := .venv/bin/python

.PHONY: help test lint clean
help: ## this list
	@sed -nE 's/^([a-z-]+):.*## /  make \1\t/p' $(MAKEFILE_LIST) | expand -t 16

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
