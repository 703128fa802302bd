"""Sends a job by the client `retarus-sms` and asks for it; run by its own Python. Prints what came back as JSON."""

import json
import sys

from retarus.commons.config import Configuration
from retarus.commons.region import Region, RegionUri
from retarus.sms.client import SmsClient
from retarus.sms.model import Messages, Options, Recipient, SmsJob

base, login, password = sys.argv[1:]
hosts = RegionUri(region=Region.Europe, ha_uri=base, urls=[base, base])
SmsClient._SmsClient__sms_uris = [hosts]
Configuration.set_auth(login, password)
client = SmsClient().client

recipient = Recipient(dst="07700900101", customerRef="Anna")
options = Options(statusRequested=True, customerRef="order 7", validityMin=60, qos="EXPRESS", maxParts=2)
job = client.send_sms(SmsJob(messages=[Messages(text="Grüße", recipients=[recipient])], options=options))
minimal = client.send_sms(SmsJob.minimal("+447700900102", "Hello"))
told = {
    "jobs": [job, minimal],
    "report": client.get_sms_job(job["jobId"]),
    "unknown": client.get_sms_job("J.20260101-000000.000-aaaaaaaaaa"),
    "listed": client.filter_sms_jobs(job_ids_only=True, open=False, offset=0, limit=10),
    "version": client.server_version(),
}
print(json.dumps(told))
