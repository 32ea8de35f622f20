"""What the document is ahead of: operations that no server has yet. Whoever adds their routes takes them
out here; test_server.py fails as long as one of them is served."""

OPERATIONS = set()
# Members of answers that are to come: (schema, member).
MEMBERS = set()
