"""CLIP: finding its weights, running it, and tags in words."""
