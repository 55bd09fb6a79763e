"""tree -- what the house scripts read: C files, their code without comments and
literals, and the functions in it.  Paths are from the top."""
import functools
import os
import pathlib
import re
import subprocess

os.chdir(pathlib.Path(__file__).resolve().parent.parent)

NOT_CODE = re.compile(r"""/\*.*?\*/ | //[^\n]* | "(?:\\.|[^"\\\n])*"
    | '(?:\\.|[^'\\\n])*'""", re.S | re.X)


@functools.cache
def files(*ends):
    """C sources in src/ and test/ (or other ends), sorted."""
    return sorted(str(p) for top in ("src", "test")
                  for p in pathlib.Path(top).rglob("*")
                  if p.suffix in (ends or (".c", ".h")) and "vectors" not in p.parts)


@functools.cache
def text(path):
    return pathlib.Path(path).read_text("utf-8", errors="replace")


@functools.cache
def code(path):
    """The text, comments and literals turned to blanks, line for line."""
    return NOT_CODE.sub(lambda m: re.sub(r"[^\n]", " ", m[0]), text(path))


def line_of(path, at):
    return code(path).count("\n", 0, at) + 1


def is_test(path):
    return bool(re.search(r"^test/|_test\.[ch]$|/test_\w+\.h$", path))


@functools.cache
def functions():
    """(path, name, first line, last line) of every function's definition."""
    out = subprocess.run(
        ["ctags", "-I", "yields", "--kinds-C=f", "--fields=ne", "-f-", "-L-"],
        input="\n".join(files(".c")), capture_output=True, text=True,
        check=True).stdout
    found = []
    for row in out.splitlines():
        name, path, *rest = row.split("\t")
        field = dict(c.split(":", 1) for c in rest if c[:4] in ("line", "end:"))
        if "end" in field:
            found.append((path, name, int(field["line"]), int(field["end"])))
    return sorted(found)


def report(breaches, summary):
    print("\n".join(breaches) if breaches else summary)
    return 1 if breaches else 0	# for sys.exit()
