"""The object types. A resolver's parent is the table's row itself: fields without a resolver are its columns.

What a field shows depends on the viewer and the row, never on the path by which the row was reached.
"""
