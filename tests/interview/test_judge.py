"""The judge finds what is wrong and says so."""

import os
import re
import signal
import subprocess
import sys
import textwrap
import threading
import types

import numpy as np
import psutil
import pytest

from helpers.interview import examiner, judge, worker
from helpers.interview.exercises import load
from helpers.interview.progress import Progress

from .cells import AUC, RIGHT, by_import, cell, endless, endless_under_bare_except, good, returns_nothing

pytestmark = pytest.mark.usefixtures("attempts")


# --- right and wrong -------------------------------------------------------------------------------------------------


def test_right_answer_gets_a_stable_line(attempts):
    first, second = judge.check(AUC, good), judge.check(AUC, good)
    assert first.passed
    assert first == second
    assert first.message == f"{AUC}: {RIGHT}"
    assert attempts.events == [(AUC, "passed")] * 2


def test_auc_that_ignores_ties_is_answered_with_at_most_4_scores(attempts):
    @cell
    def ties_ignored(y_true, y_score):
        positive, negative = y_score[y_true == 1][:, None], y_score[y_true == 0]
        return np.mean(positive > negative)

    verdict = judge.check(AUC, ties_ignored)
    assert not verdict.passed
    scores = re.search(r"y_score +\[(.*)\]", verdict.message)[1].split(", ")
    assert 2 <= len(scores) <= 4
    assert re.search(r"auc expected +0\.5\n +auc got +0\n", verdict.message)
    assert "A tie between a positive and a negative counts one half. Here it counts nothing." in verdict.message
    assert attempts.events == [(AUC, "failed")]


def test_same_message_in_every_run():
    wrong = next(iter(load("metrics/roc_curve").wrongs))
    first = judge.check("metrics/roc_curve", wrong)
    judge._worker.close()
    assert judge.check("metrics/roc_curve", wrong) == first


def test_leaves_no_files(tmp_path, monkeypatch):
    judge._worker.close()
    monkeypatch.chdir(tmp_path)
    assert judge.check(AUC, good).passed
    judge._worker.close()
    assert list(tmp_path.iterdir()) == []


def test_says_where_results_differ():
    @cell
    def slightly_off(y_true, y_score):
        thresholds = np.r_[np.inf, np.unique(y_score)[::-1]]
        called = y_score >= thresholds[:, None]
        tpr = called[:, y_true == 1].mean(axis=1)
        tpr[-1] += 1e-5
        return called[:, y_true == 0].mean(axis=1), tpr, thresholds

    message = judge.check("metrics/roc_curve", slightly_off).message
    assert "tpr[1]: expected 1, got 1.00001 (1 of 2 entries differ)" in message


def test_an_overflow_on_the_way_fails_where_the_exercise_says_so():
    @cell
    def right_by_luck(x):
        return 1 / (1 + np.exp(-x))

    assert load("activations/sigmoid").overflow == "raise"
    message = judge.check("activations/sigmoid", right_by_luck).message
    assert "FloatingPointError: overflow encountered in exp" in message


def test_likely_mistake_is_told_only_where_it_explains_everything():
    @cell
    def ties_lost_and_a_little_more(y_true, y_score):
        return (
            good(y_true, y_score) - (1e-3 if y_score.max() > 10 else 0) - np.isin(y_score[y_true == 1], y_score[0])[0]
        )

    assert "Likely mistake" not in judge.check(AUC, ties_lost_and_a_little_more).message
    for function, sentence in load(AUC).wrongs.items():
        assert f"Likely mistake: {sentence}" in judge.check(AUC, cell(copy_of(function))).message


def copy_of(function):
    """A function with the code of a kept one, and a name of its own."""
    return types.FunctionType(function.__code__, function.__globals__, "copy")


# --- before anything runs --------------------------------------------------------------------------------------------


def stub_of_dots(y_true, y_score):
    """Area under the curve."""
    ...  # noqa: PIE790


def stub_of_a_docstring(y_true, y_score):
    """Area under the curve."""


def stub_of_pass(y_true, y_score):
    pass


def stub_that_raises(y_true, y_score):
    """Area under the curve."""
    raise NotImplementedError("write me")


