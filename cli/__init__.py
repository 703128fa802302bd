"""The commands of mail2sms, one file per subject; each reads its arguments, calls the use cases and prints."""
