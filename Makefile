# Each target does all the set-up it needs: a virtual environment in .venv, then the install.
PYTHON ?= python3
BIN = .venv/bin
# with no network allowed, e.g. in an image that has the wheels: make test PIP_FLAGS="--no-index --find-links wheels"
PIP_FLAGS ?=

.PHONY: demo test notebooks bench check clean

demo: .venv/.installed
	$(BIN)/relneuron demo

test: .venv/.dev
	OMP_NUM_THREADS=1 $(BIN)/nbdev_test --n_workers 2 --timing # two notebooks at a time, one thread each

# run every notebook from top to bottom and keep its outputs; with RELNEURON_DATA the cells on MNIST and CIFAR-10 too
notebooks: .venv/.dev
	$(BIN)/python .ci/execute.py --flags "$(if $(RELNEURON_DATA),slow)"
	$(BIN)/nbdev_export
	$(BIN)/python .ci/readme.py

# the comparisons with other libraries; torchattacks pins an old requests, so it comes without its requirements
bench: .venv/.dev
	$(BIN)/pip install -q $(PIP_FLAGS) -e '.[dev,bench]'
	$(BIN)/pip install -q $(PIP_FLAGS) --no-deps torchattacks
	$(BIN)/python .ci/execute.py --path nbs/02_attacks.ipynb --flags "slow bench"

# notebooks clean, module exported, README in step
check: .venv/.dev
	$(BIN)/nbdev_clean
	$(BIN)/nbdev_export
	$(BIN)/python .ci/readme.py --check
	test -z "$$(git status --porcelain nbs relneuron README.md)" || { git status --porcelain nbs relneuron README.md; git diff --stat; exit 1; }

.venv/bin/python:
	$(PYTHON) -m venv .venv

.venv/.installed: .venv/bin/python settings.ini setup.py
	$(BIN)/pip install -q $(PIP_FLAGS) -e .
	touch $@

.venv/.dev: .venv/.installed
	$(BIN)/pip install -q $(PIP_FLAGS) -e '.[dev]'
	touch $@

clean:
	rm -rf .venv build dist *.egg-info
