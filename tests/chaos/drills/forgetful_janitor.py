"""The janitor that does not know of databases: a planted fault."""

from steadfleet_activities.janitor import inventory
from steadfleet_janitor.main import main

if __name__ == "__main__":
    inventory.LOOKS = {what: look for what, look in inventory.LOOKS.items() if what != "databases"}
    main()
