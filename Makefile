# Everything a fresh Debian 12 machine needs, by make. Run as root or with sudo at hand.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help

export ONEFOLD_CACHE ?= $(HOME)/.cache/onefold
export UV_CACHE_DIR := $(ONEFOLD_CACHE)/uv
export UV_LINK_MODE := copy
UV_VERSION := 0.13.9
PYTHON := .venv/bin/python
READY := .venv/.ready
# hundreds of short processes compile all they import anew where the environment forbids them to keep it
unexport PYTHONDONTWRITEBYTECODE
NATIVE := orchestrator/forwarding/engine/native
LIBRARY := $(NATIVE)/libforwarding.so

.PHONY: help setup lock demo test test-fast test-lab lint bench soak clean

help: ## what there is
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /  make \1\t/' | expand -t 20

setup: $(READY) $(LIBRARY) ## make .venv with the pinned packages

$(LIBRARY): $(READY) hatch_build.py $(wildcard $(NATIVE)/*.[ch])
	@$(PYTHON) hatch_build.py
	@touch $@

$(READY): requirements.lock pyproject.toml
	@echo "== Python environment (.venv) from requirements.lock"
	@python3 -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
	  SUDO=$$([ $$(id -u) = 0 ] || echo sudo); $$SUDO apt-get -qq update; \
	  DEBIAN_FRONTEND=noninteractive $$SUDO apt-get install -y -qq --no-install-recommends python3 python3-venv; }
	@[ -x $(PYTHON) ] || python3 -m venv .venv
	@.venv/bin/pip install -q --disable-pip-version-check uv==$(UV_VERSION)
	@.venv/bin/uv pip sync -q --python $(PYTHON) --require-hashes requirements.lock
	@.venv/bin/uv pip install -q --python $(PYTHON) uv==$(UV_VERSION)
	@.venv/bin/uv pip install -q --python $(PYTHON) --no-deps -e .
	@touch $@

lock: ## resolve requirements*.in anew into requirements.lock
	$(PYTHON) -m uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
	  --no-emit-find-links --no-header requirements-dev.in -o requirements.lock

lint: setup ## style, types and the direction of imports
	.venv/bin/ruff check .
	.venv/bin/ruff format --check --diff . >/dev/null || { echo "run: .venv/bin/ruff format ."; exit 1; }
	.venv/bin/mypy
	.venv/bin/lint-imports

test-fast: setup ## the tests that need neither lab nor patience
	$(PYTHON) -m pytest -q -m "not lab and not slow"

test-lab: setup ## the tests on real parts (routers, cloud, engine)
	$(PYTHON) -m lab.door prepare
	$(PYTHON) -m pytest -q -m lab

test: lint ## every check and every test
	$(PYTHON) -m lab.door prepare
	$(PYTHON) -m pytest -q --durations=25 -n 4 --no-loadscope-reorder

demo: setup ## the main job, end to end on the lab, and back
	$(PYTHON) -m lab.demo

bench: setup ## every benchmark, one JSON object each
	$(PYTHON) -m benchmarks --json

soak: setup ## the long runs of the laws, and of real FRR against computed tables (root)
	ONEFOLD_SOAK=1 $(PYTHON) -m pytest -v -m "not lab" -n 2 --no-loadscope-reorder --capture=sys --timeout=7200 --hypothesis-profile=soak
	ONEFOLD_SOAK=1 $(PYTHON) -m pytest -q --timeout=7200 tests/lab/test_control_plane.py

clean: ## take the environment away (the cache stays)
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .import_linter_cache
