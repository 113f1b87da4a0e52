"""What the database does by itself, so that asking and booking is one statement.

Every function reads and writes rows of one tenant alone, and raises nothing: a refusal and
a repetition are answers, so that the caller's transaction goes on.

Whoever changes a slot holds its counter's row first; what else there is of the slot comes after.
"""

from django.db import migrations

# What a gauge showed after each event of a period, in the order in which it was so. An event that was corrected
# was never so.
LEVELS = """
CREATE OR REPLACE FUNCTION usage_levels(
    p_tenant uuid, p_feature text, p_start timestamptz, p_end timestamptz, p_opening bigint
) RETURNS TABLE (o_n bigint, o_at timestamptz, o_level bigint)
LANGUAGE sql STABLE AS $$
    WITH told AS (
        SELECT e.at, e.kind, e.amount, e.value,
               row_number() OVER in_order AS n,
               count(*) FILTER (WHERE e.kind = 'set') OVER in_order AS sets
        FROM usage_usageevent e
        WHERE (e.tenant_uuid, e.feature, e.period_start, e.period_end) = (p_tenant, p_feature, p_start, p_end)
          AND e.at >= p_start AND e.at < p_end AND e.kind IN ('add', 'set', 'release')
          AND NOT EXISTS (SELECT FROM usage_usageevent x WHERE x.tenant_uuid = p_tenant AND x.corrects = e.id)
        WINDOW in_order AS (ORDER BY e.at, e.booked_at, e.id)
    )
    SELECT n, at, (
        CASE sets WHEN 0 THEN p_opening ELSE 0 END
        + sum(CASE kind WHEN 'set' THEN value ELSE amount END) OVER (PARTITION BY sets ORDER BY n)
    )::bigint
    FROM told
$$
"""

# What a gauge's counter is to say, by its events.
REPLAY = """
CREATE OR REPLACE FUNCTION usage_replay(
    p_tenant uuid, p_feature text, p_start timestamptz, p_end timestamptz, p_aggregate text, p_opening bigint,
    OUT o_used bigint, OUT o_level bigint, OUT o_level_at timestamptz
) LANGUAGE sql STABLE AS $$
    SELECT greatest(0, CASE p_aggregate WHEN 'max' THEN greatest(p_opening, highest) ELSE latest END), latest, latest_at
    FROM (
        SELECT max(o_level) AS highest,
               coalesce((array_agg(o_level ORDER BY o_n DESC))[1], p_opening) AS latest,
               max(o_at) AS latest_at
        FROM usage_levels(p_tenant, p_feature, p_start, p_end, p_opening)
    ) AS told
$$
"""

# A gauge's level changed: the later periods began with another one.
CARRY = """
CREATE OR REPLACE FUNCTION usage_carry(
    p_tenant uuid, p_feature text, p_start timestamptz, p_end timestamptz, p_level bigint
) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    later usage_counter%ROWTYPE;
    v_level bigint := p_level;
    v_used bigint;
    v_next bigint;
BEGIN
    FOR later IN
        SELECT * FROM usage_counter c
        WHERE c.tenant_uuid = p_tenant AND c.feature = p_feature AND c.level IS NOT NULL
          AND (c.period_start, c.period_end) > (p_start, p_end)
        ORDER BY c.period_start, c.period_end FOR NO KEY UPDATE
    LOOP
        EXIT WHEN later.opening = v_level;
        SELECT r.o_used, r.o_level INTO v_used, v_next
        FROM usage_replay(p_tenant, p_feature, later.period_start, later.period_end, later.aggregate, v_level) r;
        UPDATE usage_counter c SET opening = v_level, used = v_used, level = v_next
        WHERE c.tenant_uuid = p_tenant AND c.id = later.id;
        v_level := v_next;
    END LOOP;
END $$
"""

