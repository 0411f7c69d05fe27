# Everything runs through cargo; `cargo xtask --help` lists what there is besides.
.PHONY: demo test soak chaos lint deny bench fuzz deb

demo: # two clusters, a sender and the proxy between them, in one process
	cargo run -- demo

test: # sets up what is missing, builds, runs every test
	cargo xtask test

soak: # the long tests: a real sender, distance and trouble, minutes each, and half an hour of faults at random
	cargo xtask soak

chaos: # every state of a mirror, beside Envoy, nginx and Traefik; writes docs/isolation.md
	cargo xtask chaos

lint: # formatting, clippy, rustdoc, house rules, licences
	cargo xtask lint

deny: # dependencies against the advisory database too (fetched from GitHub)
	cargo xtask deny

bench: # against Envoy, nginx and a floor, half an hour; writes docs/benchmarks.md
	cargo xtask bench

FUZZ_SECONDS ?= 120
fuzz: # two minutes (FUZZ_SECONDS) for each target; needs a nightly compiler and cargo-fuzz, which nothing else here does
	mkdir -p target/corpus/configuration && cp tests/corpus/*.yaml examples/*.yaml target/corpus/configuration
	for target in admin answer backlog configuration remote_write request_head routing; do \
		mkdir -p target/corpus/$$target fuzz/corpus/$$target; \
		ASAN_OPTIONS=detect_leaks=0 cargo +nightly fuzz run $$target target/corpus/$$target fuzz/corpus/$$target -- \
			-max_total_time=$(FUZZ_SECONDS) -timeout=10 -rss_limit_mb=2048 || exit 1; \
	done

deb: # a Debian package with a confined systemd unit, in target/debian
	cargo xtask deb
