#!/bin/sh
# Closes a test run with its count, read from the runner's own summary. Fails unless every test
# that was started has passed.
set -eu

summary=$(grep -E '^ +Summary ' "$1" | tail -n 1)
count() { printf '%s\n' "$summary" | grep -oE "[0-9]+ $1" | head -n 1 | cut -d ' ' -f 1; }

run=$(count 'tests? run')
passed=$(count 'passed')
run=${run:-0} passed=${passed:-0}
failed=$((run - passed))
echo "$passed passed, $failed failed"
[ "$run" -gt 0 ] && [ "$failed" -eq 0 ]