@pytest.mark.parametrize("stub", [stub_of_dots, stub_of_a_docstring, stub_of_pass, stub_that_raises])
def test_stub_gets_one_line_without_a_process_or_a_record(stub, monkeypatch, attempts):
    monkeypatch.setattr(judge._worker, "ask", lambda request: pytest.fail("a process was asked"))
    verdict = judge.check(AUC, stub)
    assert not verdict.passed
    expected = 'not written yet. Fill in roc_auc(y_true, y_score) -> auc; hint("metrics/roc_auc") helps.'
    assert repr(verdict) == f"{AUC}: {expected}"
    assert attempts.events == []


def test_unknown_id_names_close_matches():
    with pytest.raises(ValueError, match=r"no exercise is called 'metrics/roc_acu'; did you mean metrics/roc_auc"):
        judge.check("metrics/roc_acu", good)
    for nonsense in ("", "nowhere/x", "__init__/x", None, 3):
        with pytest.raises(ValueError, match="no exercise is called"):
            judge.hint(nonsense)


def test_result_instead_of_function():
    with pytest.raises(
        TypeError, match=r"pass the function itself, not its result: check\('metrics/roc_auc', roc_auc\)"
    ):
        judge.check(AUC, 0.5)


def test_wrong_parameters():
    with pytest.raises(TypeError, match=r"callable as roc_auc\(y_true, y_score\) -> auc; yours takes \(y_true\)"):
        judge.check(AUC, lambda y_true: 0.5)


# --- hints and the solution ------------------------------------------------------------------------------------------


def test_three_hints_then_the_solution(attempts):
    hints = load(AUC).hints
    for number, text in enumerate(hints, 1):
        assert repr(judge.hint(AUC)) == f"{AUC}: hint {number} of 3. {text}"
    assert repr(judge.hint(AUC)) == f'{AUC}: these were all hints. solution("{AUC}") shows an answer.'
    assert attempts.attempts(AUC) == ["hint"] * 3
    shown = repr(judge.solution(AUC))
    assert "def roc_auc(y_true, y_score):" in shown
    assert "def roc_auc_score(y_true, y_score, *, sample_weight=None):" in shown
    assert attempts.attempts(AUC)[-1] == "solution"
    assert "hint 1 of 3" in judge.hint(AUC)


def test_hints_start_over_after_a_pass(attempts):
    attempts.events = [(AUC, event) for event in ("hint", "hint", "failed", "passed", "hint", "failed")]
    assert "hint 2 of 3" in judge.hint(AUC)


def test_damaged_progress_does_not_cost_the_verdict(monkeypatch):
    def broken():
        raise RuntimeError("progress.sqlite3 is damaged.")

    monkeypatch.setattr(judge, "_progress", broken)
    verdict = judge.check(AUC, good)
    assert verdict.passed
    assert verdict.message == f"{AUC}: {RIGHT}\nNot recorded: progress.sqlite3 is damaged."
    assert judge.hint(AUC).endswith("\nNot recorded: progress.sqlite3 is damaged.")


# --- the worker ------------------------------------------------------------------------------------------------------


def test_killed_worker_is_replaced():
    judge.check(AUC, returns_nothing)
    first = judge._worker.process.pid
    psutil.Process(first).kill()
    assert judge.check(AUC, good).passed
    assert judge._worker.process.pid != first


def test_interrupt_ends_the_check_and_the_next_one_works(request):
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background job ignores it
    request.addfinalizer(lambda: signal.signal(signal.SIGINT, before))
    judge.check(AUC, returns_nothing)
    family = []

    def interrupt():
        family.extend(psutil.Process(judge._worker.process.pid).children(recursive=True))
        os.kill(os.getpid(), signal.SIGINT)

    timer = threading.Timer(0.5, interrupt)
    timer.start()
    with pytest.raises(KeyboardInterrupt):
        judge.check(AUC, endless)
    timer.join()
    assert family
    assert not psutil.wait_procs(family, timeout=5)[1]
    assert judge.check(AUC, good).passed


def test_a_judge_that_cannot_start_does_not_blame_the_function(monkeypatch):
    monkeypatch.setattr(judge, "_worker", worker.Worker([sys.executable, "-c", "raise SystemExit(1)"]))
    with pytest.raises(RuntimeError, match="the judge's process does not start"):
        judge.check(AUC, good)


