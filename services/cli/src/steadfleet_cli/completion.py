"""`steadfleet completion`: what makes a shell complete our commands."""

import click
from click.shell_completion import get_completion_class

from steadfleet_cli.output import output_option, show

SCRIPTS = ("steadfleet", "campaign")


@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@output_option
def completion(shell: str, output: str) -> None:
    r"""Print the completion script of a shell, for both commands.

    \b
    bash: eval "$(steadfleet completion bash)"       in ~/.bashrc
    zsh:  eval "$(steadfleet completion zsh)"        in ~/.zshrc
    fish: steadfleet completion fish | source        in ~/.config/fish/config.fish
    """
    script = completion_script(shell)
    show(output, {"shell": shell, "script": script}, script)


def completion_script(shell: str) -> str:
    """Compose click's own scripts, without the version check that would start a shell."""
    kind = get_completion_class(shell)
    if kind is None:
        raise click.UsageError(f"click has no completion for {shell}")
    scripts = []
    for name in SCRIPTS:
        script = kind(click.Command(name), {}, name, f"_{name.upper()}_COMPLETE")
        scripts.append(script.source_template % script.source_vars())
    return "\n".join(scripts)
