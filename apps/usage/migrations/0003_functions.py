"""What the database does by itself, so that asking and booking is one statement.

Every function reads and writes rows of one tenant alone, and raises nothing: a refusal and
a repetition are answers, so that the caller's transaction goes on.

Whoever changes a slot holds its counter's row first; what else there is of the slot comes after.
The periods of a gauge hang together, so there a lock for the tenant's feature comes before all rows.
"""

from django.db import migrations

# More than this no counter comes to, so that whatever is made of it stays a number of the database's.
MOST = "1000000000000000000"

# Nobody tells this gauge anything meanwhile, of whatever period.
LOCK = """
CREATE OR REPLACE FUNCTION usage_lock_gauge(p_tenant uuid, p_feature text) RETURNS void LANGUAGE sql AS $$
    SELECT pg_advisory_xact_lock(hashtextextended(p_tenant::text || p_feature, 0))
$$
"""

# Whether a caller's ceiling counts instead of the counter's own: when it is not older. A period that is over keeps
# the one that it ended with.
REPLACES = """
CREATE OR REPLACE FUNCTION usage_replaces(
    p_version bigint, p_own_version bigint, p_end timestamptz, p_now timestamptz
) RETURNS boolean LANGUAGE sql IMMUTABLE AS $$
    SELECT p_version >= p_own_version AND (p_end > p_now OR p_own_version < 0)
$$
"""

# What a gauge showed after each event of a period, in the order in which it was so. An event that was corrected
# was never so. `p_at`, `p_kind` and `p_number` are an event that is about to be booked, `p_without` one to be corrected.
LEVELS = """
CREATE OR REPLACE FUNCTION usage_levels(
    p_tenant uuid, p_feature text, p_start timestamptz, p_end timestamptz, p_opening bigint,
    p_at timestamptz DEFAULT NULL, p_kind text DEFAULT NULL, p_number bigint DEFAULT NULL, p_without uuid DEFAULT NULL
) RETURNS TABLE (o_n bigint, o_at timestamptz, o_level bigint)
LANGUAGE sql STABLE AS $$
    WITH every AS (
        SELECT e.at, e.booked_at, e.id, e.kind, CASE e.kind WHEN 'set' THEN e.value ELSE e.amount END AS number
        FROM usage_usageevent e
        WHERE (e.tenant_uuid, e.feature, e.period_start, e.period_end) = (p_tenant, p_feature, p_start, p_end)
          AND e.at >= p_start AND e.at < p_end AND e.kind IN ('add', 'set', 'release')
          AND e.id IS DISTINCT FROM p_without
          AND NOT EXISTS (SELECT FROM usage_usageevent x WHERE x.tenant_uuid = p_tenant AND x.corrects = e.id)
        UNION ALL
        SELECT p_at, 'infinity', NULL, p_kind, p_number WHERE p_kind IN ('add', 'set', 'release')
    ), told AS (
        SELECT every.*, row_number() OVER in_order AS n, count(*) FILTER (WHERE kind = 'set') OVER in_order AS sets
        FROM every WINDOW in_order AS (ORDER BY at, booked_at, id)
    ), levels AS (
        SELECT n, at, CASE sets WHEN 0 THEN p_opening ELSE 0 END
                      + sum(number) OVER (PARTITION BY sets ORDER BY n) AS level
        FROM told
    )
    SELECT n, at, least(greatest(level, -9e18), 9e18)::bigint FROM levels
$$
"""

# What a gauge's counter is to say, by its events.
REPLAY = """
CREATE OR REPLACE FUNCTION usage_replay(
    p_tenant uuid, p_feature text, p_start timestamptz, p_end timestamptz, p_aggregate text, p_opening bigint,
    p_at timestamptz DEFAULT NULL, p_kind text DEFAULT NULL, p_number bigint DEFAULT NULL, p_without uuid DEFAULT NULL,
    OUT o_used bigint, OUT o_level bigint, OUT o_level_at timestamptz
) LANGUAGE sql STABLE AS $$
    SELECT greatest(0, CASE p_aggregate WHEN 'max' THEN greatest(p_opening, highest) ELSE latest END), latest, latest_at
    FROM (
        SELECT max(o_level) AS highest,
               coalesce((array_agg(o_level ORDER BY o_n DESC))[1], p_opening) AS latest,
               max(o_at) AS latest_at
        FROM usage_levels(p_tenant, p_feature, p_start, p_end, p_opening, p_at, p_kind, p_number, p_without)
    ) AS told
$$
"""

