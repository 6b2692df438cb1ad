"""Point the resolver at the site's name servers. Input: servers, search (or domain)."""

MOST_SERVERS = 3  # glibc reads no more (resolv.conf(5), MAXNS)


def resolv_conf(servers, search):
    lines = [MARK.rstrip()]
    if search:
        lines.append("search " + " ".join(search))
    lines += ["nameserver " + server for server in servers]
    return "\n".join(lines) + "\n"


servers = need("servers")
if len(servers) > MOST_SERVERS:
    say(f"only the first {MOST_SERVERS} of {len(servers)} servers are used")
search = INPUT.get("search") or [name for name in [INPUT.get("domain")] if name]
written = converge({"/etc/resolv.conf": resolv_conf(servers[:MOST_SERVERS], search)})
answer(outputs={}, written=written)
