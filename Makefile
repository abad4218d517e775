# make run    the whole benchmark on simulated radiographs
# make test   lint and all tests; make quick leaves out those that take minutes

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: run test quick lint yaml clean help

help:
	@sed -n 's/^# //p' Makefile

run: $(VENV)/ready
	$(BIN)/python -m pipelines.local --weights none --synthetic-images 800 --epochs 6 $(ARGS)

test: lint
	$(BIN)/python -m pytest $(ARGS)

quick: lint
	$(BIN)/python -m pytest -m "not slow" $(ARGS)

lint: $(VENV)/ready
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

yaml: $(VENV)/ready
	$(BIN)/python compile.py $(ARGS)

clean:
	rm -rf $(VENV) build .pytest_cache .ruff_cache

$(VENV)/ready: requirements.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "$(PYTHON) is older than Python 3.11: install a newer one, then run make PYTHON=python3.11 again" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check --requirement requirements.txt
	@touch $@
