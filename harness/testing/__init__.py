"""The conformance suite: what every task and every solver must keep, ours and those of plugins.

    from harness.testing import check_solver, check_task
    def test_my_task_keeps_the_rules():
        check_task(MyTask())

Each function raises `BrokenRuleError` with the rule and the puzzle it broke at; `bench check` prints all of
them. What does not end is named after `seconds`.
"""

from harness.testing.report import BrokenRuleError, Report
from harness.testing.solvers import check_solver, report_on_solver
from harness.testing.tasks import check_task, report_on_task

__all__ = ["BrokenRuleError", "Report", "check_solver", "check_task", "report_on_solver", "report_on_task"]
