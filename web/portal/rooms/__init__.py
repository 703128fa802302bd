"""The rooms of the portal, one module each; a room's `PAGES` are its pages, in the order of the menu."""
