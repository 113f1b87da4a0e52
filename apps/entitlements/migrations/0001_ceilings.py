from django.db import migrations, models

# Whether a tenant may have one of it in any case: while it is provisioned its first administrator is let in, without whom
# nobody could sign in to mend that it may have no users.
ADMITS_ONE = """
    CREATE FUNCTION public.entitlements_admits_one(uuid, text) RETURNS boolean
    LANGUAGE sql STABLE AS $$
        SELECT $2 = 'users' AND coalesce(current_setting('tenantry.first_administrator', true) = $1::text, false)
    $$
"""

# The limits that are in force, locked in key order: the tenant's ceilings, and nothing at all of what became a
# feature after they had been worked out, which nobody can have been granted without their being worked out again.
# Who had to wait must see what the others have committed, which only READ COMMITTED shows.
HOLD_CEILINGS = """
    CREATE FUNCTION public.entitlements_hold_ceilings(uuid, text[])
    RETURNS TABLE (feature text, most bigint, source text, reason text, plan text, name text)
    LANGUAGE plpgsql AS $$
    #variable_conflict use_column
    BEGIN
        IF current_setting('transaction_isolation') <> 'read committed' THEN
            RAISE EXCEPTION 'Limits cannot be kept in a transaction that is %, only in one that is read committed.',
                current_setting('transaction_isolation');
        END IF;
        RETURN QUERY WITH held AS (
            SELECT
                ceiling.feature::text,
                ceiling.reason::text,
                ceiling.plan,
                CASE WHEN ceiling.until <= clock_timestamp() THEN ceiling.limit_after ELSE ceiling."limit" END AS most,
                CASE WHEN ceiling.until <= clock_timestamp() THEN ceiling.source_after ELSE ceiling.source END AS source
            FROM public.entitlements_ceiling AS ceiling
            WHERE ceiling.tenant_uuid = $1
                AND ceiling.feature = ANY ($2)
                AND CASE
                    WHEN ceiling.until <= clock_timestamp()
                    THEN ceiling.limit_after IS NOT NULL AND NOT ceiling.soft_after
                    ELSE ceiling."limit" IS NOT NULL AND NOT ceiling.soft
                END
            ORDER BY ceiling.feature
            FOR NO KEY UPDATE
        )
        SELECT
            held.feature,
            CASE WHEN held.most = 0 AND public.entitlements_admits_one($1, held.feature) THEN 1 ELSE held.most END,
            held.source,
            held.reason,
            held.plan,
            defined.name::text
        FROM held LEFT JOIN public.plans_feature AS defined ON defined.key = held.feature
        UNION ALL
        SELECT
            defined.key,
            public.entitlements_admits_one($1, defined.key)::integer,
            '',
            CASE
                WHEN EXISTS (SELECT FROM public.plans_defaultplan WHERE valid_to IS NULL)
                    OR EXISTS (SELECT FROM public.plans_planassignment WHERE tenant_id = $1 AND valid_to IS NULL)
                THEN 'not_in_plan'
                ELSE 'no_subscription'
            END,
            '',
            defined.name
        FROM public.plans_feature AS defined
        WHERE defined.key = ANY ($2)
            AND defined.kind = 'count'
            AND NOT defined.unlimited_when_absent
            AND NOT EXISTS (
                SELECT FROM public.entitlements_ceiling AS ceiling
                WHERE ceiling.tenant_uuid = $1 AND ceiling.feature = defined.key
            )
        ORDER BY 1;
    END
    $$
"""

