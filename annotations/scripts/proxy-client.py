"""Send programs and apt through the site's proxy. Input: proxy_url, no_proxy (list or text).

Lines of /etc/environment that are not about a proxy stay as they are."""

ENVIRONMENT = "/etc/environment"
APT = "/etc/apt/apt.conf.d/90readystate-proxy"


def environment(old, values):
    names = list(values) + [name.upper() for name in values]
    kept = [
        line
        for line in old.splitlines()
        if line.replace("export ", "", 1).split("=", 1)[0].strip() not in names
    ]
    new = [f'{name}="{value}"' for name, value in values.items() if value]
    new += [f'{name.upper()}="{value}"' for name, value in values.items() if value]
    return "".join(line + "\n" for line in kept + new)


url = need("proxy_url")
no_proxy = INPUT.get("no_proxy") or []
values = {
    "http_proxy": url,
    "https_proxy": url,
    "no_proxy": no_proxy if isinstance(no_proxy, str) else ",".join(no_proxy),
}
apt = MARK.replace("#", "//", 1)
apt += f'Acquire::http::Proxy "{url}";\nAcquire::https::Proxy "{url}";\n'
written = converge({ENVIRONMENT: environment(read_text(ENVIRONMENT) or "", values), APT: apt})
answer(outputs={}, written=written)