# Once a gauge's level at the end of a period is another: what the later periods come to, which began with it.
CARRIED = """
CREATE OR REPLACE FUNCTION usage_carried(
    p_tenant uuid, p_feature text, p_start timestamptz, p_end timestamptz, p_level bigint
) RETURNS TABLE (
    o_id uuid, o_start timestamptz, o_end timestamptz, o_limit bigint, o_soft boolean, o_version bigint,
    o_was_used bigint, o_was_level bigint, o_opening bigint, o_used bigint, o_level bigint
) LANGUAGE plpgsql AS $$
DECLARE
    later usage_counter%ROWTYPE;
BEGIN
    o_opening := p_level;
    FOR later IN
        SELECT * FROM usage_counter c
        WHERE c.tenant_uuid = p_tenant AND c.feature = p_feature AND c.level IS NOT NULL
          AND (c.period_start, c.period_end) > (p_start, p_end)
        ORDER BY c.period_start, c.period_end
    LOOP
        EXIT WHEN later.opening = o_opening;
        o_id := later.id;
        o_start := later.period_start;
        o_end := later.period_end;
        o_limit := later."limit";
        o_soft := later.soft;
        o_version := later.limit_version;
        o_was_used := later.used;
        o_was_level := later.level;
        SELECT r.o_used, r.o_level INTO o_used, o_level
        FROM usage_replay(p_tenant, p_feature, o_start, o_end, later.aggregate, o_opening) r;
        RETURN NEXT;
        o_opening := o_level;
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

# Keeps them, each once.
MARK = """
CREATE OR REPLACE FUNCTION usage_mark(
    p_tenant uuid, p_feature text, p_start timestamptz, p_end timestamptz, p_thresholds int[],
    p_before bigint, p_after bigint, p_limit bigint, p_anew boolean, p_at timestamptz, p_now timestamptz
) RETURNS void LANGUAGE sql AS $$
    INSERT INTO usage_crossing (
        tenant_uuid, id, feature, period_start, period_end, threshold, at, recorded_at, used, "limit"
    )
    SELECT p_tenant, gen_random_uuid(), p_feature, p_start, p_end, mark, p_at, p_now, p_after, p_limit
    FROM usage_crossed(p_thresholds, p_before, p_after, p_limit, p_anew) AS mark
    ON CONFLICT DO NOTHING
$$
"""

# Writes that the later periods of a gauge began with another level.
CARRY = """
CREATE OR REPLACE FUNCTION usage_carry(
    p_tenant uuid, p_feature text, p_start timestamptz, p_end timestamptz, p_level bigint,
    p_limit bigint, p_thresholds int[], p_version bigint, p_at timestamptz, p_now timestamptz
) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    later record;
BEGIN
    FOR later IN
        SELECT l.*, CASE WHEN usage_replaces(p_version, l.o_version, l.o_end, p_now) THEN p_limit ELSE l.o_limit END
                    AS ceiling
        FROM usage_carried(p_tenant, p_feature, p_start, p_end, p_level) l
    LOOP
        UPDATE usage_counter c SET opening = later.o_opening, used = later.o_used, level = later.o_level
        WHERE c.tenant_uuid = p_tenant AND c.id = later.o_id;
        PERFORM usage_mark(p_tenant, p_feature, later.o_start, later.o_end, p_thresholds, later.o_was_used,
                           later.o_used, later.ceiling, false, greatest(p_at, later.o_start), p_now);
    END LOOP;
