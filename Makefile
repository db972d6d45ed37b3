# The Littlest JupyterHub as a Debian package. Each target installs by apt what it needs.
#
#   make run      a throw-away Debian machine with tljh   SUITE=bookworm PORT=8080
#   make stop     ends it
#   make test     every test                              SUITES="bookworm trixie"
#   make check    the tests that need no root, in seconds
#   make debs     dist/debs/<suite>/*.deb                 SUITES= VERSION= REPO_URL=
#   make repo     the signed repository dist/apt          REPO_URL=
#   make bench    our figures beside the peers'
#   make lint     rustfmt, clippy, cargo-deny, shellcheck, lintian
#   make lock     renews the hash-locked Python requirements

export TLJH_CACHE ?= /var/cache/tljh
export CARGO_TARGET_DIR ?= $(TLJH_CACHE)/target
# Debian's own interpreter, which has the Debian packages that the tests use.
PYTHON := /usr/bin/python3
export PYTHONDONTWRITEBYTECODE := 1
SUITE ?= bookworm
PORT ?= 8080

BUILD_NEEDS := packaging/apt-packages.txt packaging/repo/apt-packages.txt
TEST_NEEDS := $(BUILD_NEEDS) tests/apt-packages.txt tests/repo/apt-packages.txt

.PHONY: run stop test check debs repo bench lint lock

run: export SUITES := $(SUITE)
run: repo
	@packaging/need.sh $(TEST_NEEDS)
	@SUITE=$(SUITE) PORT=$(PORT) $(PYTHON) -m tests.machines.run start

stop:
	@$(PYTHON) -m tests.machines.run stop

test: repo
	@packaging/need.sh $(TEST_NEEDS)
	@tests/run.py

check:
	cargo test --quiet --locked --workspace

debs:
	@packaging/need.sh $(BUILD_NEEDS)
	@packaging/debs.sh

repo: debs
	@packaging/repo/build.sh

bench: repo
	@packaging/need.sh $(TEST_NEEDS) tests/bench/apt-packages.txt
	@$(PYTHON) -m tests.bench

lint: debs
	@packaging/need.sh $(TEST_NEEDS) packaging/lint-apt-packages.txt
	packaging/lint.sh

lock:
	@packaging/need.sh packaging/apt-packages.txt
	packaging/lock.sh
