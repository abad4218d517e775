# make run    the whole benchmark on simulated radiographs
# make test   lint and all tests; make quick leaves out the slower ones, make coverage measures branch coverage
# make test-images   builds the images and runs every step in its container (needs Docker)
# make fuzz   feeds 20,000 damaged images and archives, tables and stored objects each to what reads them
# make yaml   the pipeline to upload to Kubeflow
# make images   the container images; REGISTRY=ghcr.io/me TAG=1 GPU=1 WEIGHTS=folder; make push pushes them
# make kind-up    a Kubeflow on this machine, in Docker; kind-run runs the benchmark on it, kind-down removes it
# make locks    the images' packages, resolved anew from images/*.in and requirements.txt

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

REGISTRY ?=
TAG ?=
GPU ?= 0
WEIGHTS ?=
DOCKER ?= docker
NETWORK ?=
IMAGES = $(BIN)/python -m images.build --gpu $(GPU) --docker $(DOCKER) $(if $(REGISTRY),--registry $(REGISTRY)) \
  $(if $(TAG),--tag $(TAG)) $(if $(NETWORK),--network $(NETWORK))
LOCK = $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-annotate \
  --constraint requirements.txt

.PHONY: run test quick coverage test-images lint yaml images push kind-up kind-run kind-down locks clean help

help:
	@sed -n 's/^# //p' Makefile

run: $(VENV)/ready
	$(BIN)/python -m pipelines.local --weights bundled --synthetic-images 800 --epochs 6 --seeds 1 $(ARGS)

test: lint
	$(BIN)/python -m pytest -n auto -m "not images" --durations=20 --durations-min=20 $(ARGS)

coverage: $(VENV)/ready
	$(BIN)/python -m pytest -n auto -m "not images" --cov --cov-report=term $(ARGS)

quick: lint
	$(BIN)/python -m pytest -n auto -m "not slow and not medium and not images" $(ARGS)

test-images: $(VENV)/ready
	DOCKER=$(DOCKER) NETWORK=$(NETWORK) $(BIN)/python -m pytest -m images $(ARGS)

fuzz: $(VENV)/ready
	for reader in files tables objects; do $(BIN)/python -m tests.fuzz --reader $$reader $(ARGS) || exit; done

lint: $(VENV)/ready
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo
	$(BIN)/shellcheck images/kind/kind.sh .ci/run

yaml: $(VENV)/ready
	$(BIN)/python compile.py $(ARGS)

images: $(VENV)/ready
	$(IMAGES) $(if $(WEIGHTS),--weights $(WEIGHTS)) $(ARGS)

push: $(VENV)/ready
	$(IMAGES) --push $(ARGS)

locks: $(VENV)/ready
	for name in data train-cpu train-gpu; do $(LOCK) images/$$name.in --output-file images/$$name.lock || exit; done

kind-up kind-run kind-down: $(VENV)/ready
	DOCKER=$(DOCKER) images/kind/kind.sh $(@:kind-%=%) $(ARGS)

clean:
	rm -rf $(VENV) build .pytest_cache .hypothesis .ruff_cache

$(VENV)/ready: requirements.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "$(PYTHON) is older than Python 3.11: install a newer one, then run make PYTHON=python3.11 again" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check --requirement requirements.txt
	@touch $@
