#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Stands for an application that keeps its database open: adds rows to `orders`, prints `open`, and waits for SIGTERM,
# upon which it adds one more and closes the database.
#
# hold_open.sh DATABASE ROWS

set -euo pipefail
exec 3> >(exec sqlite3 -batch -bail -init /dev/null -cmd '.timeout 10000' "$1" >&2)
application=$!

for ((row = 0; row < $2; row++)); do
    echo "INSERT INTO orders (customer, total) VALUES ('ada', 1);" >&3
done
sleep infinity 3>&- &
pause=$!
trap 'kill "$pause"' TERM
echo ".system echo open" >&3
wait "$pause" || true
echo "INSERT INTO orders (customer, total) VALUES ('last', 1);" >&3
exec 3>&-
wait "$application"
