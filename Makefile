# The commands of this project, for people and for CI alike. `make help` lists them.
# Each makes the virtual environment that it needs.

PYTHON ?= python3
DEMO = .venv-demo
DEV = .venv
WEB = src/whatsit/serve/web/rt
MODULES = tools/web/node_modules/.package-lock.json
# Node.js and npm are needed for the web app alone.
HAS_NPM := $(shell command -v npm)
TORCH = torch==2.13.0  # what the tests were last run with; pyproject.toml takes any from 2.6
AT_ONCE = --numprocesses auto --maxprocesses 4 --dist loadfile  # a file's tests share what they made
ifeq ($(OS),Windows_NT)
BIN = Scripts
else
BIN = bin
endif

.PHONY: help demo test web check docs screenshots dist bench clean

help:  ## list the commands
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/'

demo: $(DEMO)/.installed  ## classify the sample photos
	$(DEMO)/$(BIN)/whatsit src/whatsit/zoo/golden

test: $(DEV)/.installed  ## run the tests
ifneq ($(HAS_NPM),)
	@$(MAKE) --no-print-directory web || echo "the web app cannot be built: its tests will skip"
endif
	$(DEV)/$(BIN)/python -m pytest $(AT_ONCE)

web: $(WEB)/versions.json  ## build the part of the web app that is not in this repository

check: $(DEV)/.installed  ## lint, format, types, generated docs
	$(DEV)/$(BIN)/ruff check
	$(DEV)/$(BIN)/ruff format --check
	$(DEV)/$(BIN)/mypy
	$(DEV)/$(BIN)/python tools/docs.py --check
ifneq ($(HAS_NPM),)
	@$(MAKE) --no-print-directory $(MODULES) || echo "the JavaScript is not checked"
endif
	test ! -e $(MODULES) || npm --prefix tools/web run --silent check

docs: $(DEV)/.installed  ## write the generated pages anew, and a site of all pages into site/
	$(DEV)/$(BIN)/python tools/docs.py
	$(DEV)/$(BIN)/python -m sphinx -b html -W --keep-going -q -c docs . site
	@echo "the site: site/index.html"

dist: $(DEV)/.installed $(if $(HAS_NPM),web)  ## build wheel and sdist, and try the wheel alone
	rm -rf dist .venv-dist
	$(DEV)/$(BIN)/python -m build --outdir dist .
	$(PYTHON) -m venv .venv-dist
	.venv-dist/$(BIN)/pip install --quiet dist/*.whl
	cd dist && ../.venv-dist/$(BIN)/whatsit selftest

screenshots: $(DEV)/.installed web  ## take the pictures of the app in docs/pictures/app anew, with Chromium
	$(DEV)/$(BIN)/python tools/screenshots.py

bench: $(DEV)/.installed  ## compare with MediaPipe and with a ten-line script
	$(DEV)/$(BIN)/python benchmarks/run.py

clean:  ## remove what these commands made
	rm -rf $(DEMO) $(DEV) .venv-dist dist site $(WEB) tools/web/node_modules .mypy_cache .ruff_cache .pytest_cache

$(DEMO)/.installed: pyproject.toml $(wildcard src/whatsit/*.py src/whatsit/*/*.py src/whatsit/*/*.json)
	$(PYTHON) -m venv $(DEMO)
	$(DEMO)/$(BIN)/pip install --quiet --disable-pip-version-check .
	touch $@

$(DEV)/.installed: pyproject.toml
	$(PYTHON) -m venv $(DEV)
	$(DEV)/$(BIN)/pip install --quiet --disable-pip-version-check --editable '.[dev]' $(TORCH)
	$(DEV)/$(BIN)/python -m compileall -q src  # else each start compiles, where caches are off
	touch $@

$(MODULES): tools/web/package.json tools/web/package-lock.json
	cd tools/web && npm ci --ignore-scripts --silent
	touch $@

$(WEB)/versions.json: $(MODULES) tools/web/build.mjs tools/web/THIRD_PARTY.md
	node tools/web/build.mjs