END $$
"""

# The answer to a call that was made before, from what it booked, and where.
ANSWERED = """
CREATE OR REPLACE FUNCTION usage_answered(
    p_tenant uuid, p_key text, p_corrects uuid,
    p_feature text, p_kind text, p_amount bigint, p_value bigint, p_properties jsonb,
    OUT o_outcome text, OUT o_used bigint, OUT o_limit bigint, OUT o_soft boolean, OUT o_event uuid,
    OUT o_start timestamptz, OUT o_end timestamptz
) LANGUAGE sql STABLE AS $$
    SELECT CASE
               WHEN p_corrects IS NOT NULL THEN 'repeated'
               WHEN e.feature = p_feature AND e.kind = p_kind AND e.properties = p_properties
                    AND CASE e.kind WHEN 'set' THEN e.value = p_value ELSE e.amount = p_amount END THEN 'repeated'
               ELSE 'reused'
           END,
           coalesce(e.used_after, c.used), e."limit", e.soft, e.id, e.period_start, e.period_end
    FROM usage_usageevent e
    JOIN usage_counter c USING (tenant_uuid, feature, period_start, period_end)
    WHERE e.tenant_uuid = p_tenant AND (e.idempotency_key = p_key OR e.corrects = p_corrects)
$$
"""

# What a counter that is not there yet begins with. The caller holds the gauge.
OPENED = """
CREATE OR REPLACE FUNCTION usage_opened(
    p_tenant uuid, p_feature text, p_start timestamptz, p_end timestamptz, p_aggregate text,
    p_limit bigint, p_soft boolean, p_version bigint, p_now timestamptz
) RETURNS usage_counter LANGUAGE plpgsql STABLE AS $$
DECLARE
    v usage_counter%ROWTYPE;
BEGIN
    v.tenant_uuid := p_tenant;
    v.id := gen_random_uuid();
    v.feature := p_feature;
    v.period_start := p_start;
    v.period_end := p_end;
    v.aggregate := p_aggregate;
    v.opening := 0;
    v."limit" := p_limit;
    v.soft := p_soft;
    v.limit_version := p_version;
    v.updated_at := p_now;
    IF p_aggregate IN ('max', 'last') THEN
        v.level := coalesce((
            SELECT c.level FROM usage_counter c
            WHERE c.tenant_uuid = p_tenant AND c.feature = p_feature AND c.level IS NOT NULL
              AND (c.period_start, c.period_end) < (p_start, p_end)
            ORDER BY c.period_start DESC, c.period_end DESC LIMIT 1
        ), 0);
        v.opening := v.level;
    END IF;
    v.used := greatest(0, v.opening);
    RETURN v;
END $$
"""

# What a counter comes to by a call; `o_outcome` where it is not to be booked. A gauge is judged by what is in use and
# by what it shows, once everything is in its order: of this period, and of each later one that begins with it. Where
# a later one is in the way, the answer is about that one.
JUDGED = """
CREATE OR REPLACE FUNCTION usage_judged(
    v usage_counter, p_kind text, p_amount bigint, p_value bigint, p_at timestamptz,
    p_limit bigint, p_soft boolean, p_version bigint, p_now timestamptz, p_corrects uuid, p_is_fact boolean,
    OUT o_outcome text, OUT o_used bigint, OUT o_level bigint, OUT o_level_at timestamptz, OUT o_amount bigint,
    OUT o_value bigint, OUT o_late boolean, OUT o_anew boolean, OUT o_version bigint,
    OUT o_limit bigint, OUT o_soft boolean, OUT o_start timestamptz, OUT o_end timestamptz
) LANGUAGE plpgsql AS $$
DECLARE
    v_held bigint := 0;
    later record;
