"""Trains the network of `features/quality`: labels, photos and copies, loss, loop, export, card."""
