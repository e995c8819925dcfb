"""Test doubles: strict AWS, fault injection, races, recorded AWS answers."""
