# `make help` lists what there is.
PYTHON := .venv/bin/python
SEED ?= 1
ROUNDS ?= 60

.PHONY: help demo up monitor monitor-stop monitor-drill test lint conformance bench drill drill-peer clean
help: ## this list
	@sed -nE 's/^([a-z-]+):.*## /  make \1\t/p' $(MAKEFILE_LIST) | expand -t 20

demo: ## two bots and two simulated phones go through every scenario in front of you
	@python3 -m setup venv engine base
	@$(PYTHON) -m demo

up: ## the fleet of bots.yaml, and all the set-up it needs
	@python3 -m setup venv engine base
	@$(PYTHON) -m manager up

monitor: ## the fleet watches itself: manager in a loop, Prometheus, alerts, Grafana
	@python3 -m setup venv engine base
	@python3 -m setup monitor

monitor-stop: ## stops what `make monitor` started; the bots go on
	@python3 -m setup monitor-stop

monitor-drill: ## that stack from nothing, with bots in trouble: which alerts fire and resolve, about 3 minutes
	@python3 -m setup venv engine base monitor-images simulator-image
	@$(PYTHON) -m tests.monitoring.stack

test: ## all tests; sets everything up itself
	@python3 -m setup venv engine base test-tools bot-image simulator-image
	$(PYTHON) -m pytest -n 2 --dist loadfile --no-loadscope-reorder

lint: ## ruff, mypy --strict, import rules
	@python3 -m setup venv
	$(PYTHON) -m ruff check .
	$(PYTHON) -m ruff format --check .
	$(PYTHON) -m mypy
	.venv/bin/lint-imports

conformance: ## unmodified whatsapp-web.js from npm, through its whole life on the simulator
	@python3 -m setup venv test-tools
	$(PYTHON) -m pytest -m conformance tests/conformance

bench: ## what the project promises in figures, measured side by side
	@python3 -m setup venv engine base test-tools simulator-image
	@$(PYTHON) -m bench

drill: ## survival drill of our bot: SEED=…, ROUNDS=…
	@python3 -m setup venv
	@$(PYTHON) -m manager drill --seed $(SEED) --rounds $(ROUNDS)

drill-peer: ## the same drill, same seeds, on whatsapp-web.js with LocalAuth
	@python3 -m setup venv test-tools
	@$(PYTHON) -m manager drill --subject peer --seed $(SEED) --rounds $(ROUNDS)

clean: ## removes environment, caches and images; sessions, volumes and containers stay
	@python3 -m setup clean
