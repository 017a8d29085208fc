# SPDX-License-Identifier: LGPL-2.1-or-later
#
#   make demo       shows cisternd at work on a private bus
#   make check      style, build, tests, demo and examples, as continuous integration runs them
#   make lab        the tests that want a kernel of their own, which is booted for them; CISTERN_SKIP_LAB=1 has a check pass over them
#   make torture    kills the daemon in the middle of everything, over and over: SECONDS=60 (default: without end), SEED=1
#   make powercuts  cuts the power of a machine in the middle of everything: CUTS=100 (default: without end), SEED=1
#   make scale      100,000 volumes made and deleted, 100,000 files, 1,000 rescans: the memory of the daemon as it is installed
#   make mutants    breaks more than fifty promises in turn; each must fail a test (takes long)
#   make bench      measures against C programs and libvirt; BASE=FILE compares, ROWS="scan list" runs these alone (Benchmarks/run)
#   make install    PREFIX=/usr/local, DESTDIR=
#   make uninstall
#   make clean

SHELL = /bin/bash
.SHELLFLAGS = -euo pipefail -c
.DELETE_ON_ERROR:
MAKEFLAGS += --no-print-directory

PREFIX ?= /usr/local
DESTDIR ?=
bindir = $(PREFIX)/bin
sbindir = $(PREFIX)/sbin
datadir = $(PREFIX)/share
unitdir = $(PREFIX)/lib/systemd/system
interfacedir = $(datadir)/dbus-1/interfaces
policydir = $(datadir)/dbus-1/system.d
activationdir = $(datadir)/dbus-1/system-services
actiondir = $(datadir)/polkit-1/actions
exampledir = $(datadir)/doc/cistern/examples
# Where each shell looks for what it can complete.
bashdir = $(datadir)/bash-completion/completions
zshdir = $(datadir)/zsh/site-functions
fishdir = $(datadir)/fish/vendor_completions.d
mandir = $(datadir)/man