def test_a_hypothesis_that_draws_in_another_way_is_noticed(monkeypatch):
    class Changed:
        pass

    monkeypatch.setattr(examiner, "HypothesisProvider", Changed)
    with pytest.raises(ImportError, match="hypothesis draws constants in another way"):
        examiner.draw_no_constants()


def test_worker_ends_with_the_kernel():
    code = """
        import os, time
        from helpers.interview import judge
        judge._worker.ask(judge.Request("metrics/roc_auc", b"", "", [], [], (), 1, 2**30, judge._METHOD))
        print(judge._worker.process.pid, flush=True)
        time.sleep(1000)
    """
    command = [sys.executable, "-c", textwrap.dedent(code)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as kernel:
        orphan = psutil.Process(int(kernel.stdout.readline()))
        assert orphan.is_running()
        kernel.kill()
    psutil.wait_procs([orphan], timeout=5)
    assert not orphan.is_running() or orphan.status() == psutil.STATUS_ZOMBIE


def test_spawn_says_the_same(monkeypatch):
    functions = [good, by_import]
    forked = [judge.check(AUC, function) for function in functions]
    monkeypatch.setattr(judge, "_METHOD", "spawn")
    assert [judge.check(AUC, function) for function in functions] == forked
    monkeypatch.setattr(judge, "TIME_LIMIT", 0.5)
    assert "It was stopped after 0.5 seconds" in judge.check(AUC, endless_under_bare_except).message


# --- how it is shown -------------------------------------------------------------------------------------------------


@cell
def ends_the_process(y_true, y_score):
    os._exit(0)


def test_the_verdict_is_seen_before_it_is_read(attempts):
    wrong = judge.check(AUC, returns_nothing)
    assert wrong.effort.startswith("1 input, ")
    assert "<b " in wrong._repr_html_() and ">Failed</b>" in wrong._repr_html_()
    right = judge.check(AUC, good)
    assert ">Passed</b>" in right._repr_html_()
    assert re.search(r"\d+ inputs, \d+\.\d s", right._repr_html_())
    assert judge.check(AUC, ends_the_process).outcome == "Stopped"


def test_after_a_pass_it_says_what_next(attempts):
    said = repr(judge.check(AUC, good))
    assert "It costs O(n log n): the sort" in said
    assert "roc_auc_score(y_true, y_score)" in said
    assert "Next: metrics/" in said and f"Next: {AUC}" not in said


def test_the_entry_that_differs_is_marked(attempts):
    @cell
    def soft_threshold(x, threshold):
        return np.sign(x) * (np.abs(x) - threshold)

    verdict = judge.check("regularization/soft_threshold", soft_threshold)
    assert verdict._repr_html_().count("<mark>") == verdict._repr_html_().count("</mark>") == 2
    assert not set("\x02\x03") & set(verdict.message)


def test_reset_puts_the_stub_into_the_cell(monkeypatch):
    put = []
    shell = types.SimpleNamespace(set_next_input=lambda code, replace: put.append((code, replace)))
    monkeypatch.setattr(judge, "get_ipython", lambda: shell)
    note = judge.reset(AUC)
    ((code, replace),) = put
    assert replace
    assert code.startswith("def roc_auc(y_true, y_score):\n")
    assert code.endswith(f'\n\n\ncheck("{AUC}", roc_auc)')
    assert note._repr_markdown_() == f"metrics/roc\\_auc:\n\n```python\n{code}\n```\n\n"
    names = {"check": judge.check}
    exec(compile(code, "<stub>", "exec"), names)


def test_attempts_are_kept_with_code_and_verdict(tmp_path, monkeypatch):
    monkeypatch.setattr(judge, "_progress", lambda: Progress(tmp_path / "progress.sqlite3"))
    judge.check(AUC, returns_nothing)
    judge.check(AUC, good)
    ((_, failed, code), (_, passed, _)) = judge.history(AUC).rows
    assert "not right yet" in failed and "right." in passed
    assert "def returns_nothing" in code


def test_code_in_hints_and_solutions_is_highlighted(attempts):
    notes = [judge.hint(AUC) for _ in range(3)] + [judge.solution(AUC)]
    assert ["```python" in note._repr_markdown_() for note in notes] == [False, False, True, True]
    assert notes[0]._repr_markdown_().replace("\\", "") == str(notes[0])
