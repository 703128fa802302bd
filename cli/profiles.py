"""`mail2sms profile …`: the settings that several users of a customer share."""

import click

from cli.admin_session import customer_option
from cli.shapes import NAME, change_command, limit_command, settings_commands, table_command, view_command
from cli.use_cases import profiles, settings, views

profile = click.Group(
    "profile",
    help="Handle the settings that several users of a customer share.",
    commands=[
        *settings_commands(
            settings.ProfileScope,
            customer_option,
            NAME,
            set_help="Set settings of a profile: an empty VALUE unsets, «<none>» stops inheritance.",
            unset_help="Take settings of a profile away, so that weaker layers decide.",
        ),
        change_command(
            "add",
            "Add a profile.",
            profiles.add_profile,
            customer_option,
            NAME,
            click.option("--default", is_flag=True, help="Also make it the profile of users that have none."),
        ),
        change_command(
            "default",
            "Choose the profile of users that have none; without NAME none.",
            profiles.set_default_profile,
            customer_option,
            click.argument("name", default=""),
        ),
        view_command("show", "Show a profile with its settings.", views.show_profile, customer_option, NAME),
        table_command("list", "List the profiles of a customer.", views.list_profiles, customer_option),
        limit_command(
            "Change how much a profile's users may send, and where to.",
            settings.ProfileScope,
            customer_option,
            NAME,
            binds_settings=False,
        ),
        change_command("remove", "Remove a profile that no user has.", profiles.remove_profile, customer_option, NAME),
    ],
)
