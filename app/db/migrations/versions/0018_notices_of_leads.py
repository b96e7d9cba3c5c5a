"""Notify listening processes of every lead that is created or changed. PostgreSQL only.

A notification lists up to a hundred leads, because its payload is limited to 8,000 bytes. A statement that changes more
than a thousand leads sends a single empty one. It has a channel of its own: servers of the version before cannot read
it. Imports silence the triggers, as 0004 says. For SQLite see app/db/change_feed.py.
"""

from alembic import op

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None

FUNCTION = """
CREATE FUNCTION tell_of_leads() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    changes json[];
    changed_at bigint := extract(epoch FROM clock_timestamp()) * 1000;
BEGIN
    IF TG_OP = 'INSERT' THEN
        SELECT array_agg(json_build_array(id, true) ORDER BY id) INTO changes
        FROM (SELECT id FROM is_now LIMIT 1001) AS made;
    ELSE
        SELECT array_agg(json_build_array(id, false) ORDER BY id) INTO changes
        FROM (
            SELECT is_now.id FROM is_now JOIN was USING (id) WHERE is_now IS DISTINCT FROM was LIMIT 1001
        ) AS changed;
    END IF;
    IF cardinality(changes) > 1000 THEN
        PERFORM pg_notify('lead_changes', '');
    ELSE
        FOR i IN 1 .. coalesce(cardinality(changes), 0) BY 100 LOOP
            PERFORM pg_notify('lead_changes', json_build_array(changed_at, changes[i:i + 99])::text);
        END LOOP;
    END IF;
    RETURN NULL;
END $$
"""

IS_SILENT = "current_setting('lead_offers.in_bulk', true) IS NOT DISTINCT FROM 'on'"

MADE = f"""
CREATE TRIGGER tell_of_made AFTER INSERT ON leads REFERENCING NEW TABLE AS is_now
FOR EACH STATEMENT WHEN (NOT {IS_SILENT}) EXECUTE FUNCTION tell_of_leads()
"""

CHANGED = f"""
CREATE TRIGGER tell_of_changed AFTER UPDATE ON leads REFERENCING OLD TABLE AS was NEW TABLE AS is_now
FOR EACH STATEMENT WHEN (NOT {IS_SILENT}) EXECUTE FUNCTION tell_of_leads()
"""


def upgrade() -> None:
    if op.get_bind().dialect.name == "postgresql":
        for statement in (FUNCTION, MADE, CHANGED):
            op.execute(statement)
