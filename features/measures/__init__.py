"""Small pure functions on arrays, each with its declaration below it."""
