"""Tests: unit without services, integration with real ones, acceptance through real processes."""
