# The commands of the repository. `make` alone lists them.

SHELL := /bin/bash
.DEFAULT_GOAL := help
.NOTPARALLEL:

PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet --quiet
LISTS := pyproject.toml constraints.txt
EXTRAS := export,train,evaluate,client,bench,dev

.PHONY: help serve install test slow lint format types check bench profile image image-test k8s-test simulate dashboard house constraints clean openapi gpu

help: ## This list
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

serve: $(VENV)/serve.stamp ## Install what serving needs (no torch) and serve on 127.0.0.1:8000
	@exec $(BIN)/panoptic-serve

install: $(VENV)/all.stamp ## Install everything, torch included

test: $(VENV)/all.stamp ## Install everything and run the tests
	@$(BIN)/python -m pytest

slow: $(VENV)/all.stamp ## Run the tests that take minutes
	@$(BIN)/python -m pytest -m "slow and not gpu and not weights"

lint: $(VENV)/all.stamp ## Rules, format and import contracts
	@$(BIN)/ruff check
	@$(BIN)/ruff format --check
	@$(BIN)/lint-imports --no-logo

format: $(VENV)/all.stamp ## Format the code and mend what can be mended
	@$(BIN)/ruff check --fix
	@$(BIN)/ruff format

types: $(VENV)/all.stamp ## Types, strictly
	@$(BIN)/mypy

check: lint types test ## All that must hold before a commit

bench: $(VENV)/all.stamp ## Measure on this machine, and compare with what must be reached
	@$(BIN)/python -m benchmarks.table

gpu: $(VENV)/all.stamp ## On a machine with a GPU: build engines, prove and measure them, write docs/benchmarks-gpu.md
	@$(PIP) install --constraint constraints.txt --editable ".[$(EXTRAS),gpu]" tensorrt
	@$(PIP) install --force-reinstall --no-deps --constraint constraints.txt onnxruntime-gpu
	@$(BIN)/python -m pytest -m gpu
	@test -n "$(BUNDLES)" || $(BIN)/python -m benchmarks.gpu_bundles runs/gpu
	@$(BIN)/python -m benchmarks.gpu $(or $(BUNDLES),service/bundles/street runs/gpu/*) --page docs/benchmarks-gpu.md

profile: $(VENV)/all.stamp ## Draw where a loaded server's time goes, into profile.svg
	@$(BIN)/python -m benchmarks.profile

image: ## Build the image for processors by podman; TARGET, PODMAN and IMAGE_BASE name another one, builder and base
	@docker/image.sh $(or $(TARGET),cpu)

image-test: $(VENV)/all.stamp ## Run the image hardened, and prove what docker/README.md says of it
	@$(BIN)/python -m pytest -m image -rP tests/docker

k8s-test: $(VENV)/all.stamp ## Build every overlay, and check manifests, rules and dashboard
	@$(BIN)/python -m pytest -rs tests/k8s

simulate: $(VENV)/all.stamp ## Simulate the autoscaling of k8s/, and draw docs/autoscaling.md's table and pictures
	@$(BIN)/python -m benchmarks.autoscaling

dashboard: $(VENV)/all.stamp ## Write Grafana's dashboard, and the rules as Prometheus reads them
	@$(BIN)/python -m k8s.dashboard

house: $(VENV)/all.stamp ## Draw the picture of the house in docs/architecture.md
	@$(BIN)/python docs/house.py

openapi: $(VENV)/all.stamp ## Write the interface into docs/openapi.json
	@$(BIN)/python -m docs.openapi

constraints: $(VENV)/serve.stamp ## Resolve the newest allowed versions into constraints.txt
	@$(BIN)/python .ci/constraints.py > $(VENV)/constraints.txt
	@mv $(VENV)/constraints.txt constraints.txt

clean: ## Remove the environment, caches and build outputs; runs/ stays
	rm -rf $(VENV) build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(VENV)/python.stamp:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "$(PYTHON) is older than Python 3.11. Say which to use: make PYTHON=/path/to/python3.11"; exit 1; }
	@echo "Making $(VENV) with $$($(PYTHON) --version)"
	@$(PYTHON) -m venv $(VENV)
	@touch $@

$(VENV)/serve.stamp: $(VENV)/python.stamp $(LISTS)
	@echo "Installing what serving needs (once, and when a list of dependencies changes)"
	@$(PIP) install --constraint constraints.txt --editable .
	@echo "Compiling the kernels for this processor"
	@$(BIN)/python -c "from service.pipeline.kernels.warm import warm; warm()"
	@touch $@

$(VENV)/all.stamp: $(VENV)/serve.stamp
	@echo "Installing what exporting, training and testing need, torch included (some gigabytes, once)"
	@$(PIP) install --constraint constraints.txt --editable ".[$(EXTRAS)]"
	@touch $@
