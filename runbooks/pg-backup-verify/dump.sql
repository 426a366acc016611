-- One snapshot for the dump and for the fingerprint, so that writes going on meanwhile cannot make the two differ.
-- The dump gets its name only when it is whole.
begin isolation level repeatable read, read only;
select pg_export_snapshot() as snapshot \gset
\setenv DUMP_SNAPSHOT :snapshot
\! pg_dump --format=custom --no-password --snapshot="$DUMP_SNAPSHOT" --file="$DUMP.partial" && mv "$DUMP.partial" "$DUMP"
\ir fingerprint.sql
commit;
