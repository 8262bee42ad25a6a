"""The one home of SQL on the log tables."""
