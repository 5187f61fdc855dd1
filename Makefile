# `make train` and `make test` are all a fresh machine needs: Python 3.11 or later with venv, and make.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# A GPU machine gets CUDA with TensorFlow.
EXTRAS := $(shell nvidia-smi >/dev/null 2>&1 && echo cuda,)test,dev

comma := ,
# Made again where the dependencies or the extras have changed.
STAMP := $(VENV)/installed-$(subst $(comma),-,$(EXTRAS))

.PHONY: train test lint clean

train: $(STAMP)
	$(BIN)/python train.py --freeze-encoder --augment

test: $(STAMP)
	$(BIN)/python -m pytest

lint: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

$(STAMP): setup.cfg setup.py pyproject.toml $(shell find densedepth_keras -name "*.c")
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or later is needed: make PYTHON=python3.12 ...")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet --editable ".[$(EXTRAS)]"
	touch $@

clean:
	rm -rf $(VENV) build dist *.egg-info .pytest_cache .ruff_cache
	find densedepth_keras -name "*.so" -delete -o -name "*.pyd" -delete
