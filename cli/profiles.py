"""`mail2sms profile …`: the settings that several users of a customer share."""

import click

from cli.admin_session import customer_option
from cli.shapes import NAME, change_command, settings_commands, table_command, view_command
from gateway.admin.profiles import add_profile, remove_profile, set_default_profile
from gateway.admin.settings import ProfileScope
from gateway.admin.views import list_profiles, show_profile

profile = click.Group(
    "profile",
    help="Handle the settings that several users of a customer share.",
    commands=[
        *settings_commands(
            ProfileScope,
            customer_option,
            NAME,
            set_help="Set settings of a profile: an empty VALUE unsets, «<none>» stops inheritance.",
            unset_help="Take settings of a profile away, so that weaker layers decide.",
        ),
        change_command(
            "add",
            "Add a profile.",
            add_profile,
            customer_option,
            NAME,
            click.option("--default", is_flag=True, help="Also make it the profile of users that have none."),
        ),
        change_command(
            "default",
            "Choose the profile of users that have none; without NAME none.",
            set_default_profile,
            customer_option,
            click.argument("name", default=""),
        ),
        view_command("show", "Show a profile with its settings.", show_profile, customer_option, NAME),
        table_command("list", "List the profiles of a customer.", list_profiles, customer_option),
        change_command("remove", "Remove a profile that no user has.", remove_profile, customer_option, NAME),
    ],
)
