# Each target does all the set-up it needs: a virtual environment in .venv, then the install.
PYTHON ?= python3
BIN = .venv/bin
# with no network allowed, e.g. in an image that has the wheels: make test PIP_FLAGS="--no-index --find-links wheels"
PIP_FLAGS ?=

.PHONY: demo test test-models notebooks bench check docs clean

demo: .venv/.installed
	$(BIN)/relneuron demo

test: .venv/.dev
	OMP_NUM_THREADS=1 $(BIN)/nbdev_test --n_workers 2 --timing # two notebooks at a time, one thread each

# the whole way through ten networks of torchvision (three of them are in `make test`); runs shared by processes,
# one of which is killed, and by a Dask cluster
test-models: .venv/.dask
	OMP_NUM_THREADS=1 $(BIN)/nbdev_test --file_re '^(networks|workers)[.]' --flags models --n_workers 2 --timing

# export, run every notebook from top to bottom and keep its outputs; with RELNEURON_DATA the cells on MNIST and CIFAR-10 too.
# .ci/long takes tcmalloc where it is installed: use it for your own long runs too (.ci/long .venv/bin/relneuron ...)
notebooks: .venv/.dev
	$(BIN)/nbdev_export
	.ci/long $(BIN)/python .ci/execute.py --flags "$(if $(RELNEURON_DATA),slow)"
	$(BIN)/nbdev_export
	$(BIN)/python .ci/readme.py

# the comparisons with other libraries; torchattacks pins an old requests, adv-lib asks for a plotting server: without their requirements
bench: .venv/.dev
	$(BIN)/pip install -q $(PIP_FLAGS) -e '.[dev,bench]'
	$(BIN)/pip install -q $(PIP_FLAGS) --no-deps torchattacks adv-lib
	$(BIN)/python .ci/execute.py --flags "slow bench" \
	  --path "$$(grep -rlE --include='*.ipynb' '"#\| bench' nbs | sort | xargs)"

# faults that only a reader sees, each named with its cell; then: notebooks clean, modules exported, README in step;
# what is not committed yet does no harm
check: .venv/.dev
	$(BIN)/python .ci/check.py --self-test
	$(BIN)/python .ci/check.py
	@state() { git status --porcelain nbs relneuron; git diff nbs relneuron | cksum; }; before=$$(state); \
	$(BIN)/nbdev_clean && $(BIN)/nbdev_export || exit 1; after=$$(state); test "$$before" = "$$after" || \
	{ echo "Notebooks were not clean, or modules not exported; they are now: see git diff"; git diff --stat; exit 1; }
	$(BIN)/python .ci/readme.py --check

# the notebooks with the outputs they have, and the API of every module, as a site that needs no network: _docs/index.html
docs: .venv/.docs
	$(BIN)/python .ci/pages.py
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --config-file _proc/mkdocs.yml
	$(BIN)/python .ci/links.py --self-test
	$(BIN)/python .ci/links.py _docs

.venv/bin/python:
	$(PYTHON) -m venv .venv

.venv/.installed: .venv/bin/python settings.ini setup.py
	$(BIN)/pip install -q $(PIP_FLAGS) -e .
	touch $@

.venv/.dev: .venv/.installed
	$(BIN)/pip install -q $(PIP_FLAGS) -e '.[dev]'
	touch $@

.venv/.dask: .venv/.dev
	$(BIN)/pip install -q $(PIP_FLAGS) -e '.[dev,dask]'
	touch $@

.venv/.docs: .venv/.dev
	$(BIN)/pip install -q $(PIP_FLAGS) -e '.[dev,docs]'
	touch $@

clean:
	rm -rf .venv build dist _docs _proc *.egg-info
