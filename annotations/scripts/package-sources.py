"""Take packages from the site's mirror only. Input: mirror, suite, components.

What the installer put into sources.list is commented out, not lost."""

OURS = "/etc/apt/sources.list.d/readystate.list"
INSTALLERS = "/etc/apt/sources.list"


def without_sources(text):
    """The same text with every active line commented out."""
    return "".join(
        ("# " + line if line.startswith(("deb ", "deb-src ")) else line) + "\n"
        for line in text.splitlines()
    )


components = need("components")
words = components if isinstance(components, str) else " ".join(components)
files = {OURS: MARK + "deb {} {} {}\n".format(need("mirror"), need("suite"), words)}
before = read_text(INSTALLERS)
if before is not None:
    files[INSTALLERS] = without_sources(before)
written = converge(files)
answer(outputs={}, written=written)
