-- Prints 1 where the database `name` exists.
select count(*) from pg_database where datname = :'name';
