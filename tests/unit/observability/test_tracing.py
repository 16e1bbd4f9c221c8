"""Traces are asked for by OpenTelemetry's own variable, and cost nothing without it."""

import os
import subprocess
import sys


def test_without_the_variable_a_worker_imports_nothing_of_it() -> None:
    program = (
        "import sys, steadfleet_patch_campaign.main, steadfleet_cli.engine;"
        "from steadfleet_durable.tracing import trace_plugins;"
        "from steadfleet_activities.tracing import trace_aws_calls;"
        "trace_plugins(); trace_aws_calls();"
        "print(sorted(name for name in sys.modules if name.startswith('opentelemetry')))"
    )
    env = {name: value for name, value in os.environ.items() if not name.startswith("OTEL_")}
    ran = subprocess.run([sys.executable, "-c", program], env=env, capture_output=True, text=True, check=True)

    assert ran.stdout.strip() == "[]"
