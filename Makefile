# The single entry for people, hooks and CI. `make help` lists the targets.
#
# `make build`, `make test` and `make demo` need Rust and a C compiler, no root and no other tool (tests/e2e/newcomer).

CARGO ?= cargo
prefix ?= /usr
DESTDIR ?=
bindir ?= $(prefix)/bin
mandir ?= $(prefix)/share/man
datadir ?= $(prefix)/share/cxi-device-plugin
bashcompdir ?= $(prefix)/share/bash-completion/completions
zshcompdir ?= $(prefix)/share/zsh/site-functions
fishcompdir ?= $(prefix)/share/fish/vendor_completions.d
sysconfdir ?= /etc
unitdir ?= $(prefix)/lib/systemd/system
tmpfilesdir ?= $(prefix)/lib/tmpfiles.d
catalogdir ?= $(prefix)/lib/systemd/catalog
udevrulesdir ?= $(prefix)/lib/udev/rules.d
# How cargo gets the crates: --locked from the registry, --frozen from a folder (rpm/cxi-device-plugin.spec).
CARGO_FLAGS ?= --locked

# Where cargo builds; an exported CARGO_TARGET_DIR is respected.
TARGET := $(or $(CARGO_TARGET_DIR),target)
# Checkers at a pinned version, installed into the tree by `make tools`; a copy on PATH is the second choice.
TOOLS := $(CURDIR)/target/tools
CARGO_DENY_VERSION := 0.20.2
TYPOS_VERSION := 1.52.0

