#!/bin/sh
# Bring both databases to the server's schema. Safe to repeat: what is there stays.
set -eu
SQL_PASSWORD=$(cat /run/secrets/postgresql_password)
export SQL_PASSWORD
for schema in temporal visibility; do
    SQL_DATABASE=$DBNAME
    [ "$schema" = temporal ] || SQL_DATABASE=$VISIBILITY_DBNAME
    export SQL_DATABASE
    temporal-sql-tool setup-schema -v 0.0
    temporal-sql-tool update-schema --schema-name "postgresql/v12/$schema"
done
