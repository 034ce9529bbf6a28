#!/usr/bin/env python3
"""Runs every command and request of README.md and docs/*.md, and checks the links between documents.

Usage: docs.py [--links] [BIN [PAGE ...]]

BIN is the folder of vitrine-server and vitrine-indexer, PAGE a path such as docs/search.md (default:
all). The models are those of $VITRINE_MODELS. With --links nothing is run.

Each page is one test: its blocks run in order, in a new directory that holds a copy of docs/examples
and, as `data`, an indexed copy of its catalog. A server with the same collection answers at
localhost:7280; the script replaces that address by the real one. A command must exit with 0 and curl
must answer 2xx. The first line of a block says how it is run:

    ```sh                       commands
    ```sh status=404            commands whose requests answer with this status
    ```sh exit=3                commands whose last one exits with this status
    ```sh server                a server: it replaces the one of the page and goes on running
    ```sh skip=REASON           commands that cannot run in a test
    ```json request=/v1/...     the body of a request; method=PUT if it is not a POST
    ```toml check-config        a configuration of the server

All other blocks are text.
"""

import contextlib
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import unicodedata
import urllib.error
import urllib.request
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = ROOT / "docs" / "examples"
README_MAX_LINES = 120
# Timeouts of a page, and of the start of a server, in seconds.
PAGE_TIMEOUT = 300
START_TIMEOUT = 60

FENCE = re.compile(r"^(`{3,})\s*(.*)$")
OPTIONS = {"status", "exit", "server", "request", "method", "check-config"}
ADDRESS = re.compile(r"\b(?:localhost|127\.0\.0\.1|0\.0\.0\.0):7280\b")
LINK = re.compile(r"(?<!!)\[[^\]]*\]\(([^)\s]+)\)")
SOURCE = re.compile(r"`((?:src|schemas|indexer|server|tests|benches|examples|scripts)/[\w./-]*)`")
REFUSED = re.compile(r'"status":\s*"rejected"|"rejected":\s*[1-9]')

# Replaces curl: records status and errors, fails if the status is not the expected one.
CURL = r"""#!/usr/bin/env bash
body=$(mktemp)
output=(-o "$body")
[[ " $* " == *" -o "* ]] && output=()
status=$({curl} -sS "${{output[@]}}" -w '%{{http_code}}' "$@") || {{ cat "$body"; exit 1; }}
cat "$body"
rm -f "$body"
[[ $status == ${{DOCS_STATUS:-2??}} ]] && exit 0
echo "curl: status $status" >&2
exit 22
"""


class Block:
    """A fenced block of a page."""

    def __init__(self, line, info, text):
        self.line, self.text = line, text
        self.language, _, rest = info.partition(" ")
        self.skip = None
        match = re.search(r"\bskip=(.*)$", rest)
        if match:
            self.skip, rest = match[1].strip(), rest[: match.start()]
        self.options = {}
        for word in rest.split():
            name, _, value = word.partition("=")
            self.options[name] = value

    @property
    def is_shell(self):
        return self.language in ("sh", "bash")

    @property
    def runs(self):
        options = self.options
        is_test = self.is_shell or "request" in options or "check-config" in options
        return is_test and self.skip is None


def blocks(text):
    """Yields the fenced blocks of a page."""
    lines = text.split("\n")
    fence = None
    for number, line in enumerate(lines, 1):
        match = FENCE.match(line)
        if fence is None and match:
            fence, info, start, body = match[1], match[2].strip(), number, []
        elif fence is not None and line.strip() == fence:
            yield Block(start, info, "\n".join(body))
            fence = None
        elif fence is not None:
            body.append(line)


def prose(text):
    """Returns the text of a page without its fenced blocks and inline code."""
    kept, fence = [], None
    for line in text.split("\n"):
        match = FENCE.match(line)
        if fence is None and match:
            fence = match[1]
        elif fence is not None and line.strip() == fence:
            fence = None
        elif fence is None:
            kept.append(re.sub(r"`[^`]*`", "", line))
    return "\n".join(kept)


