"""headers -- which headers a C file includes, and which names a header declares."""
import functools
import pathlib
import re
import subprocess

import tree

INCLUDE = re.compile(r'^#include "([\w-]+/[\w.-]+)"', re.M)
LIST = re.compile(r"^#define (\w+)\(([^)]*)\)\s*((?:.*\\\n)*.*)", re.M)


@functools.cache
def included(path):
    """The house headers and lists that a file includes itself."""
    return [h for h in ("src/" + m for m in INCLUDE.findall(tree.text(path)))
            if pathlib.Path(h).exists()]


def reached(path, seen):
    """Those that it includes at any depth; without these nothing compiles."""
    for header in included(path):
        if header not in seen:
            seen.add(header)
            reached(header, seen)
    return seen


def listed(path):
    """Names that a header's #define ROW(name) NOUN_##name makes of its lists."""
    rows = "".join(tree.text(p) for p in included(path) if p.endswith(".def"))
    for macro, params, body in LIST.findall(tree.text(path)):
        params = [p.strip() for p in params.split(",")]
        for row in re.findall(rf"^\s*{macro}\(([^;]*?)\)", rows, re.M | re.S):
            made = dict(zip(params, [w.strip() for w in row.split(",")]))
            for before, param, after in re.findall(r"(\w*)##(\w+)(?:##(\w+))?", body):
                if param in made:
                    yield before + made[param] + after


def spoken(path):
    """What ctags does not tell: macros, lists, and its noun when it is opaque."""
    noun = pathlib.Path(path).stem
    opaque = re.findall(r"^(struct \w+);", tree.code(path), re.M)
    return [*listed(path), *re.findall(r"^#define (\w+)", tree.code(path), re.M),
            *(tag for tag in opaque if noun in tag)]


def declared(headers):
    """{header: names}; a tag is 'struct noun', a member '.noun'."""
    offers = {path: set(spoken(path)) for path in headers}
    rows = subprocess.run(
        ["ctags", "-I", "yields", "--language-force=C", "-xf-", "-L-",
         "--kinds-C=defgmpstux", "--_xformat=%K %N %F"],
        input="\n".join(headers), capture_output=True, text=True, check=True).stdout
    for kind, name, path in map(str.split, rows.splitlines()):
        is_tag = kind in ("struct", "union", "enum")
        offers[path].add(f"{kind} {name}" if is_tag else
                         "." * (kind == "member") + name)
    return offers
