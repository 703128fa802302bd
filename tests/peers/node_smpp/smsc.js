// An SMSC of node's smpp for our client: prints its port, then a JSON line for everything that it is told.
// It answers each submit_sm, reports it delivered, and once reported sends an inbound SMS back.
'use strict';
const smpp = require('smpp');

const say = (fact) => process.stdout.write(JSON.stringify(fact) + '\n');
let next = 0x1000;

const server = smpp.createServer({}, (session) => {
  session.on('bind_transceiver', (pdu) => {
    if (pdu.system_id !== 'gateway' || pdu.password !== 'secret') {
      session.send(pdu.response({ command_status: smpp.ESME_RINVPASWD }));
      return;
    }
    session.send(pdu.response());
    say({ bound: pdu.system_id });
  });
  session.on('submit_sm', (pdu) => {
    const id = (next++).toString(16);
    session.send(pdu.response({ message_id: id }));
    say({
      submitted: pdu.short_message.message,
      udh: pdu.short_message.udh ? pdu.short_message.udh.map((one) => one.toString('hex')) : [],
      source: [pdu.source_addr_ton, pdu.source_addr_npi, pdu.source_addr],
      destination: [pdu.dest_addr_ton, pdu.dest_addr_npi, pdu.destination_addr],
      data_coding: pdu.data_coding,
      registered_delivery: pdu.registered_delivery,
    });
    session.deliver_sm({
      source_addr: pdu.destination_addr,
      source_addr_ton: 1,
      source_addr_npi: 1,
      destination_addr: pdu.source_addr,
      esm_class: 4,
      short_message: `id:${parseInt(id, 16)} sub:001 dlvrd:001 submit date:2611231600 done date:2611231601 stat:DELIVRD err:000 text:`,
    }, (answer) => {
      say({ receipt_taken: answer.command_status });
      session.deliver_sm({
        source_addr: pdu.destination_addr,
        source_addr_ton: 1,
        source_addr_npi: 1,
        destination_addr: '12345',
        data_coding: 8,
        short_message: 'Grüße ✓',
      }, (inbound) => say({ inbound_taken: inbound.command_status }));
    });
  });
  session.on('cancel_sm', (pdu) => {
    say({ cancelled: pdu.message_id });
    session.send(pdu.response());
  });
  session.on('unbind', (pdu) => {
    session.send(pdu.response());
    say({ unbound: true });
    session.close();
  });
  session.on('error', () => {});
});

server.listen(0, '127.0.0.1', () => process.stdout.write(`${server.address().port}\n`));
process.stdin.on('end', () => process.exit(0)).resume();