def headings(text):
    """Returns the anchors of a page, as GitHub and mdBook write them."""
    found, fence = set(), False
    for line in text.split("\n"):
        if FENCE.match(line):
            fence = not fence
        if fence or not line.startswith("#"):
            continue
        title = re.sub(r"[`*_]|\[|\]\([^)]*\)", lambda m: "_" if m[0] == "_" else "", line.lstrip("#").strip())
        anchor = ""
        for char in title.lower():
            if char.isspace() or char == "-":
                anchor += "-"
            elif char == "_" or unicodedata.category(char)[0] in "LN":
                anchor += char
        found.add(anchor)
    return found


def documents():
    """Returns all documents whose links are checked."""
    names = ["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md"]
    return [ROOT / name for name in names] + sorted((ROOT / "docs").glob("*.md"))


def check_links():
    """Returns what is wrong with links, paths of the repository, the summary and the README's length."""
    problems = []
    for document in documents():
        if not document.exists():
            problems.append(f"{document.relative_to(ROOT)}: is missing")
            continue
        for target in LINK.findall(prose(document.read_text())):
            if re.match(r"[a-z]+:", target):
                continue
            path, _, anchor = target.partition("#")
            file = (document.parent / path).resolve() if path else document
            where = document.relative_to(ROOT)
            if not file.exists():
                problems.append(f"{where}: link to {target}: no such file")
            elif anchor and file.suffix == ".md" and anchor not in headings(file.read_text()):
                problems.append(f"{where}: link to {target}: no such heading")
            elif document.parent == ROOT / "docs" and (ROOT / "docs") not in file.parents:
                problems.append(f"{where}: link to {target}: points outside of the book")
        for path in SOURCE.findall(document.read_text()):
            if document.name != "CHANGELOG.md" and not (ROOT / path).exists():
                problems.append(f"{document.relative_to(ROOT)}: names {path}: no such file")
    summary = (ROOT / "docs" / "SUMMARY.md").read_text()
    for page in sorted((ROOT / "docs").glob("*.md")):
        if page.name != "SUMMARY.md" and f"({page.name})" not in summary:
            problems.append(f"docs/SUMMARY.md: does not list {page.name}")
    lines = (ROOT / "README.md").read_text().count("\n")
    if lines > README_MAX_LINES:
        problems.append(f"README.md: has {lines} lines; the limit is {README_MAX_LINES}")
    return problems


def free_port():
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        return server.getsockname()[1]


def stop(process):
    """Ends a process group that this script started."""
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGTERM)
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


class Sample:
    """The directory that every page starts from: programs, models, files and an indexed catalog."""

    def __init__(self, bin_dir, folder):
        self.folder = folder
        self.tools = folder / "tools"
        self.tools.mkdir()
        for name in ("vitrine-server", "vitrine-indexer"):
            (self.tools / name).symlink_to(bin_dir / name)
        curl = self.tools / "curl"
        curl.write_text(CURL.format(curl=shutil.which("curl")))
        curl.chmod(0o755)
        self.models = Path(os.environ.get("VITRINE_MODELS") or Path.home() / ".cache/vitrine/models")
        if not any(self.models.glob("*/config.json")):
            sys.exit(f"no models in {self.models}; get them with `make models`, or set VITRINE_MODELS")
        self.work = folder / "sample"
        shutil.copytree(EXAMPLES, self.work)
        env = self.environment(self.home("sample-home"))
        index = "vitrine-indexer index --source products.csv --mapping mapping.toml --data data --collection shop"
        events = "vitrine-indexer events import --source events.csv --data data --collection shop"
        train = "vitrine-indexer train cf --data data --collection shop"
        for command in (index, events, train):
            made = subprocess.run(command.split(), cwd=self.work, env=env, capture_output=True, text=True)
            if made.returncode != 0:
                sys.exit(f"{command}: exit status {made.returncode}\n{made.stdout}{made.stderr}")

    def home(self, name):
        """Makes a home folder whose models are links, so that a page may choose others."""
        home = self.folder / name
        models = home / ".cache" / "vitrine" / "models"
        models.mkdir(parents=True)
        for model in self.models.iterdir():
            if model.name not in ("heads", "features") and model.is_dir():
                (models / model.name).symlink_to(model)
        return home

    def environment(self, home, **more):
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("VITRINE_", "XDG_"))}
        kept.update(HOME=str(home), PATH=f"{self.tools}:{os.environ['PATH']}", **more)
        kept.setdefault("RUST_LOG", "warn")
        return kept


