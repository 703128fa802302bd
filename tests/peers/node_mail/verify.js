// Reads {"records": {NAME: TEXT}, "messages": [BASE64]} on stdin, prints for each message the results of its signatures.
'use strict';
const { dkimVerify } = require('mailauth/lib/dkim/verify');

async function main() {
    const chunks = [];
    for await (const chunk of process.stdin) chunks.push(chunk);
    const { records, messages } = JSON.parse(Buffer.concat(chunks).toString());
    const resolver = async (name, type) => {
        if (type !== 'TXT' || !(name in records)) throw Object.assign(new Error('no such record'), { code: 'ENOTFOUND' });
        return [[records[name]]];
    };
    const verdicts = [];
    for (const message of messages) {
        const { results } = await dkimVerify(Buffer.from(message, 'base64'), { resolver });
        verdicts.push(results.map(({ status, signingDomain, selector }) => ({
            result: status.result, comment: status.comment || '', domain: signingDomain || '', selector: selector || '',
        })));
    }
    console.log(JSON.stringify(verdicts));
}

main();
