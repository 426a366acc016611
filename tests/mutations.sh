#!/bin/sh
# Shows that the simulation finds faults: applies each patch of tests/mutations to a copy of the sources, builds the simulation
# and plays seeds until one breaks a promise. The sources as they are come first, and must break none; and a mutation is caught
# only where a judge says which promise it breaks. `tests/mutations.sh NAME…` tries only those.
set -eu
cd "$(dirname "$0")/.."
patches=$PWD/tests/mutations
scratch=${SCRATCH:-$PWD/target/mutations}
log=$scratch/log
export CARGO_TARGET_DIR="${CARGO_TARGET_DIR:-$scratch/target}"
# Of the eight parts only the first is played: 2,000 seeds.
export SIMULATION_SEEDS="${SIMULATION_SEEDS:-16000}" SIMULATION_SHRINK=0 RUST_BACKTRACE=0
simulation() { cargo test --profile simulation --quiet --locked -p runbook-engine --test simulation "$@" >"$log" 2>&1; }
verdict() { grep -m 1 -oE 'seed [0-9]+ breaks a promise: .*' "$log" | cut -c 1-150; }
missed=0

rm -rf "$scratch/copy"
mkdir -p "$scratch/copy"
git ls-files | tar -c -T - | tar -x -m -C "$scratch/copy"
[ $# -gt 0 ] || set -- $(cd "$patches" && ls | sed 's|\.patch$||')
cd "$scratch/copy"
if ! simulation part_0; then
    echo "broken  the sources as they are"
    tail -n 20 "$log" >&2
    exit 1
fi
echo "passes  the sources as they are"
for name in "$@"; do
    patch -s -p1 <"$patches/$name.patch"
    if ! simulation --no-run; then
        echo "broken  $name: it does not build"
        tail -n 20 "$log" >&2
        missed=1
    elif simulation part_0; then
        echo "MISSED  $name"
        missed=1
    elif [ -n "$(verdict)" ]; then
        echo "caught  $name: $(verdict)"
    else
        echo "MISSED  $name: it fails, and no judge says why"
        tail -n 20 "$log" >&2
        missed=1
    fi
    patch -s -p1 -R <"$patches/$name.patch"
done
exit $missed
