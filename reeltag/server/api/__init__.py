"""JSON under /api: one router for each kind of thing; each route returns a view."""
