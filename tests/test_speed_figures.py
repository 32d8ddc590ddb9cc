"""What the speed benchmarks make of their rounds: medians, ratios, goals, comparisons."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner
from rich.console import Console

from tests.benchmarks.__main__ import benchmark_names, main
from tests.benchmarks.speed import report
from tests.benchmarks.speed.figures import CORE, GOALS, HIDDEN, Results, changes, goal_for, latest, rows
from tests.benchmarks.speed.marks import percentiles
from tests.benchmarks.speed.plan import OURS, VARIANTS, Sizes, benchmarks
from tests.benchmarks.speed.process import ChildFailedError
from tests.benchmarks.speed.suite import Step, run, steps

RESULTS: Results = {
    "echo": {
        "loopback": {"p50_us": [40.0, 50.0, 90.0], "late_p99_ms": [1.0, 1.0, 1.0]},
        "veth": {"p50_us": [100.0, 100.0, 100.0], "late_p99_ms": [1.0, 1.0, 1.0]},
        "tun": {"p50_us": [60.0, 70.0, 10.0], "late_p99_ms": [12.0, 11.0, 1.0]},
        "tun-spin": {"p50_us": [30.0, 30.0, 50.0], "late_p99_ms": [2.0, 2.0, 2.0]},
    },
    "idle": {"tun": {"kib_after_echo": [7.0, 5.0, 6.0], "open_s": [1.0, 1.0, 1.0]}},
    "per-packet": {CORE: {"send": [4.5, 4.1, 4.2]}},
}


def test_percentiles_are_values_that_were_measured() -> None:
    assert percentiles([3.0, 1.0, 2.0, 4.0], 0.0, 0.5, 0.99, 1.0) == [1.0, 3.0, 4.0, 4.0]
    assert percentiles([], 0.5) == [0.0]


def test_a_ratio_is_of_medians_and_judged_by_its_goal() -> None:
    tun, spin, *_ = rows(RESULTS)
    assert (tun.variant, tun.ours.median, tun.ours.low, tun.ours.high) == ("tun", 60.0, 10.0, 70.0)
    assert tun.ratios == {"loopback": 1.2, "veth": 0.6}
    assert tun.met is True  # at most 1.25
    assert spin.ratios["loopback"] == 0.6
    assert spin.met is True  # at most 0.8


def test_a_goal_may_be_absolute_and_needs_no_kernel() -> None:
    found = {row.figure: row for row in rows(RESULTS) if row.benchmark != "echo"}
    assert found["kib_after_echo"].judged == 6.0
    assert found["kib_after_echo"].met is True
    assert found["send"].met is False
    assert found["open_s"].goal is None
    assert found["open_s"].met is None


def test_a_relative_goal_without_the_kernel_is_not_judged() -> None:
    (row,) = rows({"echo": {"tun": {"p50_us": [1.0]}}})
    assert row.goal is not None
    assert row.met is None


def test_goals_speak_of_what_is_measured() -> None:
    measured = {(each.name, variant) for each in benchmarks(Sizes()) for variant in each.variants}
    measured.add(("per-packet", CORE))
    for goal in GOALS:
        assert any(goal_for(name, goal.figure, variant) is goal for name, variant in measured)


def test_every_benchmark_has_the_yardstick_and_ours() -> None:
    for benchmark in benchmarks(Sizes()):
        assert benchmark.variants[0] == "loopback"
        assert set(OURS) & set(benchmark.variants)
        assert set(benchmark.variants) <= VARIANTS.keys()


def test_the_latest_bystander_is_that_beside_our_stack() -> None:
    assert latest(RESULTS) == (11.0, "echo tun")
    assert latest({"echo": {"loopback": {"late_p99_ms": [1.0]}}}) is None


def test_versions_differ_where_their_rounds_do_not_overlap() -> None:
    new: Results = {
        "echo": {
            "loopback": {"p50_us": [41.0, 51.0, 91.0]},
            "tun": {"p50_us": [5.0, 6.0, 7.0]},
            "new": {"p50_us": [1.0]},
        }
    }
    loopback, tun = changes(RESULTS, new)
    assert (loopback.quotient, loopback.apart) == (1.02, False)
    assert (tun.quotient, tun.apart) == (0.1, True)


def test_a_quotient_of_zero_is_none() -> None:
    (change,) = changes({"idle": {"tun": {"failed": [0.0]}}}, {"idle": {"tun": {"failed": [1.0]}}})
    assert change.quotient is None


def test_what_is_written_is_read_again(tmp_path: Path) -> None:
    path = tmp_path / "figures.json"
    machine = report.about()
    report.write(path, machine, RESULTS)
    assert report.read(path) == (machine, RESULTS)


def machine() -> dict[str, object]:
    return report.about() | {"congestion_control": "reno"}


def test_tables_name_the_machine_the_ratio_and_the_goal() -> None:
    console = Console(width=160)
    with console.capture() as shown:
        report.show(console, machine(), RESULTS)
    text = shown.get()
    for word in ("reno", "load average", "≤ 1.25", "60 [10 - 70]", "0.6", "11 ms late", "echo tun", "goal ≤ 10: no"):
        assert word in text


def test_comparing_says_what_got_better(tmp_path: Path) -> None:
    old, new = tmp_path / "old.json", tmp_path / "new.json"
    report.write(old, machine(), {"echo": {"tun": {"p50_us": [60.0, 70.0]}}, "bulk-in": {"tun": {"gbit_per_s": [2.0]}}})
    report.write(new, machine(), {"echo": {"tun": {"p50_us": [50.0, 55.0]}}, "bulk-in": {"tun": {"gbit_per_s": [1.0]}}})
    done = CliRunner().invoke(main, ["--compare", str(old), str(new)])
    assert done.exit_code == 0
    lines = {line.split()[0]: line for line in done.output.splitlines() if "tun" in line}
    assert "better" in lines["echo"]
    assert "0.808" in lines["echo"]
    assert "worse" in lines["bulk-in"]


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"about": {}}'])
def test_another_file_gets_one_clear_line(tmp_path: Path, text: str) -> None:
    path = tmp_path / "other.json"
    path.write_text(text)
    done = CliRunner().invoke(main, ["--compare", str(path), str(path)])
    assert done.exit_code == 1
    assert "is no file of figures" in done.output


def test_an_unknown_benchmark_gets_the_names_of_all() -> None:
    done = CliRunner().invoke(main, ["--only", "echo,nonsense"])
    assert done.exit_code == 2
    assert "'nonsense' is none of" in done.output
    assert set(benchmark_names()) > {"echo", "idle", "fan-out-naive-1000"}


def test_rounds_are_interleaved() -> None:
    echo = [each for each in benchmarks(Sizes()) if each.name == "echo"]
    assert [step.variant for step in steps(echo, ("loopback", "tun"), 2, "reno")] == ["loopback", "tun"] * 2


def test_what_cannot_be_measured_is_told_and_costs_nothing_else() -> None:
    def broken() -> dict[str, float]:
        raise ChildFailedError("servers: it is gone")

    def wrong() -> dict[str, float]:
        raise LookupError("first\nsecond")

    todo = [Step("echo", "tun", broken), Step("echo", "tun", lambda: {"p50_us": 1.0}), Step("idle", "tun", wrong)]
    told: list[tuple[str, str]] = []
    begun: list[Step] = []
    results = run(todo, begun.append, lambda step, why: told.append((str(step), why)))
    assert results == {"echo": {"tun": {"p50_us": [1.0]}}}
    assert told == [("echo tun", "servers: it is gone"), ("idle tun", "LookupError: first")]
    assert begun == todo


def test_common_figures_are_not_compared() -> None:
    common: Results = {"echo": {"tun": {name: [1.0] for name in HIDDEN}}}
    assert not list(changes(common, common))