# After rows were added to a tenant's table, or changed so that they count. Its arguments are the tenant, and for each
# feature its key and which rows count. Each statement within sees what was committed until it began, so that what is
# counted under the lock is everything.
KEEP_LIMITS = """
    CREATE FUNCTION public.entitlements_keep_limits() RETURNS trigger
    LANGUAGE plpgsql AS $$
    DECLARE
        which text;
        ceiling record;
        more bigint;
        fewer bigint;
        counted bigint;
    BEGIN
        FOR number IN 1 .. TG_NARGS - 2 BY 2 LOOP
            which := ' WHERE ' || TG_ARGV[number + 1];
            EXECUTE 'SELECT count(*) FROM added' || which INTO more;
            IF TG_OP = 'UPDATE' THEN
                EXECUTE 'SELECT count(*) FROM former' || which INTO fewer;
                more := more - fewer;
            END IF;
            CONTINUE WHEN more <= 0;

            SELECT * INTO ceiling
            FROM public.entitlements_hold_ceilings(TG_ARGV[0]::uuid, ARRAY[TG_ARGV[number]]::text[]);
            CONTINUE WHEN ceiling.most IS NULL;

            which := format('FROM %I.%I', TG_TABLE_SCHEMA, TG_TABLE_NAME) || which;
            EXECUTE 'SELECT count(*) FROM (SELECT ' || which || ' LIMIT $1) AS counted'
                INTO counted USING least(ceiling.most, 9223372036854775806) + 1;
            CONTINUE WHEN counted <= ceiling.most;

            EXECUTE 'SELECT count(*) ' || which INTO counted;
            RAISE EXCEPTION USING
                ERRCODE = 'TN409',
                MESSAGE = format('The limit of %s %s is reached.', ceiling.most, TG_ARGV[number]),
                DETAIL = jsonb_build_object(
                    'tenant', TG_ARGV[0],
                    'feature', TG_ARGV[number],
                    'limit', ceiling.most,
                    'used', counted - more,
                    'requested', more,
                    'source', ceiling.source,
                    'reason', ceiling.reason,
                    'plan', ceiling.plan,
                    'name', ceiling.name
                )::text;
        END LOOP;
        RETURN NULL;
    END
    $$
"""

# The triggers have gone with their function: migrating forwards makes them in each schema again. Empty, the version
# would tell of a tenant whose provisioning has stopped that it has no schema yet.
ARE_BEHIND = "UPDATE public.tenants_tenant SET schema_version = 'without limits' WHERE schema_version <> ''"


class Migration(migrations.Migration):

    initial = True

    dependencies = [
        ("plans", "0003_grants_and_their_history"),
    ]

    operations = [
        migrations.CreateModel(
            name="Ceiling",
            fields=[
                ("pk", models.CompositePrimaryKey("tenant_uuid", "feature", blank=True, editable=False, primary_key=True, serialize=False)),
                ("tenant_uuid", models.UUIDField(editable=False)),
                ("feature", models.CharField(max_length=80)),
                ("limit", models.BigIntegerField(null=True)),
                ("soft", models.BooleanField(default=False, help_text="More than the limit is let pass.")),
                ("source", models.TextField(blank=True, help_text="What the limit comes from; empty: nothing grants any.")),
                ("until", models.DateTimeField(help_text="From this moment on the other three hold.", null=True)),
                ("limit_after", models.BigIntegerField(null=True)),
                ("soft_after", models.BooleanField(default=False)),
                ("source_after", models.TextField(blank=True)),
                ("reason", models.CharField(help_text="Why there may be none where nothing grants any.", max_length=40)),
                ("plan", models.TextField(blank=True, help_text="The first plan that the tenant holds.")),
                ("version", models.BigIntegerField(help_text="Of the entitlements that brought the last change.")),
            ],
            options={
                "constraints": [
                    models.CheckConstraint(
                        condition=(models.Q(limit=None) | models.Q(limit__gte=0))
                        & (models.Q(limit_after=None) | models.Q(limit_after__gte=0)),
                        name="entitlements_ceiling_not_negative",
                    )
                ],
            },
        ),
        migrations.RunSQL(ADMITS_ONE, "DROP FUNCTION public.entitlements_admits_one(uuid, text)"),
        migrations.RunSQL(HOLD_CEILINGS, "DROP FUNCTION public.entitlements_hold_ceilings(uuid, text[])"),
        migrations.RunSQL(KEEP_LIMITS, "DROP FUNCTION public.entitlements_keep_limits() CASCADE"),
        migrations.RunSQL(migrations.RunSQL.noop, ARE_BEHIND),
    ]
