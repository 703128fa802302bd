"""`mail2sms completion SHELL`: the script that completes commands and options in a shell."""

from typing import Final

import click

SHELLS: Final = ("bash", "zsh", "fish")
_VARIABLE: Final = "_MAIL2SMS_COMPLETE"


@click.command()
@click.argument("shell", type=click.Choice(SHELLS))
def completion(shell: str) -> None:
    """Print the script by which a shell completes commands and options: eval "$(mail2sms completion bash)"."""
    from click.shell_completion import get_completion_class

    found = get_completion_class(shell)
    assert found is not None
    click.echo(found(click.get_current_context().find_root().command, {}, "mail2sms", _VARIABLE).source())
