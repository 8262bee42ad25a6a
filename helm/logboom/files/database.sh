#!/bin/sh
# The database's container, on any image with PostgreSQL 15 or newer: database.sh start | stop | ready
#
# VOLUME is the mounted volume and PGDATA a directory in it, so that no image's own VOLUME lies in the way;
# CONFIG holds postgresql.conf and pg_hba.conf, PGHOST the socket, POSTGRES_PASSWORD (or the file that
# POSTGRES_PASSWORD_FILE names) the password of `logboom`; PGPORT is read by server and clients alike.
set -eu
umask 077
for bin in /usr/lib/postgresql/*/bin; do
	[ -d "$bin" ] && PATH="$PATH:$bin"
done

start() {
	# A pod deleted by force may live on beside its successor, on one volume. Process ids cannot tell them
	# apart (both are 1 in their own namespace); a lock on the volume can, and ends with the last process.
	exec 9>"$VOLUME/.lock"
	left="${LOCK_SECONDS:-60}"
	until flock -n 9; do # Alpine's flock knows no time limit of its own
		[ "$left" -gt 0 ] || { echo "another PostgreSQL still uses $VOLUME" >&2; exit 1; }
		left=$((left - 1))
		sleep 1
	done
	[ -s "$PGDATA/PG_VERSION" ] || create
	chmod 0700 "$PGDATA" # where the volume's group was changed at a mount PostgreSQL would not start again
	exec postgres -D "$PGDATA" -c config_file="$CONFIG/postgresql.conf" -c hba_file="$CONFIG/pg_hba.conf" \
		-c unix_socket_directories="$PGHOST"
}

# Into another name, renamed at the end: what a kill leaves half-made is never taken for a database.
create() {
	if [ -n "${POSTGRES_PASSWORD_FILE:-}" ]; then
		POSTGRES_PASSWORD=$(cat "$POSTGRES_PASSWORD_FILE")
		export POSTGRES_PASSWORD
	fi
	fresh="$PGDATA.new"
	rm -rf "$fresh"
	locale="--locale=C.UTF-8"
	major=$(initdb --version | sed 's/[^0-9]*\([0-9]*\).*/\1/')
	# Bytes decide the order, whatever the image's C library; since 17 PostgreSQL brings that itself.
	[ "$major" -lt 17 ] || locale="$locale --locale-provider=builtin --builtin-locale=C.UTF-8"
	initdb -D "$fresh" -U postgres -E UTF8 $locale --data-checksums -A trust >/dev/null
	pg_ctl start -D "$fresh" -w -o "-c listen_addresses='' -c unix_socket_directories='$PGHOST' \
		-c config_file='$CONFIG/postgresql.conf' -c hba_file='$CONFIG/pg_hba.conf'" >/dev/null
	psql -U postgres -d postgres -v ON_ERROR_STOP=1 -q <<-'SQL'
		\getenv password POSTGRES_PASSWORD
		CREATE ROLE logboom LOGIN PASSWORD :'password';
		CREATE DATABASE logboom OWNER logboom;
		\connect logboom
		SELECT current_setting('timescaledb.license', true) IS NOT NULL AS loaded \gset
		\if :loaded
			CREATE EXTENSION IF NOT EXISTS timescaledb;
		\endif
	SQL
	pg_ctl stop -D "$fresh" -m fast -w >/dev/null
	mv "$fresh" "$PGDATA"
	sync
}

case "$1" in
start) start ;;
# SIGTERM would be the smart stop, which waits for Django's connections until the pod is killed.
stop) exec pg_ctl stop -D "$PGDATA" -m fast -w -t "${STOP_SECONDS:-90}" ;;
# Over TCP: while the database is being made the socket answers already.
ready) exec pg_isready -q -h localhost -U logboom -d logboom ;;
*) echo "start, stop or ready" >&2 && exit 2 ;;
esac
