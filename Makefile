# Two commands are enough: `make run` and `make test`. Both install what is missing first.

PLUGINS := echo csv-report approval countdown notebook pipeline reminder research
# Research needs a model and a key: it is built, and loaded by whoever has them.
RUN     := $(filter-out research,$(PLUGINS))
GUESTS  := durable delegating stock-rust misbehaving lying-manifest calls-in-describe steps-a steps-b
WASM    := target/wasm32-wasip2/release

.PHONY: run test check build guests setup deny python javascript bench profile instructions fuzz soak torture clean

## run: build everything and start the host with the example workers; echo is at the root
run: export TASKYARD_DEFAULT_AGENT ?= echo
run: build
	./target/release/taskyard serve $(foreach p,$(RUN),--load target/plugins/$(p).wasm)

## test: everything that proves that it works
test: build guests python javascript
	cargo test --release --workspace --locked

## check: what CI runs: formatting, lints, tests, counted instructions, a short benchmark, documentation
check: setup
	cargo fmt --all --check
	cargo clippy --release --workspace --all-targets --locked -- -D warnings
	$(MAKE) deny
	$(MAKE) test
	$(MAKE) instructions
	$(MAKE) bench SMOKE=1
	RUSTDOCFLAGS="-D warnings" cargo doc --release --workspace --no-deps --locked

## build: the binary at target/release/taskyard, the plugins at target/plugins/
build: setup
	cargo build --release --workspace --locked
	$(call components,$(PLUGINS),target/plugins)

## guests: the workers of the tests: in Rust, Python and JavaScript
guests: setup
	$(call components,$(GUESTS),target/guests)
	@./scripts/guests.sh

## bench: what it costs, beside what people would use instead; WORKLOADS="echo tokens" for some of it,
## SMOKE=1 only to see that everything works
bench: build guests
	./target/release/taskyard-bench run $(if $(SMOKE),--smoke --out target/bench-smoke) $(WORKLOADS)

## profile: a flame graph of the host under WORKLOAD: echo, steps or tokens
WORKLOAD ?= echo
profile: build guests
	@./scripts/perf.sh
	./target/release/taskyard-bench profile $(WORKLOAD)

## instructions: what the host does most often, counted in instructions and held against limits
instructions: setup
	@./scripts/instructions.sh

## fuzz: bytes that nobody would send, SECONDS for each target
SECONDS ?= 60
SEED    ?= 1
fuzz: build
	./target/release/fuzz $(SECONDS) $(SEED)

## soak: hostile clients of all kinds beside an honest one, for SOAK_SECONDS; a short form is in `make test`
SOAK_SECONDS ?= 300
soak: build
	TASKYARD_SOAK_SECONDS=$(SOAK_SECONDS) cargo test --release --locked --workspace --test it hostile::soak -- --nocapture

## torture: a host under load that ends CRASHES times, and FLIPS bits of its data, and loses nothing in silence; a
## short form is in `make test`
CRASHES ?= 70
FLIPS ?= 1000
torture: build
	TASKYARD_CRASHES=$(CRASHES) cargo test --release --locked --workspace --test it crash:: -- --nocapture
	TASKYARD_FLIPS=$(FLIPS) cargo test --release --locked --workspace --test it hostile::flips -- --nocapture

## setup: system packages and the wasm target, only if they are missing
setup:
	@./scripts/setup.sh

## deny: licences, sources and known vulnerabilities of the dependencies
deny:
	@./scripts/deny.sh

## python: the stock Python clients, of today and of 0.3, and the API tester
python:
	@./scripts/python.sh

## javascript: the stock JavaScript client
javascript: setup
	@./scripts/javascript.sh

clean:
	cargo clean

# Cargo names files with underscores; plugins are named as their crates.
define components
cargo build --release --locked --target wasm32-wasip2 $(foreach c,$(1),-p $(c))
@mkdir -p $(2)
@$(foreach c,$(1),cp $(WASM)/$(subst -,_,$(c)).wasm $(2)/$(c).wasm;)
endef
