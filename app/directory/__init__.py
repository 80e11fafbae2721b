"""Places, bodies, persons with posts and kin, staff and their accounts."""