class Page:
    """A page as a test."""

    def __init__(self, path, sample):
        self.path, self.sample = path, sample
        self.name = str(path.relative_to(ROOT))
        self.blocks = list(blocks(path.read_text()))
        self.server = None
        self.problems = []

    def run(self):
        """Runs the blocks; the problems are kept."""
        if not any(block.runs for block in self.blocks):
            return
        slug = re.sub(r"\W+", "-", self.name)
        self.home = self.sample.home(f"{slug}-home")
        self.work = self.sample.folder / slug
        shutil.copytree(self.sample.work, self.work)
        self.port = free_port()
        self.served = self.home / "served"
        shutil.copytree(self.work / "data", self.served)
        self.deadline = time.monotonic() + PAGE_TIMEOUT
        models = self.home / ".cache" / "vitrine" / "models"
        start = f"vitrine-server serve --data-dir {self.served} --models-dir {models} --images-root . --listen localhost:7280"
        try:
            if self.serve(start.replace("localhost", "127.0.0.1"), 0):
                self.segments()
        finally:
            if self.server:
                stop(self.server)

    def segments(self):
        """Runs the blocks between two servers in one shell, so that variables last."""
        segment = []
        for block in self.blocks:
            if not block.runs:
                continue
            if "server" in block.options:
                if not self.shell(segment) or not self.serve(block.text, block.line):
                    return
                segment = []
            else:
                segment.append(block)
        self.shell(segment)

    def real(self, text):
        return ADDRESS.sub(f"127.0.0.1:{self.port}", text)

    def serve(self, command, line):
        """Replaces the server; returns whether the new one answers."""
        if self.server:
            stop(self.server)
        if "--listen" not in command:
            command = command.rstrip() + f" --listen 127.0.0.1:{self.port}"
        log = self.home / f"server-{line}.log"
        with log.open("w") as out:
            self.server = subprocess.Popen(
                ["bash", "-euo", "pipefail", "-c", self.real(command)],
                cwd=self.work, env=self.sample.environment(self.home), stdin=subprocess.DEVNULL,
                stdout=out, stderr=subprocess.STDOUT, start_new_session=True,
            )
        until = time.monotonic() + START_TIMEOUT
        while time.monotonic() < until and self.server.poll() is None:
            with contextlib.suppress(urllib.error.URLError, OSError):
                with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/readyz", timeout=5):
                    return True
            time.sleep(0.1)
        self.problem(line, "the server does not answer", log.read_text())
        return False

    def shell(self, segment):
        """Runs blocks; returns whether all went well."""
        if not segment:
            return True
        state = self.home / "state"
        state.mkdir(exist_ok=True)
        script = []
        for block in segment:
            status = block.options.get("status", "")
            script += [f"echo {block.line} >{state}/at", f"export DOCS_STATUS={status or '2??'}"]
            text = self.real(self.command(block))
            # A separate shell if a failure is expected, so that it does not end the page.
            if "exit" in block.options:
                text = f"set +e; ( set -e\n{text}\n); got=$?; set -e; test $got = {block.options['exit']}"
            script += ["{", text, f"}} >{state}/{block.line}.out 2>{state}/{block.line}.err </dev/null"]
        script.append(f"echo done >{state}/at")
        left = max(1, self.deadline - time.monotonic())
        shell = subprocess.Popen(
            ["bash", "-euo", "pipefail", "-c", "\n".join(script)],
            cwd=self.work, env=self.sample.environment(self.home), stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, start_new_session=True,
        )
        try:
            _, errors = shell.communicate(timeout=left)
        except subprocess.TimeoutExpired:
            stop(shell)
            errors = f"took longer than {PAGE_TIMEOUT} s"
        at = (state / "at").read_text().strip() if (state / "at").exists() else "0"
        for block in segment:
            self.look(block, state, failed=at == str(block.line), errors=errors)
        return at == "done"

    def command(self, block):
        """Returns the commands of a block."""
        if "check-config" in block.options:
            file = self.home / f"config-{block.line}.toml"
            file.write_text(block.text)
            return f"vitrine-server check-config --config {file}"
        if "request" not in block.options:
            return block.text
        method = block.options.get("method", "POST")
        file = self.home / f"request-{block.line}.json"
        file.write_text(block.text)
        where = f"'localhost:7280{block.options['request']}'"
        return f"curl -X {method} {where} -H 'content-type: application/json' --data-binary @{file}"

    def look(self, block, state, failed, errors):
        """Judges what a block printed."""
        read = lambda kind: (state / f"{block.line}.{kind}").read_text() if (state / f"{block.line}.{kind}").exists() else ""
        out, err = read("out"), read("err")
        if failed:
            self.problem(block.line, "failed", f"{out[-2000:]}{err[-2000:]}{errors}")
        elif "exit" not in block.options and "status" not in block.options and REFUSED.search(out):
            self.problem(block.line, "something was refused", out[-2000:])
        if os.environ.get("DOCS_SHOW"):
            print(f"--- {self.name}:{block.line}\n{block.text}\n>>> {out[:1500]}{err[:500]}")

    def problem(self, line, what, output):
        self.problems.append(f"{self.name}:{line}: {what}\n{output.strip()}")


