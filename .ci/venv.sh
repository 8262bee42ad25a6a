#!/bin/sh
# Makes the virtual environment, or says in one sentence why it cannot.   venv.sh PYTHON DIRECTORY
set -eu
began=$(date +%s)

if ! "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
	echo "  Logboom wants Python 3.11 or newer and \`$1\` is not: apt-get install python3, or name one: make up PYTHON=/path/to/python3.11" >&2
	exit 1
fi
if ! "$1" -c 'import ensurepip, venv' 2>/dev/null; then
	echo "  \`$1\` cannot make virtual environments: apt-get install python3-venv, then try again." >&2
	exit 1
fi
rm -rf "$2" # what an interrupted try left
"$1" -m venv "$2"
printf '  %-68s %3d.0 s\n' "Virtual environment made with $("$1" -V)" $(($(date +%s) - began))
