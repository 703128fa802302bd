// Message centres of node's smpp: node smsc.js CENTRES, a JSON list of
//   {name, key, certificate, max_version, response, receipt, form, delay, first}
// `key` and `certificate` are files, and make it speak TLS; `response` and `receipt` are how ids are written: text, in
// capitals, hex, decimal; `form` is where a receipt says what it says: text, tlv, both, or the text without the receipt bit:
// unmarked; `delay` is how many milliseconds it takes to answer a submit, `first` its first id. Prints the ports, then a JSON line for everything that it is told. It answers each submit_sm and data_sm and then reports it: undeliverable where the number ends in 5,
// delivered elsewhere. A JSON line on its input, {deliver, source, destination, texts, order}, is an inbound SMS of that
// centre; `order` are the places of its texts, from 0, as they are to arrive.
'use strict';
const fs = require('fs');
const readline = require('readline');
const smpp = require('smpp');

const say = (fact) => process.stdout.write(JSON.stringify(fact) + '\n');
const WRITTEN = {
  text: (id) => `id-${id}`,
  capitals: (id) => `ID-${id}`,
  hex: (id) => id.toString(16),
  decimal: (id) => id.toString().padStart(10, '0'),
};
const DELIVERED = { word: 'DELIVRD', number: 2, error: '000' };
const UNDELIVERABLE = { word: 'UNDELIV', number: 5, error: '001' };
const bound = {};
let next = 0x1000;

// By itself it leaves a header in message_payload to be read as text.
delete smpp.tlvs.message_payload.filter;

function read(pdu) {
  const sar = pdu.sar_msg_ref_num === undefined ? null
    : [pdu.sar_msg_ref_num, pdu.sar_total_segments, pdu.sar_segment_seqnum];
  if (pdu.message_payload === undefined) {
    const udh = (pdu.short_message.udh || []).map((element) => element.toString('hex'));
    return { submitted: pdu.short_message.message, udh, sar, payload: false };
  }
  const payload = pdu.message_payload;
  const header = pdu.esm_class & smpp.ESM_CLASS.UDH_INDICATOR ? payload[0] + 1 : 0;
  return {
    submitted: smpp.encodings[pdu.data_coding === 8 ? 'UCS2' : 'ASCII'].decode(payload.slice(header)),
    udh: header ? [payload.slice(1, header).toString('hex')] : [],
    sar,
    payload: true,
  };
}

function receipt(centre, pdu, id) {
  const state = pdu.destination_addr.endsWith('5') ? UNDELIVERABLE : DELIVERED;
  const said = {
    source_addr: pdu.destination_addr,
    source_addr_ton: 1,
    source_addr_npi: 1,
    destination_addr: pdu.source_addr,
    esm_class: centre.form === 'unmarked' ? 0 : 4,
  };
  if (centre.form !== 'tlv') {
    said.short_message = `id:${WRITTEN[centre.receipt](id)} sub:001 dlvrd:001 submit date:2611231600 `
      + `done date:2611231601 stat:${state.word} err:${state.error} text:`;
  }
  if (centre.form === 'tlv' || centre.form === 'both') {
    said.receipted_message_id = WRITTEN[centre.response](id);
    said.message_state = state.number;
  }
  return said;
}

function serve(centre) {
  if (centre.first) next = Number(centre.first);
  const tell = (fact) => say({ centre: centre.name, ...fact });
  const options = centre.key ? {
    key: fs.readFileSync(centre.key),
    cert: fs.readFileSync(centre.certificate),
    minVersion: 'TLSv1',
    maxVersion: centre.max_version || 'TLSv1.3',
    ciphers: 'DEFAULT:@SECLEVEL=0',
  } : {};
  const server = smpp.createServer(options, (session) => {
    const bind = (pdu) => {
      if (pdu.system_id !== 'gateway' || pdu.password !== 'secret') {
        session.send(pdu.response({ command_status: smpp.ESME_RINVPASWD }));
        return;
      }
      bound[centre.name] = session;
      session.send(pdu.response());
      tell({ bound: pdu.system_id, protocol: session.socket.getProtocol ? session.socket.getProtocol() : null });
    };
    ['bind_transceiver', 'bind_receiver', 'bind_transmitter'].forEach((command) => session.on(command, bind));
    const answer = (pdu, id) => {
      session.send(pdu.response({ message_id: WRITTEN[centre.response](id) }));
      session.deliver_sm(receipt(centre, pdu, id), (taken) => tell({ receipt_taken: taken.command_status }));
    };
    const submit = (pdu) => {
      const id = next++;
      setTimeout(() => answer(pdu, id), centre.delay || 0);
      tell({
        ...read(pdu),
        source: [pdu.source_addr_ton, pdu.source_addr_npi, pdu.source_addr],
        destination: [pdu.dest_addr_ton, pdu.dest_addr_npi, pdu.destination_addr],
        data_coding: pdu.data_coding,
        registered_delivery: pdu.registered_delivery,
      });
    };
    ['submit_sm', 'data_sm'].forEach((command) => session.on(command, submit));
    session.on('cancel_sm', (pdu) => {
      tell({ cancelled: pdu.message_id });
      session.send(pdu.response());
    });
    session.on('enquire_link', (pdu) => session.send(pdu.response()));
    session.on('unbind', (pdu) => {
      session.send(pdu.response());
      tell({ unbound: true });
      session.close();
    });
    session.on('error', () => {});
  });
  server.on('tlsClientError', (error) => tell({ handshake_failed: error.code || error.message }));
  return new Promise((resolve) => {
    server.listen(0, '127.0.0.1', () => resolve([centre.name, server.address().port]));
  });
}

function deliver({ deliver: name, source, destination, texts, order }) {
  (order || texts.map((_, place) => place)).forEach((place) => bound[name].deliver_sm({
    source_addr: source,
    source_addr_ton: 1,
    source_addr_npi: 1,
    destination_addr: destination,
    data_coding: 8,
    short_message: texts.length === 1 ? texts[0]
      : { udh: Buffer.from([5, 0, 3, 77, texts.length, place + 1]), message: texts[place] },
  }, (answer) => say({ centre: name, inbound_taken: answer.command_status })));
}

Promise.all(JSON.parse(process.argv[2]).map(serve)).then((ports) => say({ ports: Object.fromEntries(ports) }));
readline.createInterface({ input: process.stdin })
  .on('line', (line) => deliver(JSON.parse(line)))
  .on('close', () => process.exit(0));
