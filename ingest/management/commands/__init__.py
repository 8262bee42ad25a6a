"""produce, ship."""
