#!/bin/sh
# What `make test` does. Everything a fresh Debian 12 machine with a Rust toolchain lacks is
# installed here; nothing is skipped.
set -eu
cd "$(dirname "$0")/../.."

step() { printf '\n== %s\n' "$1"; }

step "packages"
tests/scripts/packages.sh
command -v cargo-nextest >/dev/null || cargo install --locked cargo-nextest

step "independent clients"
tests/scripts/clients.sh

step "format"
cargo fmt --all --check

step "release binaries, as shipped"
tests/scripts/shipped.sh

step "negative control: the same programs with guard and verdict switched off"
cargo build --locked -p chronolease-tsu -p chronolease-monitor --bins \
    --features chronolease-tsu/negative-control,chronolease-monitor/negative-control
mkdir -p target/negative-control
for program in chronolease-tsu chronolease-monitor; do
    cp "target/debug/$program" target/negative-control/
done

step "clippy"
cargo clippy --locked --workspace --all-targets -- -D warnings

step "examples in the documentation"
cargo test --locked --workspace --doc --quiet

step "model of the lease and the witness"
tests/scripts/model.sh

step "tests"
CHRONOLEASE_BIN_DIR="$PWD/target/release" \
CHRONOLEASE_NEGATIVE_CONTROL_BIN_DIR="$PWD/target/negative-control" \
    cargo nextest run --locked --workspace 2>&1 | tee target/nextest.log ||
    true
tests/scripts/count.sh target/nextest.log
