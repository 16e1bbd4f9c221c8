#!/bin/sh
# Run once, on an empty volume: a role for the server that owns its two databases and nothing else.
set -eu
password=$(cat /run/secrets/postgresql_password)
psql --set ON_ERROR_STOP=1 --set password="$password" --username "$POSTGRES_USER" --dbname postgres <<'SQL'
create role temporal login password :'password';
create database temporal owner temporal encoding 'UTF8' locale 'C' template template0;
create database temporal_visibility owner temporal encoding 'UTF8' locale 'C' template template0;
revoke connect on database temporal, temporal_visibility from public;
SQL