# What was set aside in a slot and has run out comes back. The caller holds the counter.
EXPIRE = """
CREATE OR REPLACE FUNCTION usage_expire(
    p_tenant uuid, p_feature text, p_start timestamptz, p_end timestamptz, p_now timestamptz
) RETURNS void LANGUAGE sql AS $$
    WITH gone AS (
        UPDATE usage_reservation r SET state = 'expired', closed_at = p_now
        WHERE (r.tenant_uuid, r.feature, r.period_start, r.period_end) = (p_tenant, p_feature, p_start, p_end)
          AND r.state = 'open' AND r.expires_at <= p_now
        RETURNING r.id, r.amount, r.at
    ), back AS (
        INSERT INTO usage_usageevent
            (tenant_uuid, id, feature, period_start, period_end, kind, amount, at, actor, properties, soft, corrects)
        SELECT p_tenant, gen_random_uuid(), p_feature, p_start, p_end, 'unhold', -gone.amount, gone.at, 'time passed',
               '{}', false, gone.id
        FROM gone
    )
    UPDATE usage_counter c SET used = c.used - total.amount, updated_at = p_now
    FROM (SELECT sum(gone.amount) AS amount FROM gone) AS total
    WHERE (c.tenant_uuid, c.feature, c.period_start, c.period_end) = (p_tenant, p_feature, p_start, p_end)
      AND total.amount IS NOT NULL
$$
"""

# The marks that were reached by going from one number to another; under a limit that is new, all that are reached.
CROSSED = """
CREATE OR REPLACE FUNCTION usage_crossed(
    p_thresholds int[], p_before bigint, p_after bigint, p_limit bigint, p_anew boolean
) RETURNS SETOF text LANGUAGE sql IMMUTABLE AS $$
    SELECT mark.name
    FROM (
        SELECT threshold::text, threshold * p_limit::numeric FROM unnest(p_thresholds) AS threshold
        UNION ALL SELECT 'over', p_limit * 100::numeric + 1
    ) AS mark (name, needed)
    WHERE p_after > 0 AND p_after * 100::numeric >= mark.needed
      AND (p_anew OR p_before <= 0 OR p_before * 100::numeric < mark.needed)
$$
"""

# The answer to a call that was made before, from what it booked.
ANSWERED = """
CREATE OR REPLACE FUNCTION usage_answered(
    p_tenant uuid, p_key text, p_corrects uuid,
    p_feature text, p_kind text, p_amount bigint, p_value bigint, p_properties jsonb,
    OUT o_outcome text, OUT o_used bigint, OUT o_limit bigint, OUT o_soft boolean, OUT o_event uuid
) LANGUAGE sql STABLE AS $$
    SELECT CASE
               WHEN p_corrects IS NOT NULL THEN 'repeated'
               WHEN e.feature = p_feature AND e.kind = p_kind AND e.properties = p_properties
                    AND CASE e.kind WHEN 'set' THEN e.value = p_value ELSE e.amount = p_amount END THEN 'repeated'
               ELSE 'reused'
           END,
           coalesce(e.used_after, c.used), e."limit", e.soft, e.id
    FROM usage_usageevent e
    JOIN usage_counter c USING (tenant_uuid, feature, period_start, period_end)
    WHERE e.tenant_uuid = p_tenant AND (e.idempotency_key = p_key OR e.corrects = p_corrects)
$$
"""

