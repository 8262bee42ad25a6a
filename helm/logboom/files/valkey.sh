#!/bin/sh
# Broker and cache, on any image with Valkey or Redis 7: valkey.sh start | alive | ready
#
# CONFIG is the mounted configuration without port (PORT) and password; REDISCLI_AUTH, which the client reads by
# itself, is the password. It goes into a file that only this user reads, never onto a command line.
set -eu
umask 077
tool() {
	command -v "valkey-$1" || command -v "redis-$1"
}

case "$1" in
start)
	whole="${TMPDIR:-/tmp}/server.conf"
	{ cat "$CONFIG" && printf '\nport %s\nrequirepass "%s"\n' "$PORT" "$REDISCLI_AUTH"; } >"$whole"
	exec "$(tool server)" "$whole"
	;;
# Any answer is life: while it reads its file it says LOADING, with a full disk MISCONF, and a restart
# would mend neither.
alive) [ -n "$("$(tool cli)" -p "$PORT" ping)" ] ;;
ready) [ "$("$(tool cli)" -p "$PORT" ping)" = PONG ] ;;
*) echo "start, alive or ready" >&2 && exit 2 ;;
esac
