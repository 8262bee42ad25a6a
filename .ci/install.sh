#!/bin/sh
# Installs a requirements file, quietly unless it fails.   install.sh PYTHON REQUIREMENTS
set -eu
began=$(date +%s)
log=$(dirname "$1")/../install.log

if ! "$1" -m pip install -q -r "$2" >"$log" 2>&1; then
	tail -n 5 "$log" >&2
	echo "  Installing $2 failed: is the package index reachable? Set PIP_INDEX_URL to another one. Log: $log" >&2
	exit 1
fi
printf '  %-68s %3d.0 s\n' "Packages of $2 installed" $(($(date +%s) - began))