# Asks and books. Nearly every call is the first two statements: the counter goes up if it may, and the event is
# written; where somebody wrote an event of that key before, the counter goes back, and the answer is the stored one.
# Whatever else there is to consider is done below them, holding the counter.
#
# Under READ COMMITTED a waiter for the counter checks its condition again on the new row, but sees nothing else anew:
# so the fast way asks the counter alone, and the rest is asked by statements that begin once the counter is held.
CONSUME = """
CREATE OR REPLACE FUNCTION usage_consume(
    p_tenant uuid, p_feature text, p_start timestamptz, p_end timestamptz, p_aggregate text,
    p_kind text, p_amount bigint, p_value bigint, p_at timestamptz,
    p_limit bigint, p_soft boolean, p_thresholds int[], p_version bigint,
    p_key text, p_actor text, p_properties jsonb, p_now timestamptz,
    p_expires_at timestamptz DEFAULT NULL, p_corrects uuid DEFAULT NULL, p_is_fact boolean DEFAULT false,
    OUT o_outcome text, OUT o_used bigint, OUT o_limit bigint, OUT o_soft boolean, OUT o_event uuid
) LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
#variable_conflict use_column
DECLARE
    v usage_counter%ROWTYPE;
    v_there boolean := true;
    v_fast boolean := false;
    v_anew boolean := false;
    v_late boolean := false;
    v_before bigint;
    v_held bigint := 0;
    v_amount bigint := p_amount;
    v_value bigint := p_value;
    v_used bigint;
    v_reached bigint;
    v_level bigint;
    v_level_at timestamptz;
BEGIN
    IF p_kind IN ('add', 'hold') AND NOT p_is_fact THEN
        UPDATE usage_counter c SET used = c.used + p_amount, updated_at = p_now
        WHERE (c.tenant_uuid, c.feature, c.period_start, c.period_end) = (p_tenant, p_feature, p_start, p_end)
          AND c.level IS NULL AND c.limit_version = p_version AND c.soft = p_soft
          AND c."limit" IS NOT DISTINCT FROM p_limit
          AND (p_limit IS NULL OR p_soft OR c.used + p_amount <= p_limit)
        RETURNING c.used INTO v_used;
        v_fast := FOUND;
        v_before := v_used - p_amount;
        o_limit := p_limit;
        o_soft := p_soft;
    END IF;

    WHILE NOT v_fast LOOP
        SELECT c.* INTO v FROM usage_counter c
        WHERE (c.tenant_uuid, c.feature, c.period_start, c.period_end) = (p_tenant, p_feature, p_start, p_end)
        FOR NO KEY UPDATE;
        v_there := FOUND;
        IF p_key IS NOT NULL OR p_corrects IS NOT NULL THEN
            SELECT a.* INTO o_outcome, o_used, o_limit, o_soft, o_event FROM usage_answered(
                p_tenant, p_key, p_corrects, p_feature, p_kind, p_amount, p_value, p_properties) a;
            IF o_outcome IS NOT NULL THEN
                RETURN;
            END IF;
        END IF;
        IF v_there AND v.level IS NULL THEN
            PERFORM usage_expire(p_tenant, p_feature, p_start, p_end, p_now);
            SELECT c.used INTO v.used FROM usage_counter c WHERE c.tenant_uuid = p_tenant AND c.id = v.id;
        END IF;
        IF NOT v_there THEN
            v.aggregate := p_aggregate;
            v.opening := 0;
            v.used := 0;
            v.limit_version := p_version;
            IF p_aggregate IN ('max', 'last') THEN
                -- Nobody opens another period of this gauge meanwhile, or tells the one before anything.
                PERFORM pg_advisory_xact_lock(hashtextextended(p_tenant::text || p_feature, 0));
                SELECT c.level INTO v.opening FROM usage_counter c
                WHERE c.tenant_uuid = p_tenant AND c.feature = p_feature AND c.level IS NOT NULL
                  AND (c.period_start, c.period_end) < (p_start, p_end)
                ORDER BY c.period_start DESC, c.period_end DESC LIMIT 1 FOR NO KEY UPDATE;
                v.opening := coalesce(v.opening, 0);
                v.level := v.opening;
                v.used := greatest(0, v.opening);
            END IF;
        END IF;

        o_limit := CASE WHEN p_version >= v.limit_version THEN p_limit ELSE v."limit" END;
        o_soft := CASE WHEN p_version >= v.limit_version THEN p_soft ELSE v.soft END;
        v_anew := v_there AND o_limit IS DISTINCT FROM v."limit";
        v_before := v.used;
        o_used := v.used;
        IF v.level IS NULL THEN
            IF p_kind NOT IN ('add', 'hold') THEN
                SELECT coalesce(sum(r.amount), 0) INTO v_held FROM usage_reservation r
                WHERE (r.tenant_uuid, r.feature, r.period_start, r.period_end) = (p_tenant, p_feature, p_start, p_end)
                  AND r.state = 'open';
            END IF;
            v_amount := CASE p_kind WHEN 'set' THEN p_value - (v.used - v_held) ELSE p_amount END;
            v_used := v.used + v_amount;
            v_reached := v_used;
            o_outcome := CASE WHEN v_amount < 0 AND v_used < v_held THEN 'below' END;
        ELSE
            v_late := p_kind = 'correct' OR coalesce(p_at < v.level_at, false);
            v_level := CASE p_kind WHEN 'set' THEN p_value ELSE v.level + p_amount END;
            v_level_at := p_at;
            v_amount := CASE p_kind WHEN 'set' THEN p_value - v.level ELSE p_amount END;
            v_value := v_level;
            v_used := greatest(0, CASE v.aggregate WHEN 'max' THEN greatest(v.used, v_level) ELSE v_level END);
            v_reached := v_level;
            o_outcome := CASE WHEN p_kind = 'hold' THEN 'gauge' WHEN p_kind = 'release' AND v_level < 0 THEN 'below' END;
        END IF;
        IF o_outcome IS NULL AND NOT p_is_fact AND v_amount > 0 AND NOT o_soft AND v_reached > o_limit THEN
            o_outcome := 'refused';
        END IF;
        IF o_outcome IS NOT NULL THEN
            RETURN;
        END IF;
        EXIT WHEN v_there;
        INSERT INTO usage_counter (
            tenant_uuid, id, feature, period_start, period_end, aggregate, opening, used, level,
            "limit", soft, limit_version, updated_at
        ) VALUES (
            p_tenant, gen_random_uuid(), p_feature, p_start, p_end, p_aggregate, v.opening, v.used, v.level,
            p_limit, p_soft, p_version, p_now
        ) ON CONFLICT DO NOTHING;
    END LOOP;

    INSERT INTO usage_usageevent (
        tenant_uuid, id, feature, period_start, period_end, kind, amount, value, at, actor, properties,
        idempotency_key, used_after, "limit", soft, corrects
    ) VALUES (
        p_tenant, gen_random_uuid(), p_feature, p_start, p_end, p_kind, v_amount, v_value, p_at, p_actor, p_properties,
        p_key, CASE WHEN NOT v_late THEN v_used END, o_limit, o_soft, p_corrects
    ) ON CONFLICT DO NOTHING RETURNING id INTO o_event;

    IF o_event IS NULL THEN
        IF v_fast THEN
            UPDATE usage_counter c SET used = c.used - p_amount
            WHERE (c.tenant_uuid, c.feature, c.period_start, c.period_end) = (p_tenant, p_feature, p_start, p_end);
        END IF;
        SELECT a.* INTO o_outcome, o_used, o_limit, o_soft, o_event FROM usage_answered(
            p_tenant, p_key, p_corrects, p_feature, p_kind, p_amount, p_value, p_properties) a;
        RETURN;
    END IF;

    IF NOT v_fast THEN
        IF v_late THEN
            SELECT r.* INTO v_used, v_level, v_level_at
            FROM usage_replay(p_tenant, p_feature, p_start, p_end, v.aggregate, v.opening) r;
        END IF;
        UPDATE usage_counter c
        SET used = v_used, level = v_level, level_at = v_level_at, "limit" = o_limit, soft = o_soft,
            limit_version = greatest(c.limit_version, p_version), updated_at = p_now
        WHERE c.tenant_uuid = p_tenant AND c.id = v.id;
        IF v_level IS NOT NULL THEN
            PERFORM usage_carry(p_tenant, p_feature, p_start, p_end, v_level);
        END IF;
    END IF;
    IF p_kind = 'hold' THEN
        INSERT INTO usage_reservation (
            tenant_uuid, id, feature, period_start, period_end, amount, key, state, at, reserved_at, expires_at
        ) VALUES (
            p_tenant, o_event, p_feature, p_start, p_end, p_amount, p_key, 'open', p_at, p_now, p_expires_at
        );
    END IF;
    IF o_limit IS NOT NULL AND EXISTS (SELECT FROM usage_crossed(p_thresholds, v_before, v_used, o_limit, v_anew)) THEN
        INSERT INTO usage_crossing (
            tenant_uuid, id, feature, period_start, period_end, threshold, at, recorded_at, used, "limit"
        )
        SELECT p_tenant, gen_random_uuid(), p_feature, p_start, p_end, mark, p_at, p_now, v_used, o_limit
        FROM usage_crossed(p_thresholds, v_before, v_used, o_limit, v_anew) AS mark
        ON CONFLICT DO NOTHING;
    END IF;
    o_outcome := 'booked';
    o_used := v_used;
END $$
"""

