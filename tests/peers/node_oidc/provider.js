// An OpenID Connect provider: node provider.js OPTIONS, a JSON object {key, certificate, client, accounts, strict}.
// `key` and `certificate` are files, `client` is the metadata of its one client, `accounts` are claims by login; `strict`
// leaves claims of scopes to the UserInfo endpoint, as OpenID Connect Core 1.0 §5.4 has it. Prints its issuer. Its page
// asks for a login alone, and has a link that refuses. It ends with its input.
import { readFileSync } from 'node:fs';
import { generateKeyPairSync, randomUUID } from 'node:crypto';
import { createServer } from 'node:https';
import Provider from 'oidc-provider';

const options = JSON.parse(process.argv[2]);
const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
const key = { ...privateKey.export({ format: 'jwk' }), kid: randomUUID(), use: 'sig', alg: 'RS256' };
const server = createServer({ key: readFileSync(options.key), cert: readFileSync(options.certificate) });

function configuration() {
    return {
        clients: [options.client],
        jwks: { keys: [key] },
        cookies: { keys: [randomUUID()] },
        claims: { openid: ['sub'], email: ['email', 'email_verified'], profile: ['name'] },
        conformIdTokenClaims: options.strict,
        features: { devInteractions: { enabled: false } },
        interactions: { url: (_, interaction) => `/interaction/${interaction.uid}` },
        findAccount: (_, id) => options.accounts[id] && { accountId: id, claims: () => ({ sub: id, ...options.accounts[id] }) },
        async loadExistingGrant({ oidc }) {
            const grant = new oidc.provider.Grant({ clientId: oidc.client.clientId, accountId: oidc.session.accountId });
            grant.addOIDCScope('openid email profile');
            await grant.save();
            return grant;
        },
    };
}

async function interact(provider, request, response) {
    const { params, uid } = await provider.interactionDetails(request, response);
    if (request.url.endsWith('/refuse')) {
        return provider.interactionFinished(request, response, { error: 'access_denied' });
    }
    if (request.method === 'POST') {
        const chunks = [];
        for await (const chunk of request) chunks.push(chunk);
        const login = new URLSearchParams(Buffer.concat(chunks).toString()).get('login');
        return provider.interactionFinished(request, response, { login: { accountId: login } });
    }
    response.setHeader('Content-Type', 'text/html; charset=utf-8');
    return response.end(`<!DOCTYPE html><title>Provider</title><form method="post"><input name="login"
        value="${encodeURIComponent(params.login_hint)}"><button>Enter</button></form><a href="/interaction/${uid}/refuse">Refuse</a>`);
}

server.listen(0, '127.0.0.1', () => {
    const issuer = `https://localhost:${server.address().port}`;
    const provider = new Provider(issuer, configuration());
    const answer = provider.callback();
    server.on('request', (request, response) => {
        if (!request.url.startsWith('/interaction/')) return answer(request, response);
        return interact(provider, request, response).catch((error) => { response.statusCode = 500; response.end(String(error)); });
    });
    console.log(issuer);
});
process.stdin.on('end', () => process.exit(0)).resume();
