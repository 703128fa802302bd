"""SOAP in: the sending and the reports of REST v1 for systems that speak SOAP 1.1, document/literal."""
