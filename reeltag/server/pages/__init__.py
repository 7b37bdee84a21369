"""HTML: one router for each page; each route gives a view to its template."""
