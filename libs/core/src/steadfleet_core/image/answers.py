"""What a golden image's file is answered where it says what it cannot say: refused, never ignored."""

from types import MappingProxyType

from steadfleet_core.answers import Answers

ANSWERS = Answers(
    not_built=MappingProxyType(
        {
            "spec.os": "the base image decides it; check it with a test on the fresh machine",
            "spec.windows": "images of Linux are built",
            "spec.lifecycle": "channels and their history say what is in use",
            "spec.retention": "",
            "spec.publish.export": "",
            "spec.publish.shareWithOrganizations": "name accounts at spec.publish.shareWith",
            "spec.publish.launchPermission": "name accounts at spec.publish.shareWith",
            "spec.gates.approval": "a channel can demand approvals",
            "spec.gates.vulnerabilities.feed": "name a file at spec.gates.vulnerabilities.advisories",
            "spec.schedule": "start the build with the command line",
            "spec.notifications": "",
        }
    ),
    not_built_values=MappingProxyType({"spec.tests.checks[].type": {"goss", "inspec"}}),
    moved=MappingProxyType(
        {
            "metadata.family": "metadata.name",
            "metadata.version": "spec.version",
            "metadata.annotations": "metadata.labels",
            "spec.build.packerTemplate": "spec.build.template",
            "spec.build.sourceImage": "spec.build.base",
            "spec.build.buildNumber": "nothing: the build's provenance states it, signed",
            "spec.build.gitCommit": "nothing: the build's provenance states what was built, signed",
            "spec.build.ciPipelineUrl": "nothing: the build's provenance states it, signed",
            "spec.compliance": "spec.gates, and tests at spec.tests.checks",
            "spec.platforms": "spec.publish, and a template whose builder is of the platform",
            "spec.channel": "spec.publish.channel",
            "spec.regions": "spec.publish.regions",
            "spec.variables": "spec.build.variables",
            "spec.base": "spec.build.base",
            "spec.template": "spec.build.template",
        }
    ),
)
