-- The arithmetic of limiter/counters.py inside PostgreSQL: a twin, so keep both in step; one property test drives them
-- with the same histories. Instants and durations are milliseconds, amounts whole numbers of 64 bits; a sum beyond is
-- an error, and then the whole call has done nothing.
--
-- One run serves many calls, in their order and at one instant, in one transaction; what is overdue at that instant is
-- reaped before the first of them. It answers with a row for each acquire: admitted, now, and for each charge current,
-- previous, used, expires_at, fits.
--
-- Who may touch a key or an id holds its stripe: one of a fixed number of advisory locks, so that the server's table of
-- locks cannot run full whatever the load. They are taken in ascending order, hence without deadlocks, before anything
-- that counts is read, and held until the commit. Rows that do not exist are locked as well as others.
CREATE FUNCTION {schema}.step(
    clock bigint,        -- the time; 0: the server's own
    remembered bigint,   -- for how long an id is known
    names bytea[],       -- keys of counters, each once
    name_stripes integer[],
    ids bytea[],         -- of exchanges, each once
    id_stripes integer[],
    calls bigint[],      -- 4 numbers for each call: verb, place in `ids`, how many items, lease
    items bigint[],      -- 11 numbers for each charge, 9 for each correction; see below
    sweep integer        -- how many rows of each table may be deleted when they are over
) RETURNS SETOF bigint[]
LANGUAGE plpgsql
-- Few rows are looked up by their keys, whatever the planner thinks of tables that were empty when it was asked.
SET plan_cache_mode = force_generic_plan
SET enable_seqscan = off
SET enable_hashjoin = off
SET enable_mergejoin = off
SET jit = off
AS $$
DECLARE
    -- Verbs.
    ACQUIRE CONSTANT bigint := 1;
    SETTLE CONSTANT bigint := 2;
    -- Bits of what is known of an id.
    IS_ANSWERED CONSTANT integer := 1;
    IS_HELD CONSTANT integer := 2;
    IS_SETTLED CONSTANT integer := 4;
    -- Bits of a charge.
    HOLD CONSTANT bigint := 1;
    BLOCKS CONSTANT bigint := 2;
    CAPPED CONSTANT bigint := 4;
    REAPED_AT_ONCE CONSTANT integer := 1000;  -- holds; what is more is reaped by the calls that follow

    instant bigint;
    overdue bytea[] := '{}';
    locks integer[] := name_stripes || id_stripes;
    states integer[];
    counts bigint[];    -- counters as the calls so far left them; those that are over as if there were none
    ends bigint[];      -- 0: no counter
    stored_counts bigint[];
    stored_ends bigint[];

    reached integer := 0;   -- in `items`, before the present item
    first integer;           -- before the first item of the present call
    who integer;
    state integer;
    spot integer;
    previous integer;
    admitted boolean;
    fits boolean;
    reply bigint[];
    undo_counts bigint[];
    undo_ends bigint[];
    before bigint;
    used bigint;
    size bigint;
    share numeric;
    ending bigint;
    flags bigint;
    booked bigint;
    hold_places integer[];
    hold_amounts bigint[];
    hold_anchors bigint[];
