"""Tables and plots of one run."""

import json
import math
from dataclasses import asdict
from pathlib import Path

from .run import Result

RECALLS = (0.95, 0.98, 0.995)


def rate_at(result: Result, recall: float) -> float | None:
    """Queries a second at a recall: between the two settings around it, straight on a logarithmic scale. Where even the
    narrowest setting finds more, that setting's; None where the widest finds less."""
    points = sorted((found, rate) for _, found, rate in result.points)
    below = [p for p in points if p[0] < recall]
    above = [p for p in points if p[0] >= recall]
    if not above:
        return None
    fastest = max(above, key=lambda p: p[1])
    if not below:
        return fastest[1]
    (r0, q0), (r1, q1) = below[-1], above[0]
    share = (recall - r0) / (r1 - r0)
    return max(fastest[1], math.exp(math.log(q0) + share * (math.log(q1) - math.log(q0))))


def table(name: str, results: list[Result]) -> str:
    """Markdown: queries a second at each recall with the ratio to hnswlib and to SymphonyQG, build and memory."""
    by_name = {result.index: result for result in results}
    lines = [
        f"### {name}",
        "",
        "| index | " + " | ".join(f"QPS at {r} (x hnswlib, x SymphonyQG)" for r in RECALLS) + " | build s (x hnswlib) | bytes/vector |",
        "|---" * (len(RECALLS) + 3) + "|",
    ]
    for result in results:
        if result.error:
            lines.append(f"| {result.index} | failed: {result.error} |" + " |" * (len(RECALLS) + 1))
            continue
        cells = []
        for recall in RECALLS:
            rate = rate_at(result, recall)
            ratios = [_ratio(rate, rate_at(by_name[p], recall)) if p in by_name else "-" for p in ("hnswlib", "SymphonyQG")]
            cells.append("not reached" if rate is None else f"{rate:,.0f} ({', '.join(ratios)})")
        build = _ratio(result.build_seconds, by_name["hnswlib"].build_seconds) if "hnswlib" in by_name else "-"
        lines.append(f"| {result.index} | " + " | ".join(cells) + f" | {result.build_seconds:.1f} ({build}) | {result.bytes_per_vector:,.0f} |")
    return "\n".join(lines) + "\n"


def _ratio(value: float | None, other: float | None) -> str:
    return f"{value / other:.2f}" if value and other else "-"


def write(folder: Path, all_results: dict[str, list[Result]]):
    """results.json, report.md and a plot a data set."""
    folder.mkdir(parents=True, exist_ok=True)
    plain = {name: [asdict(result) for result in results] for name, results in all_results.items()}
    (folder / "results.json").write_text(json.dumps(plain, indent=1))
    (folder / "report.md").write_text("\n".join(table(name, results) for name, results in all_results.items()))
    for name, results in all_results.items():
        _plot(folder / f"{name}.svg", name, results)


def _plot(path: Path, name: str, results: list[Result]):
    import matplotlib

    matplotlib.use("svg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(9, 6))
    for result in results:
        points = sorted((recall, rate) for _, recall, rate in result.points)
        if points:
            style = "-o" if result.index.startswith("Vitrine") else "--."
            axes.plot(*zip(*points), style, label=result.index)
    axes.set(xlim=(0.8, 1.0), yscale="log", xlabel="recall@10", ylabel="queries a second, one thread", title=name)
    axes.grid(which="both", alpha=0.3)
    axes.legend()
    figure.savefig(path)
    pyplot.close(figure)
