// Reads {"transport": OPTIONS, "mails": [MAIL]} on stdin, sends the mails one after the other, prints what came of each.
'use strict';
const nodemailer = require('nodemailer');

async function main() {
    const chunks = [];
    for await (const chunk of process.stdin) chunks.push(chunk);
    const { transport, mails } = JSON.parse(Buffer.concat(chunks).toString());
    const client = nodemailer.createTransport(transport);
    const results = [];
    for (const mail of mails) {
        try {
            const { response, accepted, rejected } = await client.sendMail(mail);
            results.push({ response, accepted, rejected });
        } catch ({ code, responseCode, response, command }) {
            results.push({ code, responseCode, response, command });
        }
    }
    client.close();
    console.log(JSON.stringify(results));
}

main();
