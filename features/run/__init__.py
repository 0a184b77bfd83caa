"""Measuring many photos: features in, rows out, remembered in a store."""
