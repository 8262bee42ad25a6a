#!/bin/sh
# Broker and cache, on any image with Valkey or Redis 7: valkey.sh start | alive | ready
#
# CONFIG is the mounted configuration without the password; REDISCLI_AUTH, which the client reads by itself,
# is the password. It goes into a file in memory that only this user reads, never onto a command line.
set -eu
umask 077
tool() {
	command -v "valkey-$1" || command -v "redis-$1"
}

case "$1" in
start)
	cp "$CONFIG" /tmp/server.conf
	printf '\nrequirepass "%s"\n' "$REDISCLI_AUTH" >>/tmp/server.conf
	exec "$(tool server)" /tmp/server.conf
	;;
# Any answer is life: while it reads its file it says LOADING, with a full disk MISCONF, and a restart
# would mend neither.
alive) [ -n "$("$(tool cli)" -p 6379 ping)" ] ;;
ready) [ "$("$(tool cli)" -p 6379 ping)" = PONG ] ;;
*) echo "start, alive or ready" >&2 && exit 2 ;;
esac
