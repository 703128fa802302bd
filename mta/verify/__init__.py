"""Who wrote a mail, by the domain of its From: DKIM, SPF and ARC, asked of mails that nothing else proves."""
