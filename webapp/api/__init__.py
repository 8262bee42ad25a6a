"""The REST API: glue between HTTP and webapp.logs."""