SWIFT ?= swift
release = $(CURDIR)/.build/release
debug = $(CURDIR)/.build/debug
sources = Sources Tests Package.swift
# Where each page goes below mandir: man5/org.cistern1.5
pages = $(foreach page,$(notdir $(wildcard man/*.[158])),man$(subst .,,$(suffix $(page)))/$(page))

.PHONY: all demo check lint test lab torture powercuts scale mutants bench build install uninstall clean packages toolchain

all: build

demo: build
	CISTERND=$(release)/cisternd CISTERNCTL=$(release)/cisternctl Tests/demo.sh

# The demo of a check runs on the debug build and as long as its volume takes three seconds to write.
# The tests come last, so that the output ends with swift test's own closing line.
check: packages toolchain lint
	Tests/mutants.sh --check
	$(SWIFT) build --build-tests
	DEMO_SECONDS=3 CISTERND=$(debug)/cisternd CISTERNCTL=$(debug)/cisternctl Tests/demo.sh
	CISTERND=$(debug)/cisternd CISTERNCTL=$(debug)/cisternctl Tests/examples.sh
	.ci/lab
	.ci/test

lint: toolchain
	$(SWIFT) format lint --strict --parallel --recursive $(sources)

test: packages toolchain
	$(SWIFT) build --build-tests
	.ci/test

lab: packages toolchain
	$(SWIFT) build --build-tests
	.ci/lab

# Longer than a check can take: the tests of a check with other choices, on the daemon as it is installed. One line a minute.
torture: build
	$(SWIFT) build --build-tests
	CISTERN_TORTURE_SECONDS=$(or $(SECONDS),0) CISTERN_TORTURE_SEED=$(or $(SEED),1) CISTERN_TEST_DAEMON=$(release)/cisternd \
	    $(SWIFT) test --skip-build --disable-xctest --no-parallel --filter TortureTests

powercuts: packages toolchain
	$(SWIFT) build --build-tests
	CUTS=$(or $(CUTS),0) SEED=$(or $(SEED),1) PROGRESS=1 Tests/Lab/powercuts

scale: build
	$(SWIFT) build --build-tests
	CISTERN_SCALE_PAIRS=100000 CISTERN_TEST_DAEMON=$(release)/cisternd \
	    $(SWIFT) test --skip-build --disable-xctest --no-parallel --filter ScaleTests

mutants: packages toolchain
	Tests/mutants.sh

bench: build
	Benchmarks/packages
	CISTERND=$(release)/cisternd CISTERNCTL=$(release)/cisternctl Benchmarks/run $(if $(BASE),--base $(BASE)) $(ROWS)

build: packages toolchain
	$(SWIFT) build -c release --static-swift-stdlib --product cisternd
	$(SWIFT) build -c release --static-swift-stdlib --product cisternctl

packages:
	@.ci/packages

toolchain:
	@command -v $(SWIFT) >/dev/null || { \
	    echo "There is no Swift toolchain in PATH: install Swift 6.3 (https://www.swift.org/install/linux/) or pass SWIFT=/path/to/swift." >&2; \
	    exit 1; }
	@$(SWIFT) --version 2>/dev/null | grep -Eq 'Swift version (6\.([3-9]|[1-9][0-9])|[7-9]|[1-9][0-9])' || { \
	    echo "Cistern needs Swift 6.3 or newer; this is: $$($(SWIFT) --version 2>/dev/null | head -1)" >&2; \
	    exit 1; }

# Builds nothing when the programs are there already, so that `sudo make install` leaves no files of root in .build.
install:
	@test -x $(release)/cisternd -a -x $(release)/cisternctl || $(MAKE) build
	install -D -m 0755 --strip $(release)/cisternd $(DESTDIR)$(sbindir)/cisternd
	install -D -m 0755 --strip $(release)/cisternctl $(DESTDIR)$(bindir)/cisternctl
	install -d $(DESTDIR)$(interfacedir) $(DESTDIR)$(policydir) $(DESTDIR)$(activationdir) $(DESTDIR)$(unitdir)
	install -m 0644 dbus/org.cistern1.*.xml $(DESTDIR)$(interfacedir)
	install -m 0644 dbus/org.cistern1.conf $(DESTDIR)$(policydir)
	install -D -m 0644 polkit/org.cistern1.policy $(DESTDIR)$(actiondir)/org.cistern1.policy
	install -d $(DESTDIR)$(exampledir)
	install -m 0644 polkit/*.rules.example $(DESTDIR)$(exampledir)
	sed 's|@sbindir@|$(sbindir)|' dbus/org.cistern1.service.in > $(DESTDIR)$(activationdir)/org.cistern1.service
	sed 's|@sbindir@|$(sbindir)|' systemd/cisternd.service.in > $(DESTDIR)$(unitdir)/cisternd.service
	for page in $(pages); do install -D -m 0644 man/$${page#*/} $(DESTDIR)$(mandir)/$$page; done
	chmod 0644 $(DESTDIR)$(activationdir)/org.cistern1.service $(DESTDIR)$(unitdir)/cisternd.service
	install -d $(DESTDIR)$(bashdir) $(DESTDIR)$(zshdir) $(DESTDIR)$(fishdir)
	$(release)/cisternctl --generate-completion-script bash > $(DESTDIR)$(bashdir)/cisternctl
	$(release)/cisternctl --generate-completion-script zsh > $(DESTDIR)$(zshdir)/_cisternctl
	$(release)/cisternctl --generate-completion-script fish > $(DESTDIR)$(fishdir)/cisternctl.fish
	chmod 0644 $(DESTDIR)$(bashdir)/cisternctl $(DESTDIR)$(zshdir)/_cisternctl $(DESTDIR)$(fishdir)/cisternctl.fish

uninstall:
	rm -f $(DESTDIR)$(sbindir)/cisternd $(DESTDIR)$(bindir)/cisternctl
	rm -f $(addprefix $(DESTDIR)$(interfacedir)/,$(notdir $(wildcard dbus/org.cistern1.*.xml)))
	rm -f $(DESTDIR)$(policydir)/org.cistern1.conf $(DESTDIR)$(activationdir)/org.cistern1.service
	rm -f $(DESTDIR)$(actiondir)/org.cistern1.policy $(addprefix $(DESTDIR)$(exampledir)/,$(notdir $(wildcard polkit/*.rules.example)))
	rm -f $(DESTDIR)$(bashdir)/cisternctl $(DESTDIR)$(zshdir)/_cisternctl $(DESTDIR)$(fishdir)/cisternctl.fish
	rm -f $(DESTDIR)$(unitdir)/cisternd.service $(addprefix $(DESTDIR)$(mandir)/,$(pages))

clean:
	rm -rf .build