BEGIN
    o_start := v.period_start;
    o_end := v.period_end;
    o_limit := v."limit";
    o_soft := v.soft;
    o_version := v.limit_version;
    o_anew := false;
    o_late := false;
    o_value := p_value;
    IF usage_replaces(p_version, v.limit_version, v.period_end, p_now) THEN
        o_anew := p_version > v.limit_version OR p_limit IS DISTINCT FROM v."limit";
        o_limit := p_limit;
        o_soft := p_soft;
        o_version := p_version;
    END IF;

    IF v.level IS NULL THEN
        IF p_kind NOT IN ('add', 'hold') THEN
            SELECT coalesce(sum(r.amount), 0) INTO v_held FROM usage_reservation r
            WHERE (r.tenant_uuid, r.feature, r.period_start, r.period_end)
                = (v.tenant_uuid, v.feature, v.period_start, v.period_end) AND r.state = 'open';
        END IF;
        o_amount := CASE p_kind WHEN 'set' THEN p_value - (v.used - v_held) ELSE p_amount END;
        o_used := v.used + o_amount;
        o_outcome := CASE WHEN o_amount < 0 AND o_used < v_held THEN 'below' END;
    ELSE
        o_late := p_kind = 'correct' OR coalesce(p_at < v.level_at, false);
        o_amount := CASE p_kind WHEN 'set' THEN p_value - v.level ELSE p_amount END;
        o_level := v.level + o_amount;
        o_value := o_level;
        o_outcome := CASE WHEN p_kind = 'hold' THEN 'gauge' WHEN p_kind = 'release' AND o_level < 0 THEN 'below' END;
        o_level_at := p_at;
        o_used := greatest(0, o_level, CASE v.aggregate WHEN 'max' THEN v.used END);
        IF o_late THEN
            SELECT r.* INTO o_used, o_level, o_level_at FROM usage_replay(
                v.tenant_uuid, v.feature, v.period_start, v.period_end, v.aggregate, v.opening,
                p_at, p_kind, coalesce(p_value, p_amount), p_corrects) r;
        END IF;
    END IF;

    IF o_outcome IS NULL AND o_used > greatest(v.used, {most}) THEN
        o_outcome := 'full';
    ELSIF o_outcome IS NULL AND NOT p_is_fact AND NOT o_soft
          AND (o_used > greatest(v.used, o_limit) OR o_level > greatest(v.level, o_limit)) AND o_limit IS NOT NULL THEN
        o_outcome := 'refused';
    ELSIF o_outcome IS NULL AND NOT p_is_fact AND o_level <> v.level THEN
        SELECT l.* INTO later
        FROM usage_carried(v.tenant_uuid, v.feature, v.period_start, v.period_end, o_level) l,
             LATERAL (SELECT usage_replaces(p_version, l.o_version, l.o_end, p_now) AS given) AS ceiling,
             LATERAL (SELECT CASE WHEN given THEN p_limit ELSE l.o_limit END AS most,
                             CASE WHEN given THEN p_soft ELSE l.o_soft END AS soft) AS its
        WHERE NOT its.soft AND its.most IS NOT NULL
          AND (l.o_used > greatest(l.o_was_used, its.most) OR l.o_level > greatest(l.o_was_level, its.most))
        LIMIT 1;
        IF FOUND THEN
            o_outcome := 'refused';
            o_start := later.o_start;
            o_end := later.o_end;
            o_used := later.o_was_used;
            o_limit := CASE WHEN usage_replaces(p_version, later.o_version, later.o_end, p_now)
                       THEN p_limit ELSE later.o_limit END;
            o_soft := false;
            RETURN;
        END IF;
    END IF;
    IF o_outcome IS NOT NULL THEN
        o_used := v.used;
    END IF;
END $$
""".format(most=MOST)

_PARAMETERS = """
    p_tenant uuid, p_feature text, p_start timestamptz, p_end timestamptz, p_aggregate text,
    p_kind text, p_amount bigint, p_value bigint, p_at timestamptz,
    p_limit bigint, p_soft boolean, p_thresholds int[], p_version bigint,
    p_key text, p_actor text, p_properties jsonb, p_now timestamptz,
    p_expires_at timestamptz DEFAULT NULL, p_corrects uuid DEFAULT NULL, p_is_fact boolean DEFAULT false,
    p_closed boolean DEFAULT false,
    OUT o_outcome text, OUT o_used bigint, OUT o_limit bigint, OUT o_soft boolean, OUT o_event uuid,
    OUT o_start timestamptz, OUT o_end timestamptz
