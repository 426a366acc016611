-- One line per table: name|rows|checksum. The sum of row hashes does not depend on the order of rows, and needs no memory.
-- Settings that change how a value prints are pinned, since a dump does not carry those of the database.
set timezone = 'UTC';
set datestyle = 'ISO, YMD';
set intervalstyle = 'iso_8601';
set bytea_output = 'hex';
set extra_float_digits = 3;
set search_path = pg_catalog;
set row_security = off;

select format(
         'select %L, count(*), coalesce(sum(hashtextextended(t::text collate "C", 0)), 0) from only %I.%I t',
         schemaname || '.' || tablename, schemaname, tablename)
  from pg_tables
 where schemaname <> 'information_schema' and schemaname not like 'pg\_%'
 order by schemaname collate "C", tablename collate "C"
\gexec
