"""The table of photos: its columns, its files, its record, and people's labels."""
