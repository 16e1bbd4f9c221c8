#!/bin/bash
# What of the official image's entrypoint compose.yaml depends on: a first start makes the cluster, runs
# /docker-entrypoint-initdb.d on a server that listens on its socket alone, and then is the server; as any user.
set -euo pipefail

if ! getent passwd "$(id -u)" >/dev/null; then # initdb wants a name for whoever it is run as
    NSS_WRAPPER_PASSWD=$(mktemp) NSS_WRAPPER_GROUP=$(mktemp)
    export LD_PRELOAD=libnss_wrapper.so NSS_WRAPPER_PASSWD NSS_WRAPPER_GROUP
    echo "postgres:x:$(id -u):$(id -g):PostgreSQL:$PGDATA:/bin/false" >"$NSS_WRAPPER_PASSWD"
    echo "postgres:x:$(id -g):" >"$NSS_WRAPPER_GROUP"
fi

if [ "$1" = postgres ] && [ ! -s "$PGDATA/PG_VERSION" ]; then
    mkdir -p "$PGDATA"
    chmod 700 "$PGDATA"
    initdb --username="${POSTGRES_USER:=postgres}" --pwfile="$POSTGRES_PASSWORD_FILE" --auth-host=scram-sha-256
    export POSTGRES_USER
    pg_ctl --pgdata="$PGDATA" -o "-c listen_addresses=''" --wait start
    for script in /docker-entrypoint-initdb.d/*.sh; do
        [ ! -e "$script" ] || sh "$script"
    done
    pg_ctl --pgdata="$PGDATA" --mode=fast --wait stop
    # The image's own configuration listens to all; Debian's listens to this machine.
    echo "listen_addresses = '*'" >>"$PGDATA/postgresql.conf"
fi
exec "$@"
