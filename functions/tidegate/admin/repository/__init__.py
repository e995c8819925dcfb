"""What this domain reads and erases of others' tables, as the operator of all of them."""
