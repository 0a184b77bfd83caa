"""One decoded picture: read and decoded once, upright, in sRGB; every view is made from it."""
