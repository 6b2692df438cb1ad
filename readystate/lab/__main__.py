"""`python -m readystate.lab WISH`: the process that `spawn_lab` starts. People type
`readystate lab up`."""

import sys

from readystate.domain.errors import ReadystateError
from readystate.lab.process import ENDS_WITH_STDIN, LabWish, run_lab
from readystate.lab.rack_plan import RackPlan


def _tell(plan: RackPlan) -> None:
    print(f"{len(plan.machines)} machines at {plan.bmc_range}", flush=True)


def main(arguments: list[str]) -> int:
    wish, *words = arguments
    try:
        run_lab(LabWish.from_json(wish), on_ready=_tell, ends_with_stdin=ENDS_WITH_STDIN in words)
    except ReadystateError as error:
        print(error, error.hint, sep="; ", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
