"""Notify listening processes of every offer that is created or changes its status. PostgreSQL only.

A notification lists up to a hundred offers, because its payload is limited to 8,000 bytes. A statement that changes
more than a thousand offers sends a single empty one. Imports write one row per statement, so they silence the triggers
and send the empty notification themselves. For SQLite see app/db/change_feed.py.
"""

from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

FUNCTION = """
CREATE FUNCTION tell_of_lead_offers() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    changes json[];
    changed_at bigint := extract(epoch FROM clock_timestamp()) * 1000;
BEGIN
    IF TG_OP = 'INSERT' THEN
        SELECT array_agg(json_build_array(id, lead_id, NULL) ORDER BY id) INTO changes
        FROM (SELECT id, lead_id FROM is_now LIMIT 1001) AS made;
    ELSE
        SELECT array_agg(json_build_array(id, lead_id, previous) ORDER BY id) INTO changes
        FROM (
            SELECT is_now.id, is_now.lead_id, was.status AS previous
            FROM is_now JOIN was USING (id) WHERE is_now.status <> was.status LIMIT 1001
        ) AS changed;
    END IF;
    IF cardinality(changes) > 1000 THEN
        PERFORM pg_notify('lead_offer_changes', '');
    ELSE
        FOR i IN 1 .. coalesce(cardinality(changes), 0) BY 100 LOOP
            PERFORM pg_notify(
                'lead_offer_changes', json_build_array(changed_at, changes[i:i + 99])::text
            );
        END LOOP;
    END IF;
    RETURN NULL;
END $$
"""

IS_SILENT = "current_setting('lead_offers.in_bulk', true) IS NOT DISTINCT FROM 'on'"

MADE = f"""
CREATE TRIGGER tell_of_made AFTER INSERT ON lead_offers REFERENCING NEW TABLE AS is_now
FOR EACH STATEMENT WHEN (NOT {IS_SILENT}) EXECUTE FUNCTION tell_of_lead_offers()
"""

CHANGED = f"""
CREATE TRIGGER tell_of_changed AFTER UPDATE ON lead_offers REFERENCING OLD TABLE AS was NEW TABLE AS is_now
FOR EACH STATEMENT WHEN (NOT {IS_SILENT}) EXECUTE FUNCTION tell_of_lead_offers()
"""


def upgrade() -> None:
    if op.get_bind().dialect.name == "postgresql":
        for statement in (FUNCTION, MADE, CHANGED):
            op.execute(statement)
