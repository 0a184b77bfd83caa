"""What can be done with photos and tables: a public function each."""
