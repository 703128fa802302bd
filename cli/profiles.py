"""`mail2sms profile …`: the settings that several users of a customer share."""

import click

from cli.admin_session import customer_option
from cli.shapes import NAME, add_change, add_settings, add_table, add_view
from gateway.admin.profiles import add_profile, remove_profile, set_default_profile
from gateway.admin.settings import ProfileScope
from gateway.admin.views import list_profiles, show_profile


@click.group()
def profile() -> None:
    """Handle the settings that several users of a customer share."""


add_settings(
    profile,
    ProfileScope,
    customer_option,
    NAME,
    set_help="Set settings of a profile: an empty VALUE unsets, «<none>» stops inheritance.",
    unset_help="Take settings of a profile away, so that weaker layers decide.",
)
add_change(
    profile,
    "add",
    add_profile,
    customer_option,
    NAME,
    click.option("--default", is_flag=True, help="Also make it the profile of users that have none."),
    sentence="Add a profile.",
)
add_change(
    profile,
    "default",
    set_default_profile,
    customer_option,
    click.argument("name", default=""),
    sentence="Choose the profile of users that have none; without NAME none.",
)
add_view(profile, "show", show_profile, customer_option, NAME, sentence="Show a profile with its settings.")
add_table(profile, "list", list_profiles, customer_option, sentence="List the profiles of a customer.")
add_change(profile, "remove", remove_profile, customer_option, NAME, sentence="Remove a profile that no user has.")
