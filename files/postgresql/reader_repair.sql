-- Copyright: crowsnest contributors
-- SPDX-License-Identifier: Apache-2.0
--
-- Runs the statements of the column `repair` of reader_missing.sql, as the temporary view reader_missing, as far as the
-- administrator may. A refused one does not stop the others. Leaves for the rest of the session:
--   crowsnest.changed  'true' or 'false'
--   crowsnest.refused  what PostgreSQL said to those it refused, one line each
DO $crowsnest$
DECLARE
    wanted CONSTANT text := 'SELECT repair FROM pg_temp.reader_missing WHERE kind = ''wrong'' AND repair IS NOT NULL';
    before text[];
    after text[];
    refused text[] := '{}';
    statement text;
BEGIN
    EXECUTE 'SELECT array(' || wanted || ')' INTO before;
    -- Twice: what a superuser or a member of another role lacks shows only when it no longer is one.
    FOR round IN 1 .. 2 LOOP
        refused := '{}';
        FOR statement IN EXECUTE wanted LOOP
            BEGIN
                EXECUTE statement;
            EXCEPTION WHEN OTHERS THEN
                refused := refused || SQLERRM;
            END;
        END LOOP;
    END LOOP;
    EXECUTE 'SELECT array(' || wanted || ')' INTO after;
    PERFORM set_config('crowsnest.changed', (before IS DISTINCT FROM after)::text, false);
    PERFORM set_config('crowsnest.refused', array_to_string(refused, chr(10)), false);
END
$crowsnest$
