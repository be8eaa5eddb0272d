#!/bin/sh
# What `make fuzz` does: feeds each target of tests/fuzz for a while, from its committed corpus.
#
#   fuzz.sh             every target, 600 seconds each
#   fuzz.sh 60 NAME...  these targets alone, 60 seconds each
#
# New inputs stay under target/fuzz; one that breaks a promise goes to tests/fuzz/corpus with the
# fix. Exit code 75: there is no nightly toolchain, so nothing was run.
set -eu
cd "$(dirname "$0")/../.."

seconds=${1:-600}
[ $# -eq 0 ] || shift
cargo +nightly --version >/dev/null 2>&1 || {
    echo "NOT RUN: there is no nightly toolchain"
    exit 75
}
command -v cargo-fuzz >/dev/null || cargo install --locked cargo-fuzz

fuzz=tests/fuzz/libfuzzer
for name in ${*:-$(ls tests/fuzz/corpus)}; do
    printf '\n-- %s, %s s\n' "$name" "$seconds"
    mkdir -p "target/fuzz/$name"
    cargo +nightly fuzz run --fuzz-dir "$fuzz" --target-dir target/fuzz-build "$name" \
        "target/fuzz/$name" "tests/fuzz/corpus/$name" -- \
        -max_total_time="$seconds" -max_len=70000 -print_final_stats=1 2>&1
done
