#!/bin/sh
# Makes the TimescaleDB root that the tests want; without it they run on plain PostgreSQL and say so.
# With CI=true that is a failure.   timescale.sh PYTHON
set -eu
if "$1" -m webapp.local.timescale; then
	exit 0
fi
echo "  ************************************************************************" >&2
echo "  *  NO TIMESCALEDB: everything about hypertables goes untested here.    *" >&2
echo "  ************************************************************************" >&2
test "${CI:-}" != true
