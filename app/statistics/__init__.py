"""What many cases say together: figures for staff under their own right of sight, and figures published for everybody."""
