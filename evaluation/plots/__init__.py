"""Pictures for people: figures, montages."""
