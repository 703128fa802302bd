// An ESME of node's smpp for our sandbox carrier: node esme.js URL PASSWORD [CA-FILE], then a JSON line for everything it
// is told. It submits a short text, hears its receipt and goes.
'use strict';
const fs = require('fs');
const smpp = require('smpp');

const [url, password, authority] = process.argv.slice(2);
const say = (fact) => process.stdout.write(JSON.stringify(fact) + '\n');
const session = smpp.connect({ url, ...(authority ? { ca: fs.readFileSync(authority) } : {}) }, () => {
  session.bind_transceiver({ system_id: 'gateway', password }, (bound) => {
    say({ bound: bound.command_status });
    if (bound.command_status !== 0) {
      session.close();
      return;
    }
    session.enquire_link({}, () => {
      session.submit_sm({
        source_addr: 'Acme',
        source_addr_ton: 5,
        destination_addr: '447700900123',
        dest_addr_ton: 1,
        dest_addr_npi: 1,
        registered_delivery: 1,
        data_coding: 0, // by itself it writes septets under data_coding 1, which is ASCII (§5.2.19)
        short_message: 'Grüße {€}',
      }, (answer) => say({ submitted: answer.message_id, status: answer.command_status }));
    });
  });
});
session.on('deliver_sm', (pdu) => {
  session.send(pdu.response());
  say({ delivered: pdu.short_message.message, esm_class: pdu.esm_class, message_state: pdu.message_state });
  session.unbind({}, () => session.close());
});
session.on('close', () => process.exit(0));
session.on('error', (error) => {
  say({ error: error.code });
  process.exit(1);
});
