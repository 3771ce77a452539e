"""`bmn demo`."""

from typing import Annotated

from cyclopts import Parameter

from bmn.cli.running import COMMON, Common, answer, run_command


def demo(
    *,
    keep: Annotated[bool, Parameter(negative="", help="Leave everything running at the end, until Ctrl-C.")] = False,
    common: Common = COMMON,
) -> int:
    """Play three swaps on two local chains and check every balance; needs no settings, network or accounts.

    Exits with 0 only if every swap ended as it should and every balance is right.
    """
    from bmn.demo import run_demo
    from bmn.demo.report import document, lines

    report = run_command(
        run_demo(keep=keep, show=lambda report: answer(document(report), lines(report), common)), common
    )
    return 0 if report.ok else 1
