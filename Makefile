# Everything starts from python3 and pip alone; each target may be run again at any time.
PYTHON ?= python3
BIN := .venv/bin
# worksteal: the tests of a file stay together, so that their fixtures are made once; three on two
# cores, for some tests wait for the processes that they kill
# (their bytecode is kept, for many tests start processes, which import the same again)
PYTEST := OMP_NUM_THREADS=1 PYTHONDONTWRITEBYTECODE= $(BIN)/python -m pytest -n 3 --dist worksteal

TSC := .venv/js/node_modules/.bin/tsc

.PHONY: install demo docs pages test system check types types-win32 types-darwin check-js audit oldest release-check coverage bench slow clean

install: .venv/installed

.venv/installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt torch
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt --upgrade --target .venv/pydoclint pydoclint
	touch $@

demo: install  ## video files -> features -> noisy labels, a few ratings -> moments -> a page, in demo/
	$(BIN)/reeltag demo demo

docs: install  ## the documentation site, build/docs/index.html; every link in it is checked
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --quiet
	$(BIN)/python -m website.links build/docs

pages: install  ## types all that README and the tutorials say, builds the site, follows its links
	$(PYTEST) -m slow tests/pages tests/website

test: install  ## the suite: what a module does, alone and with those that it uses
	$(PYTEST)

system: install  ## the other tests but the slow proofs: whole commands, in environments of their own
	$(PYTEST) -m system

check: install check-js audit  ## what CI runs, and then `make pages` and `make oldest`
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(MAKE) --no-print-directory -j 2 types types-win32 types-darwin
	$(BIN)/python -m benchmarks.tables --check
	$(PYTEST) -m 'not slow'

types: install
	$(BIN)/mypy

types-win32 types-darwin: types-%: install
	$(BIN)/mypy --platform $* --cache-dir .mypy_cache/$* reeltag

check-js: install  ## the scripts of the pages: types, and tests of their pure parts; where node is
	@if ! command -v node > /dev/null || ! command -v npm > /dev/null; then echo "no node and npm: the pages' scripts are not checked"; else \
	node --test tests/server/static/*.test.js > .venv/js.log 2>&1 || { cat .venv/js.log; exit 1; }; \
	[ -x $(TSC) ] || npm install --silent --no-audit --no-fund --prefix .venv/js typescript@5.9 || \
	echo "no typescript: the types of the pages' scripts are not checked"; \
	[ ! -x $(TSC) ] || $(TSC) -p jsconfig.json; fi

audit: install  ## known vulnerabilities of what is installed, where the package index answers
	$(BIN)/python .ci/audit.py

# what does not need the newest of the tools for tests; old releases warn of new ones
OLDEST := tests/core tests/data tests/predictions tests/metrics tests/tagger tests/models tests/library/database

oldest: .venv-oldest/installed  ## the oldest releases that pyproject.toml allows (oldest.txt): the core's tests
	OMP_NUM_THREADS=1 .venv-oldest/bin/python -m pytest -q -n 2 --dist worksteal -o filterwarnings=ignore -p no:cacheprovider $(OLDEST)

.venv-oldest/installed: pyproject.toml constraints.txt oldest.txt
	$(PYTHON) -m venv .venv-oldest
	.venv-oldest/bin/python -m pip install --quiet --disable-pip-version-check -c constraints.txt torch
	.venv-oldest/bin/python -m pip install --quiet --disable-pip-version-check -c oldest.txt \
	  -e '.[cloud,cluster,export,hdf5,hub,knn,otio,plots,serve,text,track,trees,tune,video]' pytest pytest-xdist hypothesis httpx psutil
	touch $@

release-check: .venv-release/installed  ## what would be released: built, looked into, installed and run apart
	.venv-release/bin/python .ci/release_check.py build/release

.venv-release/installed:
	$(PYTHON) -m venv .venv-release
	.venv-release/bin/python -m pip install --quiet --disable-pip-version-check build twine
	touch $@

coverage: install  ## which lines no test runs, worker processes counted; at most 2 % may be
	$(PYTEST) -m 'not slow' --cov=reeltag --cov-report=term:skip-covered --cov-fail-under=98

slow: install  ## proofs that take minutes
	$(BIN)/python -m pytest -m slow

bench: install  ## the speed and memory figures: printed, in results/ and in the tables of the pages
	$(BIN)/python -m benchmarks; missed=$$?; $(BIN)/python -m benchmarks.tables && exit $$missed

clean:
	rm -rf .venv .venv-oldest .venv-release demo build *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis .coverage*
