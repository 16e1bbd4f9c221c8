"""Check one file of the machine, by one small script that works with any POSIX shell."""

from datetime import timedelta
from shlex import quote

from steadfleet_activities.image.examining.findings import Found, error, failed, last_line, passed
from steadfleet_activities.image.examining.machine import Machine, Ran
from steadfleet_core.image.golden import FileTest
from steadfleet_core.model import format_duration

# A line for each fact. What cannot be told is an `error`: a file in a folder that one may not
# look into is not absent.
_SCRIPT = r"""
LC_ALL=C; export LC_ALL
set -- %s %s
if mode=$(stat -L -c %%a "$1" 2>&1); then
  echo "mode $mode"
elif [ -L "$1" ]; then
  echo dangling
else
  case $mode in
    *"No such file"*|*"Not a directory"*) echo absent ;;
    *) echo "error $mode" ;;
  esac
  exit 0
fi
"""
_SHA256 = (
    """if said=$(sha256sum < "$1" 2>&1); then echo "sha256 ${said%% *}"; else echo "error $said"; fi\n"""
)
_CONTAINS = """said=$(grep -F -q -e "$2" < "$1" 2>&1); case $? in
  0) echo "contains yes" ;; 1) echo "contains no" ;; *) echo "error $said" ;;
esac\n"""


async def try_file(check: FileTest, machine: Machine, limit: timedelta) -> Found:
    ran = await machine.run(_script(check), limit)
    if ran.exit_status is None:
        return failed(f"{check.path} could not be read within {format_duration(limit)}", ran, overdue=True)
    facts = dict(line.partition(" ")[::2] for line in str(ran.stdout).splitlines())
    if ran.exit_status or not facts:
        return error(f"{check.path} could not be looked at: {last_line(ran.stderr) or 'no answer'}", ran)
    if "error" in facts:
        return error(f"{check.path} could not be looked at: {facts['error']}", ran)
    return _judge(check, facts, ran)


def _script(check: FileTest) -> str:
    script = _SCRIPT % (quote(check.path), quote(check.contains or ""))
    script += _SHA256 if check.sha256 else ""
    return script + (_CONTAINS if check.contains else "")


def _judge(check: FileTest, facts: dict[str, str], ran: Ran) -> Found:
    if check.absent or "absent" in facts:
        if check.absent == ("absent" in facts):
            return passed(ran)
        there = "is there, expected absent" if check.absent else "does not exist"
        return failed(f"{check.path} {there}", ran)
    wrong = []
    if "dangling" in facts:
        wrong.append("is a link to nothing")
    if check.mode and "mode" in facts and int(facts["mode"], 8) != int(check.mode, 8):
        wrong.append(f"has mode {facts['mode'].zfill(4)}, expected {check.mode}")
    if check.sha256 and facts.get("sha256") != check.sha256:
        wrong.append(f"has sha256 {facts.get('sha256', '(none)')}, expected {check.sha256}")
    if check.contains and facts.get("contains") != "yes":
        wrong.append(f"does not hold {check.contains!r}")
    return failed(f"{check.path} {', '.join(wrong)}", ran) if wrong else passed(ran)
