"""Events are never edited.

What holds that is the application's lack of the privilege, which works on the tables' owner too, and on an
engine without triggers. The trigger says it more kindly to whoever has the privilege.
"""

from django.db import migrations

REVOKE = "REVOKE UPDATE, DELETE, TRUNCATE ON usage_usageevent FROM CURRENT_USER, PUBLIC"
GRANT = "GRANT UPDATE, DELETE, TRUNCATE ON usage_usageevent TO CURRENT_USER"

# Citus takes no trigger on a table that is distributed.
REFUSE = """
DO $$ BEGIN
    IF EXISTS (SELECT FROM pg_extension WHERE extname = 'citus') THEN
        RETURN;
    END IF;
    CREATE FUNCTION usage_refuse_edit() RETURNS trigger LANGUAGE plpgsql AS $body$
    BEGIN
        RAISE EXCEPTION 'Usage events are never changed or deleted. Book a correction with apps.usage.services.correct.';
    END $body$;
    CREATE TRIGGER usage_events_are_append_only BEFORE UPDATE OR DELETE ON usage_usageevent
        FOR EACH ROW EXECUTE FUNCTION usage_refuse_edit();
END $$
"""
ALLOW = "DROP FUNCTION IF EXISTS usage_refuse_edit() CASCADE"


class Migration(migrations.Migration):

    dependencies = [
        ('usage', '0003_functions'),
    ]

    operations = [
        migrations.RunSQL(REVOKE, GRANT),
        migrations.RunSQL(REFUSE, ALLOW),
    ]