SLOTS = """
CREATE OR REPLACE FUNCTION usage_slots(p_slots jsonb) RETURNS TABLE (
    n int, feature text, period_start timestamptz, period_end timestamptz, aggregate text, told text, singly boolean,
    ceiling bigint, soft boolean, thresholds int[], version bigint
) LANGUAGE sql IMMUTABLE AS $$
    SELECT * FROM jsonb_to_recordset(p_slots) AS each (
        n int, feature text, period_start timestamptz, period_end timestamptz, aggregate text, told text,
        singly boolean, ceiling bigint, soft boolean, thresholds int[], version bigint
    )
$$
"""

# Books many facts at once: those that add up by one statement, gauges one by one. Answers with what was booked, and
# for those one by one with what else became of them; whoever is not in the answer was booked before.
INGEST = """
CREATE OR REPLACE FUNCTION usage_ingest(
    p_tenant uuid, p_actor text, p_now timestamptz, p_slots jsonb,
    p_slot int[], p_amount bigint[], p_at timestamptz[], p_key text[], p_properties text[]
) RETURNS TABLE (o_n int, o_outcome text, o_event uuid)
LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
#variable_conflict use_column
DECLARE
    each record;
BEGIN
    -- The counters before the events, as everywhere, and in one order: so that nobody waits for one who waits for him.
    INSERT INTO usage_counter (
        tenant_uuid, id, feature, period_start, period_end, aggregate, opening, used, "limit", soft, limit_version,
        updated_at
    )
    SELECT p_tenant, gen_random_uuid(), s.feature, s.period_start, s.period_end, s.aggregate, 0, 0, s.ceiling, s.soft,
           s.version, p_now
    FROM usage_slots(p_slots) s
    LEFT JOIN usage_counter c ON c.tenant_uuid = p_tenant AND c.feature = s.feature
         AND c.period_start = s.period_start AND c.period_end = s.period_end
    WHERE NOT s.singly AND c.id IS NULL
    ORDER BY s.feature, s.period_start, s.period_end
    ON CONFLICT DO NOTHING;
    PERFORM FROM usage_counter c
    JOIN usage_slots(p_slots) s ON c.tenant_uuid = p_tenant AND c.feature = s.feature
         AND c.period_start = s.period_start AND c.period_end = s.period_end
    ORDER BY c.feature, c.period_start, c.period_end FOR NO KEY UPDATE OF c;

    RETURN QUERY
    WITH slots AS MATERIALIZED (
        SELECT s.n, s.feature, s.period_start, s.period_end, s.thresholds, c.id, c.used,
               greatest(s.version, c.limit_version) AS version,
               CASE WHEN s.version >= c.limit_version THEN s.ceiling ELSE c."limit" END AS ceiling,
               CASE WHEN s.version >= c.limit_version THEN s.soft ELSE c.soft END AS soft,
               s.version >= c.limit_version AND s.ceiling IS DISTINCT FROM c."limit" AS anew
        FROM usage_slots(p_slots) s
        JOIN usage_counter c ON c.tenant_uuid = p_tenant AND c.feature = s.feature
             AND c.period_start = s.period_start AND c.period_end = s.period_end
        WHERE NOT s.singly AND c.level IS NULL
    ), told AS MATERIALIZED (
        SELECT t.n, gen_random_uuid() AS id, t.slot, t.amount, t.at, t.key, t.properties
        FROM unnest(p_slot, p_amount, p_at, p_key, p_properties)
             WITH ORDINALITY AS t (slot, amount, at, key, properties, n)
    ), booked AS (
        INSERT INTO usage_usageevent (
            tenant_uuid, id, feature, period_start, period_end, kind, amount, at, actor, properties, idempotency_key,
            "limit", soft
        )
        SELECT p_tenant, t.id, s.feature, s.period_start, s.period_end, 'add', t.amount, t.at, p_actor,
               t.properties::jsonb, t.key, s.ceiling, s.soft
        FROM told t JOIN slots s ON s.n = t.slot
        ORDER BY t.key, t.n
        ON CONFLICT DO NOTHING
        RETURNING id, feature, period_start, period_end, amount, at
    ), sums AS MATERIALIZED (
        SELECT s.*, b.amount, b.at
        FROM (
            SELECT feature, period_start, period_end, sum(amount)::bigint AS amount, max(at) AS at
            FROM booked GROUP BY feature, period_start, period_end
        ) AS b
        JOIN slots s USING (feature, period_start, period_end)
    ), counted AS (
        UPDATE usage_counter c
        SET used = c.used + s.amount, "limit" = s.ceiling, soft = s.soft, limit_version = s.version, updated_at = p_now
        FROM sums s WHERE c.tenant_uuid = p_tenant AND c.id = s.id
    ), crossed AS (
        INSERT INTO usage_crossing (
            tenant_uuid, id, feature, period_start, period_end, threshold, at, recorded_at, used, "limit"
        )
        SELECT p_tenant, gen_random_uuid(), s.feature, s.period_start, s.period_end, mark, s.at, p_now,
               s.used + s.amount, s.ceiling
        FROM sums s, usage_crossed(s.thresholds, s.used, s.used + s.amount, s.ceiling, s.anew) AS mark
        ON CONFLICT DO NOTHING
    )
    SELECT t.n::int, 'booked', t.id FROM told t JOIN booked USING (id);

    FOR each IN
        SELECT t.*, s.* FROM unnest(p_slot, p_amount, p_at, p_key, p_properties)
             WITH ORDINALITY AS t (slot, amount, at, key, properties, nth)
        JOIN usage_slots(p_slots) s ON s.n = t.slot
        LEFT JOIN usage_counter c ON c.tenant_uuid = p_tenant AND c.feature = s.feature
             AND c.period_start = s.period_start AND c.period_end = s.period_end
        WHERE s.singly OR c.level IS NOT NULL
        ORDER BY s.feature, s.period_start, s.period_end, t.nth
    LOOP
        o_n := each.nth;
        SELECT u.o_outcome, u.o_event INTO o_outcome, o_event FROM usage_consume(
            p_tenant, each.feature, each.period_start, each.period_end, each.aggregate,
            each.told, CASE each.told WHEN 'add' THEN each.amount END, CASE each.told WHEN 'set' THEN each.amount END,
            each.at, each.ceiling, each.soft, each.thresholds, each.version, each.key, p_actor,
            each.properties::jsonb, p_now, p_is_fact => true) u;
        RETURN NEXT;
    END LOOP;
END $$
"""

FUNCTIONS = {
    "usage_levels": LEVELS,
    "usage_replay": REPLAY,
    "usage_carry": CARRY,
    "usage_expire": EXPIRE,
    "usage_crossed": CROSSED,
    "usage_answered": ANSWERED,
    "usage_consume": CONSUME,
    "usage_slots": SLOTS,
    "usage_ingest": INGEST,
}


class Migration(migrations.Migration):

    dependencies = [
        ('usage', '0002_counters_events_reservations'),
    ]

    operations = [
        # A counter is written often and its indexed columns never: room in its page keeps that cheap.
        migrations.RunSQL(
            "ALTER TABLE usage_counter SET (fillfactor = 70)", "ALTER TABLE usage_counter RESET (fillfactor)"
        ),
        *[migrations.RunSQL(made, f"DROP FUNCTION {name}") for name, made in FUNCTIONS.items()],
    ]
