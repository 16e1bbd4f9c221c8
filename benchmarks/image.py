"""What a golden image costs beside packer's own time, and what proving one costs beside bare cryptography.

`python benchmarks/image.py` prints the table of README.md; without a Docker engine and packer, what
needs neither.
"""

import asyncio
import time
from datetime import timedelta

from bench import HEAD, machine, show
from image_builds import missing, whole_builds
from image_proofs import measuring, verifying

from steadfleet_durable import exit_now

PAIRS = 5


async def main() -> None:
    print(f"{machine()}; the stack as `steadfleet up` starts it\n\n{HEAD}")
    show(verifying())
    show(await measuring())
    if needed := missing():
        print(f"\nwhole builds are not measured: {needed} is missing")
    else:
        show(await whole_builds(PAIRS))


if __name__ == "__main__":
    began = time.monotonic()
    asyncio.run(main())
    print(f"\nmeasured in {timedelta(seconds=round(time.monotonic() - began))}")
    exit_now(0)
