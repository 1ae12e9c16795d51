#!/bin/sh
# A monitor of a user's own, as a shell script: it counts the captured lines that it was given.
root=${WATCHKEEPER_JOB_ROOT:-}
sleep "$1"
mkdir -p "$root/opt/ml/processing/output"
find "$root/opt/ml/processing/input" -name '*.jsonl' -exec cat {} + | wc -l > "$root/opt/ml/processing/output/count"
