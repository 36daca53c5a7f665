"""Install what shadows unchanged launches, and find out what covers them now."""