def check_blocks(pages):
    """Returns what is wrong with the first lines of blocks, and the JSON blocks that are not JSON."""
    problems = []
    for page in pages:
        for block in blocks(page.read_text()):
            where = f"{page.relative_to(ROOT)}:{block.line}"
            unknown = set(block.options) - OPTIONS
            if unknown or block.skip == "":
                what = "skip without a reason" if unknown <= {"skip"} else f"unknown options {unknown}"
                problems.append(f"{where}: {what}")
            if block.language == "json":
                try:
                    json.loads(block.text)
                except ValueError as error:
                    problems.append(f"{where}: is not JSON: {error}")
    return problems


def main(arguments):
    only_links = "--links" in arguments
    arguments = [a for a in arguments if a != "--links"]
    pages = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
    if len(arguments) > 1:
        pages = [(ROOT / page).resolve() for page in arguments[1:]]
    problems = check_links() + check_blocks(pages)
    if not only_links:
        if not arguments:
            sys.exit(__doc__)
        bin_dir = Path(arguments[0]).resolve()
        if not (bin_dir / "vitrine-server").exists():
            sys.exit(f"no vitrine-server in {bin_dir}; build it with `make build`")
        skipped, ran = Counter(), 0
        with tempfile.TemporaryDirectory(prefix="vitrine-docs-") as folder:
            sample = Sample(bin_dir, Path(folder))
            for path in pages:
                page = Page(path, sample)
                began = time.monotonic()
                page.run()
                count = sum(block.runs for block in page.blocks)
                ran += count
                skipped.update(block.skip for block in page.blocks if block.skip is not None)
                problems += page.problems
                verdict = "FAILED" if page.problems else "ok"
                if count:
                    print(f"{page.name}: {count} blocks, {time.monotonic() - began:.1f} s, {verdict}", flush=True)
        reasons = ", ".join(f"{reason}: {n}" for reason, n in sorted(skipped.items()))
        print(f"{ran} blocks ran, {sum(skipped.values())} skipped ({reasons})")
    for problem in problems:
        print(problem, file=sys.stderr)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
