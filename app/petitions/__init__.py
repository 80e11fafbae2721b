"""The petition: filing, reading, acting, rating."""