PROGRAMS := cxi-device-plugin cxi-cdi-generator
SIM := $(TARGET)/debug/cxi-sim
# Every rig is a script, but for what is in C or a folder.
SHELL_SCRIPTS := .ci/run tests/run tests/bench/run $(filter-out %.c %/inside %/cdi-reader %/k8s,$(wildcard tests/e2e/*)) $(wildcard tests/e2e/inside/*.sh) \
	tests/e2e/k8s/run $(wildcard tests/e2e/k8s/*.sh tests/e2e/k8s/stages/*.sh) \
	rpm/build rpm/licenses \
	tests/vm/run tests/vm/image.sh $(wildcard tests/vm/guest/*.sh) tests/vm/guest/run tests/vm/guest/init

export PATH := $(TOOLS)/bin:$(PATH)
.DEFAULT_GOAL := build

# $(call need,TOOL,HOW): stops with the way to get TOOL when it is not there.
need = @command -v $(1) >/dev/null 2>&1 || { echo "$(1) is missing: $(2)" >&2; exit 1; }

.PHONY: help
help: ## List the targets
	@echo 'Usage: make [target]   (default: build)'
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "  %-14s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

# Asked before cargo, which answers an old Rust, or a C compiler without a C library, with riddles.
RUST_HOW := https://rustup.rs has a new one, if your distribution has not
.PHONY: toolchain
toolchain:
	$(call need,$(firstword $(CARGO)),$(RUST_HOW))
	$(call need,rustc,$(RUST_HOW))
	$(call need,cc,install gcc or clang)
	@echo 'int main(void) { return 0; }' | cc -x c -o /dev/null - 2>/dev/null || { \
	    echo "cc cannot link a program: install the C library's development files (libc6-dev, glibc-devel)" >&2; exit 1; }
	@needed=$$(sed -n 's/^rust-version = "\([0-9.]*\)"$$/\1/p' Cargo.toml); \
	found=$$(rustc --version | sed -n 's/^rustc \([0-9.]*\).*/\1/p'); \
	printf '%s\n' "$$needed" "$${found:-0}" | sort -C -V || { \
	    echo "Rust $$needed or newer is needed, this one is $${found:-broken} (rustc --version): $(RUST_HOW)" >&2; exit 1; }

.PHONY: build
build: toolchain ## Build both programs (release) and put them in bin/
	$(CARGO) build --release $(CARGO_FLAGS)
	@mkdir -p bin
	@cp -f $(PROGRAMS:%=$(TARGET)/release/%) bin/

# The emulator is a test tool: the dev profile builds in seconds what fat LTO builds in a minute, and `make test` has it.
.PHONY: sim
sim: toolchain ## Build the emulator of a node and of kubelet (target/debug/cxi-sim)
	$(CARGO) build --locked --workspace --bin cxi-sim

.PHONY: demo
demo: build sim ## Show the device plugin at work on an emulated node; no root, no hardware
	$(SIM) demo --plugin bin/cxi-device-plugin

.PHONY: test
test: toolchain ## Run all tests that need no hardware; those that need root are counted as skipped without
	tests/run $(CARGO) test --workspace --locked --no-fail-fast

# What random tests there are, with counts for an hour or two of patience; a variable that is set goes over these.
FULL_K8S ?= $(MAKE) k8s
FULL_RUNTIMES ?= $(MAKE) runtimes
.PHONY: full
full: toolchain ## Run the random tests at length (1-2 hours) and, as root, older runtimes and the Kubernetes node with large counts (2-3 hours more)
	CXI_RANDOM_HISTORIES=$${CXI_RANDOM_HISTORIES:-1000} \
	CXI_RANDOM_ROUNDS=$${CXI_RANDOM_ROUNDS:-10000} \
	CXI_RANDOM_RESTARTS=$${CXI_RANDOM_RESTARTS:-1000} \
	CXI_RANDOM_CASES=$${CXI_RANDOM_CASES:-500000} \
	CXI_RANDOM_CONFIGURATIONS=$${CXI_RANDOM_CONFIGURATIONS:-100000} \
	CXI_BUSY_SECONDS=$${CXI_BUSY_SECONDS:-600} \
	    tests/run $(CARGO) test --locked --no-fail-fast \
	    --test histories --test racing --test restarts --test random_trees --test configuration --test runtime_thread
	@[ "$$(id -u)" = 0 ] || { echo "older runtimes and the Kubernetes node are left out: they need root"; exit 0; }; \
	$(FULL_RUNTIMES) && \
	CXI_REBOOTS=$${CXI_REBOOTS:-20} \
	CXI_RESTARTS=$${CXI_RESTARTS:-50} \
	CXI_SOAK_SECONDS=$${CXI_SOAK_SECONDS:-3600} \
	    $(FULL_K8S) && \
	CXI_K8S_KUBELET=1.36 $(FULL_K8S) && \
	CXI_K8S_KUBELET=1.34 CXI_K8S_CONTAINERD=1.7 $(FULL_K8S) && \
	CXI_K8S_KUBELET=1.34 CXI_K8S_CONTAINERD=1.7 CXI_K8S_ENABLE_CDI=false $(FULL_K8S)

.PHONY: docs
docs: ## Make the manual pages and completions in packaging/ from the programs; `make test` fails when they differ
	UPDATE_GOLDEN=1 $(CARGO) test --locked --test manual what_is_packaged_is_what_the_programs_say

.PHONY: e2e
e2e: build sim ## Run the rigs with real container engines (root; installs Debian packages)
	CXI_SIM=$(abspath $(SIM)) tests/e2e/run

.PHONY: runtimes
runtimes: build sim ## Ask real containerd 1.6 and 1.7 what strategy `auto` asks (root; root trees of Debian 12 and 13)
	CXI_SIM=$(abspath $(SIM)) tests/e2e/run runtimes

.PHONY: vm
vm: build sim ## Run the checks of tests/vm in a virtual machine (root; installs Debian packages)
	CXI_SIM=$(abspath $(SIM)) tests/e2e/run vm

.PHONY: k8s
k8s: build sim ## Run the checks on a Kubernetes node, built from source at pinned versions (root; installs Debian packages)
	CXI_SIM=$(abspath $(SIM)) tests/e2e/run k8s

.PHONY: bench
bench: build ## Measure the generator on nodes of 1 to 512 NICs, and the daemon, each figure beside its budget (5 minutes)
	$(CARGO) build --release --locked --workspace --bin cxi-sim
	CXI_SIM=$(abspath $(TARGET)/release/cxi-sim) tests/bench/run

.PHONY: check check-format check-lint check-deps check-spelling check-shell
check: check-format check-lint check-deps check-spelling check-shell ## Format, lints, dependencies, spelling, shell scripts

check-format: ## rustfmt
	$(CARGO) fmt --all --check

check-lint: ## clippy; the list with its reasons is in Cargo.toml
	$(CARGO) clippy --workspace --all-targets --locked -- -D warnings

check-deps: ## cargo deny: licences, duplicate versions, sources (deny.toml)
	$(call need,cargo-deny,make tools$(comma) or: cargo install --locked cargo-deny)
	$(CARGO) deny --locked check bans licenses sources

check-spelling: ## typos (_typos.toml)
	$(call need,typos,make tools$(comma) or: cargo install --locked typos-cli)
	typos

check-shell: ## shellcheck
	$(call need,shellcheck,apt-get install shellcheck$(comma) or dnf install ShellCheck)
	shellcheck -x $(SHELL_SCRIPTS)

.PHONY: tools
tools: $(TOOLS)/cargo-deny-$(CARGO_DENY_VERSION) $(TOOLS)/typos-$(TYPOS_VERSION) ## Install cargo-deny and typos into target/tools

# The stamp carries the version, so that a new pin installs anew.
$(TOOLS)/cargo-deny-$(CARGO_DENY_VERSION):
	$(CARGO) install --locked --root $(TOOLS) --target-dir $(TOOLS)/build cargo-deny@$(CARGO_DENY_VERSION)
	@rm -rf $(TOOLS)/build
	@touch $@

# PyPI has the ready-made program; building it takes minutes.
$(TOOLS)/typos-$(TYPOS_VERSION):
	@mkdir -p $(TOOLS)/bin
	@if python3 -m pip --version >/dev/null 2>&1 && \
	    python3 -m pip install --quiet --disable-pip-version-check --root-user-action=ignore --upgrade \
	        --only-binary :all: --target $(TOOLS)/typos typos==$(TYPOS_VERSION); then \
	    cp -f $(TOOLS)/typos/bin/typos $(TOOLS)/bin/; rm -rf $(TOOLS)/typos; \
	else \
	    $(CARGO) install --locked --root $(TOOLS) --target-dir $(TOOLS)/build typos-cli@$(TYPOS_VERSION) && rm -rf $(TOOLS)/build; \
	fi
	@touch $@

.PHONY: rpm
rpm: ## Build source and binary packages into target/rpm (a test package: it has this machine's glibc)
	$(call need,rpmbuild,apt-get install rpm$(comma) or dnf install rpm-build)
	rpm/build

.PHONY: install
install: ## Install programs, units, udev rule, manual pages, completions (DESTDIR, prefix); run `make build` first
	@test -x bin/cxi-device-plugin || { echo "bin/ is empty: make build" >&2; exit 1; }
	install -d $(DESTDIR)$(bindir)
	install -m 0755 $(PROGRAMS:%=bin/%) $(DESTDIR)$(bindir)
	install -d $(DESTDIR)$(mandir)/man1 $(DESTDIR)$(bashcompdir) $(DESTDIR)$(zshcompdir) $(DESTDIR)$(fishcompdir)
	install -m 0644 packaging/man/*.1 $(DESTDIR)$(mandir)/man1
	install -m 0644 packaging/completions/bash/* $(DESTDIR)$(bashcompdir)
	install -m 0644 packaging/completions/zsh/* $(DESTDIR)$(zshcompdir)
	install -m 0644 packaging/completions/fish/* $(DESTDIR)$(fishcompdir)
	install -d $(DESTDIR)$(unitdir) $(DESTDIR)$(tmpfilesdir) $(DESTDIR)$(catalogdir) $(DESTDIR)$(udevrulesdir)
	for unit in cxi-device-plugin.service cxi-default-service@.service cxi-isolation.service; do \
	    sed 's,/usr/bin/cxi-,$(bindir)/cxi-,' systemd/$$unit >$(DESTDIR)$(unitdir)/$$unit && \
	    chmod 0644 $(DESTDIR)$(unitdir)/$$unit || exit 1; \
	done
	install -m 0644 packaging/tmpfiles.d/* $(DESTDIR)$(tmpfilesdir)
	install -m 0644 packaging/udev/* $(DESTDIR)$(udevrulesdir)
	install -d $(DESTDIR)$(sysconfdir)/cxi-device-plugin
	install -m 0644 packaging/config/config.toml $(DESTDIR)$(sysconfdir)/cxi-device-plugin
	install -m 0644 packaging/journald/* $(DESTDIR)$(catalogdir)
	install -d $(DESTDIR)$(datadir)/grafana $(DESTDIR)$(datadir)/prometheus $(DESTDIR)$(datadir)/udev
	install -m 0644 packaging/udev-optional/* $(DESTDIR)$(datadir)/udev
	install -m 0644 packaging/grafana/*.json $(DESTDIR)$(datadir)/grafana
	install -m 0644 packaging/prometheus/*.rules.yml $(DESTDIR)$(datadir)/prometheus
	install -d $(DESTDIR)$(datadir)/systemd
	install -m 0644 systemd/opt-in/*.conf $(DESTDIR)$(datadir)/systemd

.PHONY: clean
clean: ## Remove everything that was built, the tools in target/tools too
	$(CARGO) clean
	rm -rf bin target

comma := ,