"""
# None is written where somebody else has booked that key meanwhile: then the answer is his.
_EVENT = """
    INSERT INTO usage_usageevent (
        tenant_uuid, id, feature, period_start, period_end, kind, amount, value, at, actor, properties,
        idempotency_key, used_after, "limit", soft, corrects
    ) VALUES (
        p_tenant, gen_random_uuid(), p_feature, p_start, p_end, p_kind, {amount}, {value}, p_at, p_actor, p_properties,
        p_key, {used_after}, o_limit, o_soft, p_corrects
    ) ON CONFLICT DO NOTHING RETURNING id INTO o_event;
"""
_ANSWER = """
    SELECT a.* INTO o_outcome, o_used, o_limit, o_soft, o_event, o_start, o_end FROM usage_answered(
        p_tenant, p_key, p_corrects, p_feature, p_kind, p_amount, p_value, p_properties) a;
"""
_SLOT = "(c.tenant_uuid, c.feature, c.period_start, c.period_end) = (p_tenant, p_feature, p_start, p_end)"

# Whatever has to be considered before it is booked.
#
# Of a key that is known the answer is known, whatever has changed since. `p_closed`: to any other the answer is no.
# Where a newer ceiling is lower than what is in use, that is told even if it is why the call is refused.
CONSIDER = f"""
CREATE OR REPLACE FUNCTION usage_consider({_PARAMETERS}) LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
    v usage_counter%ROWTYPE;
    v_there boolean;
    j record;
BEGIN
    -- How a counter counts never changes, so it can be asked before anything is held.
    IF p_aggregate IN ('max', 'last') OR EXISTS (SELECT FROM usage_counter c WHERE {_SLOT} AND c.level IS NOT NULL) THEN
        PERFORM usage_lock_gauge(p_tenant, p_feature);
    END IF;
    LOOP
        SELECT c.* INTO v FROM usage_counter c WHERE {_SLOT} FOR NO KEY UPDATE;
        v_there := FOUND;
        IF p_key IS NOT NULL OR p_corrects IS NOT NULL THEN
            {_ANSWER}
            IF o_outcome IS NOT NULL THEN
                RETURN;
            END IF;
        END IF;
        IF NOT v_there THEN
            v := usage_opened(p_tenant, p_feature, p_start, p_end, p_aggregate, p_limit, p_soft, p_version, p_now);
        ELSIF v.level IS NULL THEN
            PERFORM usage_expire(p_tenant, p_feature, p_start, p_end, p_now);
            SELECT c.used INTO v.used FROM usage_counter c WHERE c.tenant_uuid = p_tenant AND c.id = v.id;
        END IF;
        SELECT * INTO j FROM usage_judged(
            v, p_kind, p_amount, p_value, p_at, p_limit, p_soft, p_version, p_now, p_corrects, p_is_fact);
        o_start := j.o_start;
        o_end := j.o_end;
        o_used := j.o_used;
        o_limit := j.o_limit;
        o_soft := j.o_soft;
        IF p_closed THEN
            o_outcome := 'refused';
            o_used := v.used;
            o_start := p_start;
            o_end := p_end;
            RETURN;
        END IF;
        IF j.o_outcome IS NOT NULL THEN
            o_outcome := j.o_outcome;
            IF v_there AND j.o_anew AND o_outcome = 'refused' AND o_start = p_start THEN
                PERFORM usage_mark(p_tenant, p_feature, p_start, p_end, p_thresholds, v.used, v.used, o_limit, true,
                                   p_at, p_now);
            END IF;
            RETURN;
        END IF;
        EXIT WHEN v_there;
        INSERT INTO usage_counter SELECT v.* ON CONFLICT DO NOTHING;
    END LOOP;
    {_EVENT.format(amount="j.o_amount", value="j.o_value", used_after="CASE WHEN NOT j.o_late THEN j.o_used END")}
    IF o_event IS NULL THEN
        {_ANSWER}
        RETURN;
    END IF;
    UPDATE usage_counter c
    SET used = j.o_used, level = j.o_level, level_at = j.o_level_at, "limit" = o_limit, soft = o_soft,
        limit_version = j.o_version, updated_at = p_now
    WHERE c.tenant_uuid = p_tenant AND c.id = v.id;
    IF j.o_level IS NOT NULL THEN
        PERFORM usage_carry(p_tenant, p_feature, p_start, p_end, j.o_level, p_limit, p_thresholds, p_version,
                            p_at, p_now);
    END IF;
    IF p_kind = 'hold' THEN
        PERFORM usage_hold(p_tenant, o_event, p_feature, p_start, p_end, p_amount, p_key, p_at, p_now, p_expires_at);
    END IF;
    PERFORM usage_mark(p_tenant, p_feature, p_start, p_end, p_thresholds, v.used, j.o_used, o_limit,
                       j.o_anew, p_at, p_now);
    o_outcome := 'booked';
