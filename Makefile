# The commands of the house. Each does its whole set-up: on a fresh Debian with a Rust toolchain, gcc, g++, make and
# python3, cmake and Julia are found or fetched into build/ by the scripts in make/, which say what they do. Nothing is
# installed on the system, but by make install.
#
#   make demo      builds the example, and computes the integrated information of a network with and without caches
#   make test      whether the library works here, in some minutes: the tests of Rust, C, C++, Julia and the examples
#   make check     everything else that must hold: lints, every standard and compiler, the package and its consumers, the
#                  tests under sanitizers, the model checkers, the fuzz targets; half an hour or so. Together they are what
#                  CI runs (.ci/run); neither repeats what the other does
#   make stress    everything at once, from up to 64 threads, for SECONDS (60); THREADS and SEED may be given
#   make soak-redis  two processes that share results in Redis, for SECONDS (60), while bad things happen to the server;
#                  SEED may be given
#   make sanitize  the C and C++ tests, and SECONDS of stress, under the address, undefined-behaviour and thread sanitizers
#   make memcheck  the C and C++ tests under valgrind (a few minutes)
#   make fuzz      random input for keys, records and caches, beside models of them: each target for SECONDS; TARGETS may
#                  name some, and SEED be given
#   make bench     phicache beside what one would use instead: runs benches/peers (some ten minutes), and writes
#                  docs/performance-peers.md; with QUICK=1 it only prints the small tables, in a minute
#   make bench-redis  the Redis cache beside hiredis and the redis crate: runs benches/redis (a minute or two), and writes
#                  docs/performance-redis.md; with QUICK=1 it only prints the tables, in seconds
#   make bench-instructions  instructions of each operation, counted by valgrind
#   make build     the shared and the static library, the example, the C and C++ tests (what make alone does)
#   make docs      the API reference, by doxygen, into build/docs
#   make supply-chain  licenses, sources and advisories of all dependencies, by cargo-deny, which it builds if need be
#   make install   into PREFIX (default /usr/local), below DESTDIR where one is given; builds only what is not there, so that
#                  after make, root only copies; $(BUILD)/install_manifest.txt lists what there is to remove again
#   make header    include/phicache.h from the Rust sources
#   make symbols   the lists of the ABI, c-tests/package/{exported_symbols,abi}.txt, after a change of it on purpose
#   make clean     removes what was built; the tools that were fetched stay (make distclean removes them too)

BUILD ?= build
PREFIX ?= /usr/local
CARGO ?= cargo
PYTHON ?= python3
JOBS ?= $(shell nproc 2>/dev/null || echo 2)
export CARGO_TARGET_DIR ?= $(CURDIR)/target

MAKEFLAGS += --no-print-directory
.DEFAULT_GOAL := build

NETWORK ?= examples/iit/networks/random-5-3.json

SECONDS ?= 60

BENCH = $(BUILD)/bench

.PHONY: demo test check stress soak-redis sanitize memcheck fuzz bench bench-peers bench-redis bench-instructions build package \
        configure install header symbols docs supply-chain clean distclean toolchain

demo: configure
	@$(FIND_CMAKE); "$$cmake" --build $(BUILD) --target iit -j $(JOBS)
	@echo
	$(BUILD)/examples/iit $(NETWORK)

test: toolchain
	@$(PYTHON) -B make/run_tests.py $(BUILD) $(JOBS) test

check: toolchain
	@$(PYTHON) -B make/run_tests.py $(BUILD) $(JOBS) check

stress: configure
	@$(FIND_CMAKE); "$$cmake" --build $(BUILD) --target stress -j $(JOBS)
	$(BUILD)/c-tests/stress --seconds $(SECONDS) $(THREADS:%=--threads %) $(SEED:%=--seed %)

soak-redis: configure
	@server=$$($(PYTHON) -B make/find_tool.py redis-server $(BUILD)) || exit 1; \
	    $(FIND_CMAKE); "$$cmake" --build $(BUILD) --target soak_worker -j $(JOBS) && \
	    PHICACHE_REDIS_SERVER="$$server" $(PYTHON) -B c-tests/soak/soak.py $(BUILD)/c-tests/soak_worker \
	    --seconds $(SECONDS) $(SEED:%=--seed %)

sanitize: toolchain
	@SECONDS=$(SECONDS) $(PYTHON) -B make/run_tests.py $(BUILD) $(JOBS) sanitize

memcheck: build
	@$(PYTHON) -B make/run_tests.py $(BUILD) $(JOBS) memcheck

fuzz: toolchain
	@$(SEED:%=SEED=%) $(PYTHON) -B make/fuzz.py $(BUILD) $(SECONDS) $(TARGETS)

bench: bench-peers
ifdef QUICK
	$(BENCH)/peers --quick
