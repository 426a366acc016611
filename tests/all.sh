#!/bin/sh
# Everything that must hold before a change lands, the cheap first. The runner's own summary is the last thing printed.
set -eu
cd "$(dirname "$0")/.."

say() { printf '\n== %s\n' "$1" >&2; }

say "what the tests need"
tests/setup.sh
say "format"
cargo fmt --all --check
say "licences, bans, sources"
cargo deny --offline --log-level error check licenses bans sources 2>/dev/null || cargo deny --log-level error check licenses bans sources
say "lints"
cargo clippy --workspace --all-targets --locked -- -D warnings
say "documentation"
RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps --locked --quiet
say "doc tests"
cargo test --workspace --doc --locked --quiet
say "simulation"
SIMULATION_SEEDS=20000 cargo nextest run --cargo-profile simulation --locked -p runbook-engine --test simulation
say "tests"
exec cargo nextest run --workspace --locked --no-fail-fast
