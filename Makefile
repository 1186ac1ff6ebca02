# Two commands: `make demo` and `make test`. Each sets up .venv first; a second call installs nothing.
PYTHON ?= python3
VENV := .venv
RUN := $(VENV)/bin/python
INSTALLED := $(VENV)/.installed
INSTALL := $(RUN) -m pip install --disable-pip-version-check --progress-bar off -q -c constraints.txt
OUT := outputs/demo
ifdef AUDIO
DATA := data=folder 'data.path="$(AUDIO)"'
else
DATA := data=synthetic
endif

.PHONY: install demo test check docs wheel test-wheel

install: $(INSTALLED)

$(INSTALLED): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10) and "error: saga-sr needs Python 3.10 or newer; run make PYTHON=/path/to/python3.x")'
	@$(PYTHON) -c 'import venv, ensurepip' 2>/dev/null || { \
	  echo "Python's venv module is missing; installing it"; \
	  if [ "$$(id -u)" = 0 ]; then apt-get update && apt-get install -y python3-venv; \
	  else sudo apt-get update && sudo apt-get install -y python3-venv; fi; }
	$(PYTHON) -m venv $(VENV)
	$(INSTALL) -U pip
	$(INSTALL) --no-compile -e '.[dev]'
	$(INSTALL) --no-compile --no-deps descript-audio-codec descript-audiotools
	$(INSTALL) --no-compile -e '.[metrics]' || echo "without a C compiler, PESQ and ViSQOL are left out"
	@$(RUN) -m compileall -q -j 0 $(VENV)/lib >/dev/null 2>&1 || true  # on all cores; pip takes one
	@command -v chromium >/dev/null || { [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null && \
	  apt-get update -q && apt-get install -y -q chromium; } || echo "without chromium, tests of the app are left out"
	@touch $@

demo: $(INSTALLED)
	@rm -rf $(OUT)
	$(RUN) train.py experiment=demo $(DATA) hydra.run.dir=$(OUT)/train
	$(RUN) -m saga_sr evaluate model=$(OUT)/train/model output=$(OUT) $(DATA)
	$(RUN) infer.py model=$(OUT)/train/model input=$(OUT)/audio/01_4000_input.flac output=$(OUT)/audio/enhanced.flac
	@cat $(OUT)/summary.txt

test: $(INSTALLED)
	$(RUN) -m pytest -n logical --maxprocesses 8 --dist loadfile --no-loadscope-reorder

check: $(INSTALLED)
	$(RUN) -m ruff check .
	$(RUN) -m ruff format --check .
	$(RUN) -m mypy

docs: $(INSTALLED)
	NO_MKDOCS_2_WARNING=1 $(RUN) -m mkdocs build --quiet
	@echo "Pages: outputs/site/index.html"

wheel: $(INSTALLED)
	$(RUN) -m hatchling build -d dist

# Every command of README and docs, by what the wheel installs.
test-wheel: wheel
	$(PYTHON) -m venv --clear outputs/of-wheel
	outputs/of-wheel/bin/python -m pip install -q -c constraints.txt "$$(ls -t dist/*.whl | head -n 1)[all]"
	SAGA_SR_TESTED_PYTHON=$(CURDIR)/outputs/of-wheel/bin/python $(RUN) -m pytest tests/test_commands_of_pages.py
