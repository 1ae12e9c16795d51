#!/bin/sh
# A container of a user's own, as a shell script: it writes the SHA-256 of its one input file, as slowly as it is told.
# Its child sleeps while it waits, so that a service that is killed has grandchildren.
root=${WATCHKEEPER_JOB_ROOT:-}
echo "summing for $1 seconds"
sleep "$1"
mkdir -p "$root/opt/ml/processing/output"
for file in "$root"/opt/ml/processing/input/data/*; do
    sha256sum < "$file" > "$root/opt/ml/processing/output/sum.part" || exit 1
done
sleep "$1"
mv "$root/opt/ml/processing/output/sum.part" "$root/opt/ml/processing/output/sum"
echo "summed"