else
	@$(FIND_CMAKE); "$$cmake" --build $(BUILD) --target replay -j $(JOBS)
	$(BENCH)/peers --json $(BENCH)/figures.json
	gzip -dc c-tests/data/*.trace.gz | $(BUILD)/c-tests/replay --time > $(BENCH)/replay.txt
	$(PYTHON) -B docs/performance-peers.py $(BENCH)/figures.json $(BENCH)/replay.txt
endif

bench-peers: configure
	@found=$$($(PYTHON) -B make/find_peers.py $(CARGO) $(BUILD)) || exit 1; $(FIND_CMAKE); \
	    "$$cmake" -C "$$found" -S benches/peers -B $(BENCH) -DPHICACHE_CARGO_TARGET_DIR="$$CARGO_TARGET_DIR" \
	    -DBENCH_RUST_TARGET="$$CARGO_TARGET_DIR/peers" && \
	    "$$cmake" --build $(BENCH) --target peers -j $(JOBS)

bench-redis: configure
	@server=$$($(PYTHON) -B make/find_tool.py redis-server $(BUILD)) && hiredis=$$($(PYTHON) -B make/find_hiredis.py $(BUILD)) || exit 1; \
	    $(FIND_CMAKE); \
	    "$$cmake" -S benches/redis -B $(BENCH)-redis -DPHICACHE_CARGO_TARGET_DIR="$$CARGO_TARGET_DIR" \
	    -DBENCH_RUST_TARGET="$$CARGO_TARGET_DIR/redis-peer" -DCMAKE_PREFIX_PATH="$$hiredis" && \
	    "$$cmake" --build $(BENCH)-redis --target redis_peers -j $(JOBS) && \
	    $(BENCH)-redis/redis_peers --server "$$server" $(if $(QUICK),--quick,--json $(BENCH)-redis/figures.json)
ifndef QUICK
	$(PYTHON) -B docs/performance-redis.py $(BENCH)-redis/figures.json
endif

bench-instructions: configure
	@$(FIND_CMAKE); "$$cmake" --build $(BUILD) --target phicache_shared -j $(JOBS)
	@$(PYTHON) -B make/count_instructions.py $(BUILD)

build: configure
	@$(FIND_CMAKE); "$$cmake" --build $(BUILD) -j $(JOBS)

# What an install needs, without tests and examples.
package: configure
	@$(FIND_CMAKE); "$$cmake" --build $(BUILD) --target phicache_archive phicache_shared phicache-info -j $(JOBS)

configure: toolchain
	@$(FIND_CMAKE); "$$cmake" -S . -B $(BUILD) -DPHICACHE_CARGO_TARGET_DIR="$$CARGO_TARGET_DIR" \
	    -DCMAKE_INSTALL_PREFIX="$(PREFIX)"

docs:
	@$(PYTHON) -B make/docs.py $(BUILD)

# Beside the project, so that cargo-deny's own dependencies are not mixed up with ours.
supply-chain: toolchain
	@command -v cargo-deny > /dev/null || test -e $(BUILD)/tools/cargo-deny/bin/cargo-deny || \
	    CARGO_TARGET_DIR=$(abspath $(BUILD))/tools/cargo-deny-build \
	    $(CARGO) install cargo-deny --locked --root $(BUILD)/tools/cargo-deny
	@PATH="$$PATH:$(abspath $(BUILD))/tools/cargo-deny/bin"; failed=; \
	    for subject in "bans licenses sources" advisories; do \
	        for manifest in Cargo.toml fuzz/Cargo.toml tests/loom/Cargo.toml; do \
	        echo "$$manifest: $$subject"; \
	        cargo-deny --manifest-path $$manifest --config deny.toml check $$subject || failed="$$failed $$manifest: $$subject;"; \
	    done; done; \
	    test -z "$$failed" || { \
	        echo "failed:$$failed what cargo-deny said is above. It fetches the advisories from RustSec's database on" \
	             "GitHub; where that is out of reach, only they are left unchecked." >&2; exit 1; }

install:
	@test -e $(BUILD)/libphicache.so -a -e $(BUILD)/tools/phicache-info || $(MAKE) package
	@$(FIND_CMAKE); umask 022; "$$cmake" --install $(BUILD) --prefix "$(PREFIX)"
	@test -n "$(DESTDIR)" || test "$$(id -u)" != 0 || ! command -v ldconfig > /dev/null || ldconfig

header: toolchain
	@mkdir -p include
	cp "$$($(PYTHON) -B make/generated_header.py $(CARGO))" include/phicache.h

symbols: configure
	@$(FIND_CMAKE); "$$cmake" --build $(BUILD) --target phicache_symbols -j $(JOBS)

clean:
	rm -rf $(filter-out $(BUILD)/julia $(BUILD)/tools,$(wildcard $(BUILD)/*)) "$$CARGO_TARGET_DIR"

distclean: clean
	rm -rf $(BUILD)

# What only the user can install.
toolchain:
	@command -v $(CARGO) > /dev/null || { \
	    echo "$(CARGO) is missing. phicache needs a Rust toolchain, which rustup installs for one user: https://rustup.rs" >&2; \
	    exit 1; }
	@for program in cc c++ $(PYTHON); do \
	    command -v $$program > /dev/null || { \
	        echo "$$program is missing. phicache needs gcc, g++, make and python3 beside a Rust toolchain;" \
	             "on Debian, as root: apt-get install gcc g++ make python3" >&2; exit 1; }; \
	done

FIND_CMAKE = cmake=$$($(PYTHON) -B make/find_tool.py cmake $(BUILD)) || exit 1