END $$
"""

HOLD = """
CREATE OR REPLACE FUNCTION usage_hold(
    p_tenant uuid, p_id uuid, p_feature text, p_start timestamptz, p_end timestamptz, p_amount bigint, p_key text,
    p_at timestamptz, p_now timestamptz, p_expires_at timestamptz
) RETURNS void LANGUAGE sql AS $$
    INSERT INTO usage_reservation (
        tenant_uuid, id, feature, period_start, period_end, amount, key, state, at, reserved_at, expires_at
    ) VALUES (p_tenant, p_id, p_feature, p_start, p_end, p_amount, p_key, 'open', p_at, p_now, p_expires_at)
$$
"""

# Asks and books. Nearly every call is the first two statements: the counter goes up if it may, and the event is
# written; where somebody wrote an event of that key before, the counter goes back, and the answer is the stored one.
#
# Under READ COMMITTED a waiter for the counter checks its condition again on the new row, but sees nothing else anew:
# so the fast way asks the counter alone, and the rest is asked by statements that begin once the counter is held.
CONSUME = f"""
CREATE OR REPLACE FUNCTION usage_consume({_PARAMETERS}) LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
#variable_conflict use_column
BEGIN
    IF p_kind IN ('add', 'hold') AND NOT p_is_fact AND NOT p_closed THEN
        UPDATE usage_counter c SET used = c.used + p_amount, updated_at = p_now
        WHERE {_SLOT}
          AND c.level IS NULL AND c.limit_version = p_version AND c.soft = p_soft
          AND c."limit" IS NOT DISTINCT FROM p_limit
          AND (p_limit IS NULL OR p_soft OR c.used + p_amount <= p_limit) AND c.used + p_amount <= {MOST}
        RETURNING c.used INTO o_used;
    END IF;
    IF o_used IS NULL THEN
        SELECT c.* INTO o_outcome, o_used, o_limit, o_soft, o_event, o_start, o_end FROM usage_consider(
            p_tenant, p_feature, p_start, p_end, p_aggregate, p_kind, p_amount, p_value, p_at, p_limit, p_soft,
            p_thresholds, p_version, p_key, p_actor, p_properties, p_now, p_expires_at, p_corrects, p_is_fact,
            p_closed) c;
        RETURN;
    END IF;

    o_start := p_start;
    o_end := p_end;
    o_limit := p_limit;
    o_soft := p_soft;
    {_EVENT.format(amount="p_amount", value="p_value", used_after="o_used")}
    IF o_event IS NULL THEN
        UPDATE usage_counter c SET used = c.used - p_amount WHERE {_SLOT};
        {_ANSWER}
        RETURN;
    END IF;
    IF p_kind = 'hold' THEN
        PERFORM usage_hold(p_tenant, o_event, p_feature, p_start, p_end, p_amount, p_key, p_at, p_now, p_expires_at);
    END IF;
    IF o_limit IS NOT NULL
       AND EXISTS (SELECT FROM usage_crossed(p_thresholds, o_used - p_amount, o_used, o_limit, false)) THEN
        PERFORM usage_mark(p_tenant, p_feature, p_start, p_end, p_thresholds, o_used - p_amount, o_used, o_limit, false,
                           p_at, p_now);
    END IF;
    o_outcome := 'booked';
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
INGEST = f"""
CREATE OR REPLACE FUNCTION usage_ingest(
    p_tenant uuid, p_actor text, p_now timestamptz, p_slots jsonb,
    p_slot int[], p_amount bigint[], p_at timestamptz[], p_key text[], p_properties text[]
) RETURNS TABLE (o_n int, o_outcome text, o_event uuid)
LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
#variable_conflict use_column
DECLARE
    each record;
    v_singly int[];
BEGIN
    FOR each IN
        SELECT DISTINCT s.feature FROM usage_slots(p_slots) s
        LEFT JOIN usage_counter c ON c.tenant_uuid = p_tenant AND c.feature = s.feature
             AND c.period_start = s.period_start AND c.period_end = s.period_end
        WHERE s.aggregate IN ('max', 'last') OR c.level IS NOT NULL
        ORDER BY s.feature
    LOOP
        PERFORM usage_lock_gauge(p_tenant, each.feature);
    END LOOP;
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
    WHERE s.aggregate NOT IN ('max', 'last') AND c.id IS NULL
    ORDER BY s.feature, s.period_start, s.period_end
    ON CONFLICT DO NOTHING;
    WITH held AS (
        SELECT s.n, c.level, c.used FROM usage_counter c
        JOIN usage_slots(p_slots) s ON c.tenant_uuid = p_tenant AND c.feature = s.feature
             AND c.period_start = s.period_start AND c.period_end = s.period_end
        ORDER BY c.feature, c.period_start, c.period_end FOR NO KEY UPDATE OF c
    ), totals AS (
        SELECT slot AS n, sum(amount) AS amount FROM unnest(p_slot, p_amount) AS t (slot, amount) GROUP BY slot
    )
    SELECT array_agg(n) INTO v_singly FROM held JOIN totals USING (n)
    WHERE held.level IS NOT NULL OR held.used + totals.amount > {MOST};
    SELECT coalesce(v_singly, '{{}}') || coalesce(array_agg(s.n), '{{}}') INTO v_singly
    FROM usage_slots(p_slots) s WHERE s.singly;

    RETURN QUERY
    WITH slots AS MATERIALIZED (
        SELECT s.n, s.feature, s.period_start, s.period_end, s.thresholds, c.id, c.used,
               CASE WHEN given THEN s.version ELSE c.limit_version END AS version,
               CASE WHEN given THEN s.ceiling ELSE c."limit" END AS ceiling,
               CASE WHEN given THEN s.soft ELSE c.soft END AS soft,
               given AND (s.version > c.limit_version OR s.ceiling IS DISTINCT FROM c."limit") AS anew
        FROM usage_slots(p_slots) s
        JOIN usage_counter c ON c.tenant_uuid = p_tenant AND c.feature = s.feature
             AND c.period_start = s.period_start AND c.period_end = s.period_end
        CROSS JOIN LATERAL (SELECT usage_replaces(s.version, c.limit_version, c.period_end, p_now) AS given) AS ceiling
        WHERE s.n <> ALL (v_singly)
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
        WHERE s.n = ANY (v_singly)
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
    "usage_lock_gauge": LOCK,
    "usage_replaces": REPLACES,
    "usage_levels": LEVELS,
    "usage_replay": REPLAY,
    "usage_carried": CARRIED,
    "usage_expire": EXPIRE,
    "usage_crossed": CROSSED,
    "usage_mark": MARK,
    "usage_carry": CARRY,
    "usage_answered": ANSWERED,
    "usage_opened": OPENED,
    "usage_judged": JUDGED,
    "usage_hold": HOLD,
    "usage_consider": CONSIDER,
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
