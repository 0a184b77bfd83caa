"""Judge a ranked table and look at it: plain tables and arrays, no models."""
