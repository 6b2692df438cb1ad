"""Follow the site's time servers with chrony. Input: servers."""

SOURCES = "/etc/chrony/sources.d/readystate.sources"

text = MARK + "".join(f"server {server} iburst\n" for server in need("servers"))
written = converge({SOURCES: text})
if written:
    run_program("chronyc", "reload", "sources")
answer(outputs={}, written=written)
