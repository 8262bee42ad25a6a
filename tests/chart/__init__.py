"""The Helm chart, rendered by Helm itself and judged as the API server and the processes would judge it."""
