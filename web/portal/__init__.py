"""The portal: pages for people of customers and of the operator. It parses forms, renders answers, decides nothing.

A page is a `Page` (page); before its handler, `gate` asks who it is and what it may do. Rooms are in rooms.
"""