BEGIN
    IF current_setting('transaction_isolation') <> 'read committed' THEN
        -- A snapshot that is older than the locks would not show what was booked meanwhile.
        RAISE EXCEPTION 'found the isolation level %, expected read committed',
            current_setting('transaction_isolation');
    END IF;

    FOR turn IN 0 .. cardinality(calls) / 4 - 1 LOOP
        IF calls[4 * turn + 1] = ACQUIRE THEN
            instant := CASE clock WHEN 0 THEN floor(extract(epoch FROM clock_timestamp()) * 1000) ELSE clock END;
            overdue := ARRAY(
                SELECT e.id FROM {schema}.exchanges e
                WHERE e.held AND e.due <= instant ORDER BY e.due LIMIT REAPED_AT_ONCE
            );
            EXIT;
        END IF;
    END LOOP;
    IF cardinality(overdue) > 0 THEN
        locks := locks || ARRAY(
            SELECT s FROM {schema}.exchanges e, unnest(e.stripes) s WHERE e.id = ANY (overdue)
        );
    END IF;
    PERFORM pg_advisory_xact_lock({space}, s) FROM (SELECT DISTINCT s FROM unnest(locks) s ORDER BY s) ascending;
    -- Read only now, so that no call sees an earlier time than one before it on the same key.
    instant := CASE clock WHEN 0 THEN floor(extract(epoch FROM clock_timestamp()) * 1000) ELSE clock END;

    IF cardinality(overdue) > 0 THEN
        -- Others may have settled, renewed or reaped some meanwhile.
        overdue := ARRAY(
            SELECT e.id FROM {schema}.exchanges e
            WHERE e.id = ANY (overdue) AND e.held AND e.due <= instant AND e.stripes <@ locks
        );
        UPDATE {schema}.counters c SET value = c.value - released.amount
        FROM (
            SELECT item.key, sum(item.amount) AS amount
            FROM {schema}.exchanges e, unnest(e.keys, e.amounts, e.anchors) item (key, amount, anchor),
                {schema}.counters found
            WHERE e.id = ANY (overdue) AND found.key = item.key AND found.expires_at > instant
                AND (item.anchor = 0 OR item.anchor = found.expires_at)
            GROUP BY item.key
        ) released
        -- What would leave the 64 bits is passed over: one such hold must not keep all acquires from being served.
        WHERE c.key = released.key
            AND c.value - released.amount BETWEEN -9223372036854775808 AND 9223372036854775807;
        UPDATE {schema}.exchanges e
        SET held = false, due = instant + remembered, stripes = NULL, keys = NULL, amounts = NULL, anchors = NULL
        WHERE e.id = ANY (overdue);
    END IF;

    states := ARRAY(
        SELECT CASE
            WHEN e.held THEN IS_HELD + IS_ANSWERED + CASE WHEN e.settled THEN IS_SETTLED ELSE 0 END
            WHEN e.due > instant THEN
                CASE WHEN e.answer IS NULL THEN 0 ELSE IS_ANSWERED END + CASE WHEN e.settled THEN IS_SETTLED ELSE 0 END
            ELSE 0
        END
        FROM unnest(ids) WITH ORDINALITY wanted (id, place) LEFT JOIN {schema}.exchanges e ON e.id = wanted.id
        ORDER BY wanted.place
    );
    SELECT
        array_agg(CASE WHEN c.expires_at > instant THEN c.value ELSE 0 END ORDER BY wanted.place),
        array_agg(CASE WHEN c.expires_at > instant THEN c.expires_at ELSE 0 END ORDER BY wanted.place)
    INTO counts, ends
    FROM unnest(names) WITH ORDINALITY wanted (name, place) LEFT JOIN {schema}.counters c ON c.key = wanted.name;
    stored_counts := counts;
    stored_ends := ends;

    FOR turn IN 0 .. cardinality(calls) / 4 - 1 LOOP
        who := calls[4 * turn + 2];
        state := states[who];
        first := reached;

        IF calls[4 * turn + 1] = ACQUIRE THEN
            -- Each charge: key, previous (0: none), limit - need, take, ttl, expires_at, start, size, keep, penalty,
            -- bits.
            reached := first + 11 * calls[4 * turn + 3];
            IF reached = first THEN
                RETURN NEXT ARRAY[1, instant];
                CONTINUE;
            END IF;
            IF state & IS_ANSWERED <> 0 THEN
                RETURN QUERY SELECT e.answer FROM {schema}.exchanges e WHERE e.id = ids[who];
                CONTINUE;
            END IF;
            admitted := true;
            reply := ARRAY[1, instant];
            undo_counts := '{}';
            undo_ends := '{}';
            FOR item IN first .. reached - 1 BY 11 LOOP
                spot := items[item + 1];
                previous := items[item + 2];
                flags := items[item + 11];
                undo_counts := array_append(undo_counts, counts[spot]);
                undo_ends := array_append(undo_ends, ends[spot]);
                before := 0;
                used := counts[spot];
                IF previous > 0 AND ends[previous] > 0 THEN
                    before := counts[previous];
                    -- The share that still overlaps, rounded up. `div` cuts towards zero.
                    size := items[item + 8];
                    share := before::numeric * (size - least(greatest(instant - items[item + 7], 0), size));
                    used := used + div(share + CASE WHEN before > 0 THEN size - 1 ELSE 0 END, size);
                END IF;
                fits := used <= items[item + 3] OR flags & BLOCKS = 0;
                admitted := admitted AND fits;
                ending := items[item + 6];
                reply := reply || ARRAY[
                    counts[spot], before, used, CASE ending WHEN 0 THEN ends[spot] ELSE ending END, fits::integer
                ];
                IF items[item + 4] <> 0 THEN
                    IF ends[spot] > 0 THEN
                        counts[spot] := counts[spot] + items[item + 4];
                    ELSE
                        IF ending = 0 THEN
                            ending := instant + items[item + 5];
                        END IF;
                        IF ending > instant THEN
                            counts[spot] := items[item + 4];
                            ends[spot] := ending;
                        END IF;
                    END IF;
                END IF;
            END LOOP;
            IF NOT admitted THEN
                reply[1] := 0;
                FOR place IN REVERSE cardinality(undo_ends) .. 1 LOOP
                    spot := items[first + 11 * place - 10];
                    counts[spot] := undo_counts[place];
                    ends[spot] := undo_ends[place];
                END LOOP;
                FOR item IN first .. reached - 1 BY 11 LOOP
                    IF items[item + 10] <> 0 THEN
                        spot := items[item + 1];
                        IF ends[spot] > 0 THEN
                            counts[spot] := counts[spot] + items[item + 10];
                        ELSE
                            ending := items[item + 6];
                            IF ending = 0 THEN
                                ending := instant + items[item + 5];
                            END IF;
                            IF ending > instant THEN
                                counts[spot] := items[item + 10];
                                ends[spot] := ending;
                            END IF;
                        END IF;
                    END IF;
                END LOOP;
            END IF;
            hold_places := '{}';
            hold_amounts := '{}';
            hold_anchors := '{}';
            FOR place IN 0 .. cardinality(undo_ends) - 1 LOOP
                spot := items[first + 11 * place + 1];
                ending := items[first + 11 * place + 6];
                IF ending = 0 THEN
                    -- An anchored window as the batch leaves it: begun by a take, or not after all.
                    reply[5 * place + 6] := ends[spot];
                END IF;
                IF admitted AND items[first + 11 * place + 11] & HOLD <> 0
                    AND items[first + 11 * place + 4] > items[first + 11 * place + 9]
                    AND reply[5 * place + 6] <> 0
                THEN
                    hold_places := array_append(hold_places, spot);
                    hold_amounts := array_append(
                        hold_amounts, items[first + 11 * place + 4] - items[first + 11 * place + 9]
                    );
                    hold_anchors := array_append(hold_anchors, CASE ending WHEN 0 THEN ends[spot] ELSE 0 END);
                END IF;
            END LOOP;
            IF cardinality(hold_places) > 0 THEN
                INSERT INTO {schema}.exchanges VALUES (
                    ids[who], true, instant + calls[4 * turn + 4], state & IS_SETTLED <> 0, reply,
                    id_stripes[who] || ARRAY(SELECT name_stripes[place] FROM unnest(hold_places) place),
                    ARRAY(SELECT names[place] FROM unnest(hold_places) place), hold_amounts, hold_anchors
                ) ON CONFLICT (id) DO UPDATE SET
                    held = true, due = excluded.due, settled = excluded.settled, answer = excluded.answer,
                    stripes = excluded.stripes, keys = excluded.keys, amounts = excluded.amounts,
                    anchors = excluded.anchors;
                states[who] := state & IS_SETTLED | IS_ANSWERED | IS_HELD;
            ELSE
                INSERT INTO {schema}.exchanges VALUES (
                    ids[who], false, instant + remembered, state & IS_SETTLED <> 0, reply
                ) ON CONFLICT (id) DO UPDATE SET
                    held = false, due = excluded.due, settled = excluded.settled, answer = excluded.answer,
                    stripes = NULL, keys = NULL, amounts = NULL, anchors = NULL;
                states[who] := state & IS_SETTLED | IS_ANSWERED;
            END IF;
            RETURN NEXT reply;

        ELSIF calls[4 * turn + 1] = SETTLE THEN
            -- Each correction: key, limit, take, ttl, expires_at, keep, bits, actual, anchor.
            reached := first + 9 * calls[4 * turn + 3];
            IF state & IS_SETTLED <> 0 THEN
                CONTINUE;
            END IF;
            FOR item IN first .. reached - 1 BY 9 LOOP
                spot := items[item + 1];
                flags := items[item + 7];
                IF flags & CAPPED <> 0 AND ends[spot] > 0 AND counts[spot] > items[item + 2] THEN
                    CONTINUE;
                END IF;
                booked := 0;
                ending := items[item + 5];
                IF ends[spot] > 0 AND (ending <> 0 OR ends[spot] = items[item + 9]) THEN
                    booked := items[item + 3];
                    IF flags & HOLD <> 0 AND state & IS_HELD = 0 THEN
                        booked := least(items[item + 6], booked);
                    END IF;
                END IF;
                IF ends[spot] > 0 THEN
                    counts[spot] := counts[spot] + (items[item + 8] - booked);
                ELSIF items[item + 8] <> booked OR flags & CAPPED <> 0 THEN
                    IF ending = 0 THEN
                        ending := instant + items[item + 4];
                    END IF;
                    IF ending > instant THEN
                        counts[spot] := items[item + 8] - booked;
                        ends[spot] := ending;
                    END IF;
                END IF;
            END LOOP;
            INSERT INTO {schema}.exchanges AS e VALUES (ids[who], false, instant + remembered, true)
            ON CONFLICT (id) DO UPDATE SET
                held = false, due = excluded.due, settled = true,
                answer = CASE WHEN state & IS_ANSWERED <> 0 THEN e.answer END,
                stripes = NULL, keys = NULL, amounts = NULL, anchors = NULL;
            states[who] := state & IS_ANSWERED | IS_SETTLED;

        ELSIF state & IS_HELD <> 0 THEN
            UPDATE {schema}.exchanges e SET due = instant + calls[4 * turn + 4] WHERE e.id = ids[who];
        END IF;
    END LOOP;

    INSERT INTO {schema}.counters (key, value, expires_at)
    SELECT changed.key, changed.value, changed.expires_at
    FROM unnest(names, counts, ends, stored_counts, stored_ends)
        changed (key, value, expires_at, stored_value, stored_end)
    WHERE changed.value <> changed.stored_value OR changed.expires_at <> changed.stored_end
    ON CONFLICT (key) DO UPDATE SET value = excluded.value, expires_at = excluded.expires_at;

    IF sweep > 0 THEN
        -- Waits for nobody, so it closes no circle of waiting.
        DELETE FROM {schema}.counters c WHERE c.key = ANY (ARRAY(
            SELECT d.key FROM {schema}.counters d WHERE d.expires_at <= instant LIMIT sweep FOR UPDATE SKIP LOCKED
        ));
        DELETE FROM {schema}.exchanges e WHERE e.id = ANY (ARRAY(
            SELECT d.id FROM {schema}.exchanges d
            WHERE NOT d.held AND d.due <= instant LIMIT sweep FOR UPDATE SKIP LOCKED
        ));
    END IF;
END
$$;
