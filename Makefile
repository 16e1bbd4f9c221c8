# `make` alone lists the targets.
SHELL := bash
.DEFAULT_GOAL := help
UV_VERSION := 0.13.8
UV := .tools/bin/uv
RUN := $(UV) run --frozen --no-sync
STAMP := .venv/.setup-complete
# More tests at a time than processors: most of them wait.
PYTEST := $(RUN) pytest -n $(shell echo $$(($$(nproc) * 2)))
# What has a target of its own, for its programs are built from source.
OWN_TIER := not modern_packer and not self_host and not kubernetes and not temporal_chart and not terraform
.PHONY: help setup lock demo demo-drill up down check test test-all test-modern-packer base-image bench self-host self-host-down test-self-host test-terraform test-kubernetes test-temporal-chart

help:  ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-18s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(STAMP)  ## install everything into this folder (.tools, .wheels, .venv), nothing elsewhere

$(UV):
	@command -v python3 >/dev/null || { echo "make: python3 is missing: install Python 3.11 or later"; exit 1; }
	@python3 -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "make: python3 is $$(python3 -V 2>&1): install Python 3.11 or later"; exit 1; }
	@python3 -m venv .tools || { echo "make: python3 has no venv module: install your system's python3-venv package"; exit 1; }
	@.tools/bin/python -m pip install --quiet --disable-pip-version-check uv==$(UV_VERSION)

$(STAMP): $(UV) uv.lock wheels.lock pyproject.toml $(wildcard libs/*/pyproject.toml services/*/pyproject.toml) workflows/pyproject.toml activities/pyproject.toml
	@.ci/wheels
	@$(UV) sync --quiet --frozen --all-packages
	@touch $@

lock: $(UV)  ## resolve the dependencies anew, after a change of a pyproject.toml
	@.ci/lock $(ARGS)

demo: setup  ## an image, a good release, then a bad one, on a real fleet of this machine (about three minutes)
	@$(RUN) python examples/demo.py

demo-drill: setup  ## a disaster recovery drill of a shop, from its plan to its verdicts (a minute)
	@$(RUN) python examples/demo_drill.py

up: setup  ## start the engine, the local cloud and the worker, each with its own log in .run/
	@$(RUN) steadfleet up

down: setup  ## stop exactly what `make up` started
	@$(RUN) steadfleet down

check: setup  ## format, lint, types, imports, lock: what must be clean
	@$(RUN) ruff format --check --quiet .
	@$(RUN) ruff check --quiet .
	@$(RUN) mypy
	@$(RUN) lint-imports --no-cache

test: setup  ## everything but the slow tests, and those that need a browser or a Docker engine
	@$(PYTEST) --dist worksteal -m "not slow and not browser and not docker and $(OWN_TIER)"

test-all: setup  ## every test but one; needs Chromium and its driver, Docker, packer, and `.ci/interop`
	@$(PYTEST) --dist worksteal -m "$(OWN_TIER)"

test-modern-packer: setup  ## build a modern packer (five minutes, needs Go), and build an image with it
	@.ci/modern-packer
	@$(RUN) pytest -m modern_packer

self-host: setup  ## a Temporal of your own on PostgreSQL, with TLS, roles, UI and our workers (needs Docker)
	@deploy/self-host/run up

self-host-down: setup  ## stop what `make self-host` started; its data stays
	@deploy/self-host/run down

test-self-host: setup  ## build its images from source (long, once), and run the tests of a self-hosted engine
	@.ci/self-host-images
	@status=0; \
	  $(PYTEST) --dist worksteal -m "self_host and not composed" tests/self_host || status=1; \
	  $(RUN) pytest -m "self_host and composed" tests/self_host || status=1; \
	  exit $$status

test-terraform: setup  ## build OpenTofu, a provider and actionlint (a quarter of an hour, needs Go), and hold deploy/ against them
	@.ci/terraform
	@$(PYTEST) --dist worksteal -m terraform

test-kubernetes: setup  ## build a Kubernetes API server (minutes, needs Go), and hold deploy/kubernetes against it
	@.ci/kubernetes
	@$(RUN) pytest -m kubernetes tests/kubernetes

test-temporal-chart: setup  ## render Temporal's own chart (CHART: its folder, 1.6.0) with our values, for the same API server
	@[ -f "$(CHART)/Chart.yaml" ] || { echo "make: no chart in CHART=$(CHART): expected the folder charts/temporal of Temporal's helm-charts, at temporal-1.6.0"; exit 2; }
	@.ci/kubernetes helm
	@TEMPORAL_CHART="$(abspath $(CHART))" $(RUN) pytest -m temporal_chart tests/kubernetes

base-image: setup  ## make the Debian image of the local cloud's Docker machines (a minute, needs mmdebstrap)
	@$(RUN) local-cloud base-image

bench: setup  ## measure, and print the tables of benchmarks/README.md
	@$(RUN) python benchmarks/campaign.py
	@$(RUN) python benchmarks/image.py
	@$(RUN) python benchmarks/drill.py
	@$(RUN) python benchmarks/engine.py
	@$(RUN) python benchmarks/actions.py
