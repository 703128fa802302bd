"""The operator's file: its types with their documentation, the reader, and the example made from them."""
