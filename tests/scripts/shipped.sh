#!/bin/sh
# Builds the shipped programs into target/release, and nothing else: cargo gives every crate that it
# builds in one go the features that any of them asks for, and the simulator asks for conditions that
# can be left out. (A release with those does not compile.)
set -eu
cd "$(dirname "$0")/../.."

exec cargo build --locked --release --bins \
    -p chronolease-clock -p chronolease-tsu -p chronolease-monitor -p chronolease-cli \
    -p chronolease-lab
