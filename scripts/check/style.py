#!/usr/bin/env python3
"""Checks how comments, constants and messages are written; see CONTRIBUTING.md, "Style".

Usage: style.py [PATH ...]    (default: the whole repository)

Prints one line per violation (file:line: rule: text) and exits with status 1 where there is one.
"""

import re
import subprocess
import sys

MAX_COLUMNS = 100

# Words a comment must not open with: a noun phrase or a third-person verb says the same.
OPENINGS = re.compile(r"^(What|How|Whether|Of|Where|So many|So much|Who|Why)\b")

# Constants that name no thing.
BARE_CONSTANTS = (
    "MOST LEAST OWN WAYS ENOUGH CLOCK FEW MANY HARDLY RANKED WIDENED ESTIMATES RECENT LETTER FAME "
    "SOME ALL ROOM STEP PATH AHEAD AT_ONCE KEPT SHOWN"
).split()
CONSTANT = re.compile(r"\b(?:const|static)\s+(?:mut\s+)?([A-Z][A-Z0-9_]*)\s*:")

# Phrases of a private dialect, and what the field says instead.
PHRASES = {
    r"\bmaniet?h\b": "n-th",
    r"(?<!here )\bis no (?!longer|more|less)[a-z`]+": "is not a ...",
    r"\bleads? nowhere\b": "is out of range",
    r"\bis cut short\b": "is truncated",
    r"\bmakes no sense\b": "is invalid",
    r"\bis not taken\b|\bare not taken\b|\bare taken at most\b|\bat most \S+ are taken\b": "is not supported; the limit is",
    r"\bis told by\b|\bis told apart\b": "is identified by",
    r"\bpeople alike\b": "similar sessions",
    r"\bwho asks\b|\bwho ask\b": "the query",
    r"\bas it lies\b|\blies beside\b|\blie beside\b": "is stored next to",
    r"\bfrom now on\b": "for new requests",
    r"\bcalled off\b": "cancelled",
    r"\bsealed parts?\b|\bparts of an index\b": "segment",
    r"\bvisits?\b(?!<)": "session",
    r"\bphotos?\b": "image",
    r"\bfaults?\b": "error",
}
PHRASES = {re.compile(pattern, re.IGNORECASE): instead for pattern, instead in PHRASES.items()}

# Files that quote the dialect, or whose words are data.
EXEMPT = (
    "scripts/check/style.py",
    "typos.toml",
    "Cargo.lock",
    "src/nlu/lexicon/",
    "src/lexical/analyzer.rs",
    "indexer/tests/golden/folders/",
    "tests/chinese/",
    "tests/dialogues/",
    "tests/understanding/",
    "tests/compat/",
    "schemas/json/",
    "schemas/openapi.json",
)


def comment(line):
    """Returns the comment of a line of Rust, or None."""
    match = re.match(r"\s*//[/!]? ?(.*)$", line)
    return match[1] if match else None


def rust(lines):
    """Yields (line number, rule, text) of a Rust file."""
    previous = None
    for number, line in enumerate(lines, 1):
        text = comment(line)
        if text is not None:
            if len(line) > MAX_COLUMNS:
                yield number, f"over {MAX_COLUMNS} columns", line
            if previous is None and OPENINGS.match(text):
                yield number, "comment opens with a question word", text
        else:
            for name in CONSTANT.findall(line):
                if name in BARE_CONSTANTS or name.startswith(("MOST_", "LEAST_")):
                    yield number, "constant without a noun", name
        previous = text
        yield from phrases(number, line)


def phrases(number, line):
    """Yields phrases of the deny list in a line."""
    if "style: ignore" in line:
        return
    for pattern, instead in PHRASES.items():
        match = pattern.search(line)
        if match:
            yield number, f"`{match[0]}`: write `{instead}`", line


def markdown(lines):
    """Yields (line number, rule, text) of a Markdown file; tables, code and links may be wide."""
    fenced = False
    for number, line in enumerate(lines, 1):
        if line.lstrip().startswith("```"):
            fenced = not fenced
        elif not fenced and len(line) > MAX_COLUMNS and not re.match(r"\s*\||.*\]\(|    ", line):
            yield number, f"over {MAX_COLUMNS} columns", line
        if not fenced:
            yield from phrases(number, line)


def other(lines):
    """Yields phrases of the deny list."""
    for number, line in enumerate(lines, 1):
        yield from phrases(number, line)


CHECKS = {".rs": rust, ".md": markdown, ".py": other, ".sh": other, ".js": other, ".html": other}


def main(paths):
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "--", *paths],
        capture_output=True, text=True, check=True,
    ).stdout.splitlines()
    count = 0
    for name in listed:
        check = next((c for end, c in CHECKS.items() if name.endswith(end)), None)
        if check is None or name.startswith(EXEMPT):
            continue
        try:
            lines = open(name, encoding="utf-8").read().split("\n")
        except FileNotFoundError:
            continue
        for number, rule, text in check(lines):
            print(f"{name}:{number}: {rule}: {text.strip()[:140]}")
            count += 1
    print(f"{count} violations" if count else "style: no violations", file=sys.stderr)
    return 1 if count else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
