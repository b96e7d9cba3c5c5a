"""The object types. The parent of a resolver is the row itself, and each field is declared by `app.graphql.fields`.

A field depends on the viewer and the row (`app.access.field_access`), never on the path by which the row was reached.
"""
